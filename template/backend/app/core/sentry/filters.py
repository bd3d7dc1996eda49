"""The filters drop what is noise by nature. Each is a row: a name, the reason, and how to recognise it.

This is the one place that decides what is not worth sending. Add a row, and a test for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.core.exceptions import AppError

Payload = Mapping[str, Any]
Hint = Mapping[str, Any]
Kind = Literal["event", "transaction", "breadcrumb"]

_EVENT_ID = "__sentry_event_id__"


@dataclass(frozen=True)
class Filter:
    """A kind of noise."""

    name: str
    kind: Kind
    reason: str
    matches: Callable[[Payload, Hint], bool]


def remember_event(event: Payload, hint: Hint) -> None:
    """Note on an exception that it is being sent, so that it is not sent again from another thread."""
    error = _exception(hint)
    if error is not None:
        # Into the dictionary, because an exception class may refuse attributes.
        error.__dict__[_EVENT_ID] = event.get("event_id")


def remember_refusal(hint: Hint) -> None:
    """Note on an exception that the limiter refused it, so that its next report is not counted again."""
    remember_event({}, hint)


def event_id_of(error: BaseException) -> str | None:
    """Return the id of the event that reported this very exception; ``None`` also when it was refused."""
    event_id: str | None = error.__dict__.get(_EVENT_ID)
    return event_id


def _exception(hint: Hint) -> BaseException | None:
    error: BaseException | None = (hint.get("exc_info") or (None, None))[1]
    return error


def _is_stop(_event: Payload, hint: Hint) -> bool:
    return isinstance(_exception(hint), KeyboardInterrupt | SystemExit)


def _is_cancelled(_event: Payload, hint: Hint) -> bool:
    return isinstance(_exception(hint), asyncio.CancelledError | ClientDisconnect)


def _is_client_error(_event: Payload, hint: Hint) -> bool:
    error = _exception(hint)
    return isinstance(error, HTTPException | AppError) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR


def _is_invalid_request(_event: Payload, hint: Hint) -> bool:
    return isinstance(_exception(hint), RequestValidationError)


def _was_seen(_event: Payload, hint: Hint) -> bool:
    error = _exception(hint)
    return error is not None and _EVENT_ID in error.__dict__


def _has_no_route(transaction: Payload, _hint: Hint) -> bool:
    return (transaction.get("transaction_info") or {}).get("source") == "url"


def _is_access_log(crumb: Payload, _hint: Hint) -> bool:
    return crumb.get("category") == "uvicorn.access"


FILTERS = (
    Filter("stopped", "event", "Ctrl-C or a stopping process is somebody's wish and no error.", _is_stop),
    Filter("cancelled", "event", "The caller left before the answer was ready.", _is_cancelled),
    Filter(
        "client-error",
        "event",
        "A status below 500 is the caller's mistake, and the caller was told.",
        _is_client_error,
    ),
    Filter(
        "invalid-request", "event", "A request that does not validate is the caller's mistake.", _is_invalid_request
    ),
    Filter("already-sent", "event", "Logged and then raised, or seen in two threads: one error, one event.", _was_seen),
    Filter(
        "no-route",
        "transaction",
        "Unknown paths are scanners and typing errors; each would be a name of its own.",
        _has_no_route,
    ),
    Filter(
        "access-log", "breadcrumb", "The request is on the event already; the log line adds an address.", _is_access_log
    ),
)


def matching_filter(kind: Kind, payload: Payload, hint: Hint) -> Filter | None:
    """Return the first filter that drops this, or ``None`` when it is worth sending."""
    return next((row for row in FILTERS if row.kind == kind and row.matches(payload, hint)), None)
