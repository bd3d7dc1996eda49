"""The hooks that the SDK calls: they let the filters and the limiter drop things.

Nothing is redacted here. Every item, of whatever kind, is scrubbed at one place further on: ``transport``.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint

from app.core.sentry.filters import matching_filter, remember_event
from app.core.sentry.limiter import Limiter

logger = logging.getLogger(__name__)

EventHook = Callable[[Event, Hint], Event | None]
BreadcrumbHook = Callable[[Breadcrumb, BreadcrumbHint], Breadcrumb | None]


def make_before_send(limiter: Limiter) -> EventHook:
    """Return ``before_send``, which sees events and check-ins. If it fails, the SDK drops what it was given."""

    def before_send(event: Event, hint: Hint) -> Event | None:
        if event.get("type") == "check_in":
            return event
        dropped = limiter.take_report()
        if dropped:
            logger.warning("The limiter dropped %s events", dropped)
        if matching_filter("event", event, hint) or not limiter.allows(place_of(event, hint)):
            return None
        _leave_out_what_has_no_name(event)
        remember_event(event, hint)
        return event

    return before_send


def before_send_transaction(transaction: Event, hint: Hint) -> Event | None:
    """Drop noise. If it fails, the SDK drops the transaction."""
    return None if matching_filter("transaction", transaction, hint) else transaction


def closing(hook: BreadcrumbHook) -> BreadcrumbHook:
    """Make a breadcrumb hook fail closed: the SDK would keep the breadcrumb as it was."""

    @functools.wraps(hook)
    def closed(crumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
        try:
            return hook(crumb, hint)
        except Exception:  # noqa: BLE001 whatever went wrong, nothing unexamined leaves
            return None

    return closed


@closing
def before_breadcrumb(crumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
    """Drop noise."""
    return None if matching_filter("breadcrumb", crumb, hint) else crumb


def _leave_out_what_has_no_name(event: Any) -> None:
    """Leave out values that say what they are in another place only, where the scrubber can tell.

    The parameters of a log record stand in its text. The local variables of libraries hold the same, and whole
    requests besides; those of our own code stay.
    """
    (event.get("logentry") or {}).pop("params", None)
    for group in ("exception", "threads"):
        for carrier in (event.get(group) or {}).get("values") or []:
            for frame in (carrier.get("stacktrace") or {}).get("frames") or []:
                if not frame.get("in_app"):
                    frame.pop("vars", None)


def place_of(event: Event, hint: Hint) -> tuple[Any, ...]:
    """Say what happened at which line: texts may differ in each round of a loop, places do not."""
    record = hint.get("log_record")
    if record is not None:
        return ("log", record.name, record.levelno, record.pathname, record.lineno)
    exceptions = (event.get("exception") or {}).get("values") or [{}]
    carrier = exceptions[-1] or ((event.get("threads") or {}).get("values") or [{}])[0]
    frames = (carrier.get("stacktrace") or {}).get("frames") or [{}]
    frame = next((frame for frame in reversed(frames) if frame.get("in_app")), frames[-1])
    return (carrier.get("type"), event.get("level"), frame.get("module"), frame.get("function"), frame.get("lineno"))
