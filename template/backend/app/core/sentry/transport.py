"""The one place that everything passes on its way out: each item of each envelope is scrubbed here.

A hook per kind of item would leave gaps: the SDK has none for sessions, profiles, attachments and headers,
and two of its hooks let the original pass when they fail. Here is one place that knows no kinds, and what
it cannot scrub does not leave.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.transport import HttpTransport, Transport

from app.core.sentry.rules import load_rules
from app.core.sentry.scrubber import Scrubber

if TYPE_CHECKING:
    from sentry_sdk._types import EventDataCategory


class ScrubbedPayload(PayloadRef):
    """A JSON payload that is scrubbed when it is serialised.

    The SDK serialises in its worker thread, so no request waits for the scrubber. If scrubbing fails there,
    the SDK drops the envelope.
    """

    def __init__(self, payload: Any, scrubber: Scrubber) -> None:
        super().__init__(json=payload)
        self._scrubber = scrubber

    def get_bytes(self) -> bytes:
        """Return the scrubbed payload."""
        if self.bytes is None:
            self.bytes = json.dumps(self._scrubber.scrub(self.json), separators=(",", ":"), allow_nan=False).encode()
        return self.bytes


class ScrubbingTransport(Transport):
    """Scrubs every envelope, then hands it to the SDK's own transport.

    What is left out of it are the client reports that the inner transport adds: reasons from a fixed list and
    numbers, in which nothing of the application occurs.
    """

    delivery: ClassVar[type[Transport]] = HttpTransport

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self._scrubber = Scrubber(load_rules(), personal_data=options["data_collection"]["user_info"])
        self._inner = self.delivery(options)

    def capture_envelope(self, envelope: Envelope) -> None:
        """Send a scrubbed copy. What cannot be scrubbed is dropped and counted."""
        try:
            items = [scrubbed for item in envelope.items if (scrubbed := self._scrub_item(item))]
            headers = self._scrubber.scrub(envelope.headers)
        except Exception:  # noqa: BLE001 whatever went wrong, nothing unscrubbed leaves and no request fails
            for item in envelope.items:
                self.record_lost_event("internal_sdk_error", data_category=item.data_category)
            return
        if items:
            self._inner.capture_envelope(Envelope(headers, items))

    def _scrub_item(self, item: Item) -> Item | None:
        headers = self._scrubber.scrub(item.headers)
        if item.payload.json is not None:
            return Item(ScrubbedPayload(item.payload.json, self._scrubber), headers)
        if str(headers.get("content_type")).startswith("text/"):
            return Item(self._scrubber.scrub_text(item.get_bytes().decode()), headers)
        # Bytes cannot be looked into.
        self.record_lost_event("before_send", data_category=item.data_category)
        return None

    def flush(self, timeout: float, callback: Callable[[int, float], None] | None = None) -> None:
        """Wait until everything is sent, at most ``timeout`` seconds."""
        self._inner.flush(timeout, callback)

    def kill(self) -> None:
        """Stop sending."""
        self._inner.kill()

    def record_lost_event(
        self,
        reason: str,
        data_category: "EventDataCategory | None" = None,
        item: Item | None = None,
        *,
        quantity: int = 1,
    ) -> None:
        """Count something that was dropped, for the next client report."""
        self._inner.record_lost_event(reason, data_category, item, quantity=quantity)

    def is_healthy(self) -> bool:
        """Say whether the queue has room and the server accepts events."""
        return self._inner.is_healthy()
