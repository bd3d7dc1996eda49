"""The hooks that the SDK calls: they let the filters and the limiter drop things, and hide whole requests.

Nothing else is redacted here. Every item, of whatever kind, is scrubbed at one place further on: ``transport``.
"""

import functools
import logging
from collections.abc import Callable, ItemsView, Mapping, MappingView
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint
from starlette.datastructures import URL, Address, Headers, QueryParams
from starlette.requests import HTTPConnection

from app.core.sentry.filters import matching_filter, remember_event, remember_refusal
from app.core.sentry.limiter import Limiter
from app.core.sentry.rules import marker

_REQUEST_PARTS = (HTTPConnection, Headers, QueryParams, URL, Address)
# A collection with one of these names in it holds headers, whatever class it is of.
_HEADER_NAMES = frozenset({"accept-encoding", "cookie", "referer", "user-agent", "x-forwarded-for"})
_COLLECTIONS = (Mapping, MappingView, AbstractSet, list, tuple)
_PAIR = 2
_MOST_NAMES = 200

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
        if matching_filter("event", event, hint):
            return None
        if not limiter.allows(place_of(event, hint)):
            remember_refusal(hint)
            return None
        _leave_out_what_has_no_name(event)
        remember_event(event, hint)
        return event

    return before_send


def before_send_transaction(transaction: Event, hint: Hint) -> Event | None:
    """Drop noise, and the request's body, which belongs to errors. If it fails, the SDK drops the transaction."""
    if matching_filter("transaction", transaction, hint):
        return None
    (transaction.get("request") or {}).pop("data", None)
    return transaction


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


def hide_request(value: object) -> str | None:
    """Return what takes the place of a request, or of a part of it, in local variables and extra data.

    It holds the caller's address, every header and the query, and the SDK would write out all of it. What an
    event may say about its request is collected elsewhere.
    """
    is_scope = isinstance(value, Mapping) and "type" in value and "headers" in value
    if isinstance(value, _REQUEST_PARTS) or is_scope or not _HEADER_NAMES.isdisjoint(_names_in(value)):
        return marker("request")
    return None


def hide_depths(value: object) -> str | None:
    """Return what takes the place of a collection that the SDK does not look into: its text would show all of it."""
    return marker("depth") if isinstance(value, _COLLECTIONS) else hide_request(value)


def _names_in(value: object) -> list[str]:
    """Return the names in a mapping or in a list of pairs, in lower case."""
    if isinstance(value, Mapping):
        names = list(islice(value, _MOST_NAMES))
    elif isinstance(value, list | tuple | ItemsView):
        pairs = islice(value, _MOST_NAMES)
        names = [item[0] for item in pairs if isinstance(item, tuple | list) and len(item) == _PAIR]
    else:
        names = []
    return [_text(name).lower() for name in names if isinstance(name, str | bytes)]


def _text(name: str | bytes) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else name


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
    """Say what happened at which line: texts may differ in each round of a loop, places do not.

    An exception counts where it was raised, also when it was logged: many are logged by one line of a server.
    """
    record = hint.get("log_record")
    if record is not None and not event.get("exception"):
        return ("log", record.name, record.levelno, record.pathname, record.lineno)
    exceptions = (event.get("exception") or {}).get("values") or [{}]
    carrier = exceptions[-1] or ((event.get("threads") or {}).get("values") or [{}])[0]
    frames = (carrier.get("stacktrace") or {}).get("frames") or [{}]
    frame = next((frame for frame in reversed(frames) if frame.get("in_app")), frames[-1])
    return (carrier.get("type"), event.get("level"), frame.get("module"), frame.get("function"), frame.get("lineno"))
