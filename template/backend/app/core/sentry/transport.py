"""The one place that everything passes on its way out: each item of each envelope is scrubbed here.

A hook per kind of item would leave gaps: the SDK has none for sessions, profiles, attachments and headers,
and two of its hooks let the original pass when they fail. Here is one place that knows no kinds but profiles,
and what it cannot scrub does not leave.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import urllib3
from sentry_sdk.consts import EndpointType
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.transport import HttpTransport, Transport

from app.core.sentry.delivery import delivery, tell_bad_proxy
from app.core.sentry.profiles import PROFILE_CHUNK, scrub_profile
from app.core.sentry.requests import CurrentRequest, current_request
from app.core.sentry.rules import load_rules
from app.core.sentry.scrubber import Scrubber
from app.core.sentry.values import mask_known

if TYPE_CHECKING:
    from sentry_sdk._types import EventDataCategory

GZIP_LEVEL = 2
"""How hard envelopes are compressed, 1 to 9. The worker shares the processor with requests: for an event of 28 kB
level 9, the SDK's default, takes 0.60 ms, level 6 0.34 ms and level 2 0.10 ms, for 9 % more bytes."""

_CLIENT_REPORT = "client_report"
_TOO_MANY_REQUESTS = 429
_NO_TEXT = frozenset("\0\N{REPLACEMENT CHARACTER}")
# Somebody's decision, counted where it is made.
_DECISIONS = frozenset({"before_send", "event_processor", "internal_sdk_error", "sample_rate"})
# The same loss once more, in other units; so is a client report.
_PARTS = frozenset({"log_byte", "span", "trace_metric_byte"})
# Counted by pieces and by bytes.
_MEASURED = frozenset({"log_item", "trace_metric"})


class ScrubbedPayload(PayloadRef):
    """A JSON payload that is scrubbed when it is serialised.

    The SDK serialises in its worker thread, so no request waits for the scrubber. If scrubbing fails there,
    the SDK drops the envelope.
    """

    def __init__(self, payload: Any, scrub: Callable[[Any], Any]) -> None:
        super().__init__(json=payload)
        self._scrub = scrub

    def get_bytes(self) -> bytes:
        """Return the scrubbed payload."""
        if self.bytes is None:
            self.bytes = json.dumps(self._scrub(self.json), separators=(",", ":"), allow_nan=False).encode()
        return self.bytes


class CountingTransport(HttpTransport):
    """The SDK's own transport, which tells ``delivery`` what arrived and what it lost."""

    def __init__(self, options: dict[str, Any]) -> None:
        experiments = {**(options.get("_experiments") or {}), "transport_compression_level": GZIP_LEVEL}
        super().__init__({**options, "_experiments": experiments})

    def record_lost_event(
        self,
        reason: str,
        data_category: "EventDataCategory | None" = None,
        item: Item | None = None,
        *,
        quantity: int = 1,
    ) -> None:
        """Count something that was lost, here and for the next client report."""
        is_part = item.type == _CLIENT_REPORT if item else data_category in _PARTS
        if reason not in _DECISIONS and not is_part:
            delivery.count_dropped("transport", reason, _quantity(item) if item else quantity)
        if item and item.data_category in _MEASURED and item.payload.bytes is None:
            # The SDK would have it scrubbed and serialised only to tell how long it would have been.
            data_category, quantity, item = item.data_category, _quantity(item), None
        super().record_lost_event(reason, data_category, item, quantity=quantity)

    def _make_pool(self) -> urllib3.PoolManager:
        try:
            pool: urllib3.PoolManager = super()._make_pool()
        except (ValueError, urllib3.exceptions.HTTPError):
            tell_bad_proxy()
            self.options |= {"http_proxy": "", "https_proxy": ""}
            pool = super()._make_pool()
        return pool

    def _serialize_envelope(self, envelope: Envelope) -> tuple[str | None, io.BytesIO]:
        try:
            return super()._serialize_envelope(envelope)
        except Exception:
            # The SDK then drops the envelope, and says nothing.
            count_unscrubbed(self, envelope)
            raise

    def _request(
        self, method: str, endpoint_type: EndpointType, body: Any, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        try:
            try:
                return super()._request(method, endpoint_type, body, headers)
            except urllib3.exceptions.ProtocolError:
                # The other side closed a kept connection, as all do after some idle seconds, while this was on its way.
                # What arrived twice all the same has the same id, by which Sentry knows it.
                return super()._request(method, endpoint_type, body, headers)
        except Exception as error:
            # Its text would name the address.
            delivery.count_error(type(error).__name__)
            raise

    def _handle_response(self, response: Any, envelope: Envelope | None) -> None:
        items = [item for item in envelope.items if item.type != _CLIENT_REPORT] if envelope else []
        if response.status in range(200, 300):
            if items:
                delivery.count_sent(len(items))
        else:
            delivery.count_error(f"HTTP {response.status}")
        if response.status == _TOO_MANY_REQUESTS:
            # The SDK leaves these to Sentry's own count.
            delivery.count_dropped("transport", "rate_limited", len(items))
        super()._handle_response(response, envelope)


class ScrubbingTransport(Transport):
    """Scrubs every envelope, then hands it to the SDK's own transport.

    What is left out of it are the client reports that the inner transport adds: reasons from a fixed list and
    numbers, in which nothing of the application occurs.
    """

    inner: ClassVar[type[Transport]] = CountingTransport
    extra_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self._personal_data = options["data_collection"]["user_info"]
        self._scrubber = Scrubber(load_rules(), personal_data=self._personal_data, extra_keys=self.extra_keys)
        self._inner = self.inner(options)

    def capture_envelope(self, envelope: Envelope) -> None:
        """Send a scrubbed copy. What cannot be scrubbed is dropped and counted."""
        try:
            scrub = partial(self._scrub, current_request())
            items = [scrubbed for item in envelope.items if (scrubbed := self._scrub_item(item, scrub))]
            headers = scrub(envelope.headers)
        except Exception:  # noqa: BLE001 whatever went wrong, nothing unscrubbed leaves and no request fails
            count_unscrubbed(self, envelope)
            return
        if items:
            self._inner.capture_envelope(Envelope(headers, items))

    def _scrub(self, request: CurrentRequest | None, value: Any) -> Any:
        """Scrub by the rules, then mask what the request brought along under a sensitive name."""
        scrubbed = self._scrubber.scrub(value)
        known = request.known_values(personal_data=self._personal_data) if request else ()
        return mask_known(scrubbed, known) if known else scrubbed

    def _scrub_item(self, item: Item, scrub: Callable[[Any], Any]) -> Item | None:
        headers = scrub(item.headers)
        if item.payload.json is not None:
            whole = partial(scrub_profile, scrub) if item.type == PROFILE_CHUNK else scrub
            return Item(ScrubbedPayload(item.payload.json, whole), headers)
        if str(headers.get("content_type")).startswith("text/"):
            text = item.get_bytes().decode(errors="replace")
            # Text of two bytes a character has zeros, between which no rule finds anything.
            if _NO_TEXT.isdisjoint(text):
                return Item(scrub(text), headers)
        # Bytes cannot be looked into.
        delivery.count_dropped("scrubber", "binary")
        self.record_lost_event("before_send", data_category=item.data_category)
        return None

    def flush(self, timeout: float, callback: Callable[[int, float], None] | None = None) -> None:
        """Wait until everything is sent, at most ``timeout`` seconds."""
        self._inner.flush(timeout, callback)

    def kill(self) -> None:
        """Stop sending."""
        self._inner.kill()

    def record_lost_event(self, *args: Any, **details: Any) -> None:
        """Count something that was dropped, for the next client report."""
        self._inner.record_lost_event(*args, **details)

    def is_healthy(self) -> bool:
        """Say whether the queue has room and the server accepts events."""
        return self._inner.is_healthy()


def make_transport(extra_keys: Sequence[str] = ()) -> type[ScrubbingTransport]:
    """Return the transport of an application with sensitive names of its own. The SDK wants a class.

    Args:
        extra_keys: Names whose values are redacted besides those in ``contracts/scrubber.json``.
    """
    return type("ProjectTransport", (ScrubbingTransport,), {"extra_keys": tuple(extra_keys)})


def count_unscrubbed(transport: Transport, envelope: Envelope) -> None:
    """Count an envelope that could not be scrubbed and is dropped for it."""
    for item in envelope.items:
        delivery.count_dropped("scrubber", "failed")
        transport.record_lost_event("internal_sdk_error", data_category=item.data_category)


def _quantity(item: Item) -> int:
    """Say how much a lost item held: some are batches."""
    count = item.headers.get("item_count")
    return count if isinstance(count, int) and count > 0 else 1
