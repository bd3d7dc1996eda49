"""The filters drop what is noise by nature. Each is a row: a name, the reason, and how to recognise it.

This is the one place that decides what is not worth sending. Add a row, and a test for it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from logging import LogRecord
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from app.core.exceptions import AppError
from app.core.sentry.requests import current_request, was_reported

Payload = Mapping[str, Any]
Hint = Mapping[str, Any]
Kind = Literal["event", "transaction", "breadcrumb"]
IsExpected = Callable[[BaseException], bool]


SERVER_LOGGERS = frozenset({"uvicorn.error", "hypercorn.error", "gunicorn.error"})
"""Loggers of servers, which log what escaped from a request."""

_UNFINISHED = "ASGI callable returned without completing handshake"
_ECHOES = ("Traceback (most recent call last):", "Application startup failed", "Application shutdown failed")

INVALID_REQUEST = "invalid-request"
"""The filter that ``SENTRY_REPORT_VALIDATION_ERRORS`` switches off."""


@dataclass(frozen=True)
class Filter:
    """A kind of noise."""

    name: str
    kind: Kind
    reason: str
    matches: Callable[[Payload, Hint], bool]
    counted: bool = True
    """False for what is not lost."""


def exception_of(hint: Hint) -> BaseException | None:
    """Return the exception that an event is about."""
    error: BaseException | None = (hint.get("exc_info") or (None, None))[1]
    return error


def _is_stop(_event: Payload, hint: Hint) -> bool:
    return isinstance(exception_of(hint), KeyboardInterrupt | SystemExit)


def _is_cancelled(_event: Payload, hint: Hint) -> bool:
    return isinstance(exception_of(hint), asyncio.CancelledError | ClientDisconnect | WebSocketDisconnect)


def _is_client_error(_event: Payload, hint: Hint) -> bool:
    error = exception_of(hint)
    return isinstance(error, HTTPException | AppError) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR


def _is_expected(error: BaseException) -> bool:
    return isinstance(error, AppError) and error.expected


def expected_failure(is_expected: IsExpected) -> Filter:
    """Return the row for failures of something else that the application is built to survive.

    Args:
        is_expected: Recognises such a failure.
    """

    def matches(_event: Payload, hint: Hint) -> bool:
        error = exception_of(hint)
        return error is not None and is_expected(error)

    reason = "A failure of something else that the application is built to survive: counted, see /health/sentry."
    return Filter("expected-failure", "event", reason, matches)


def _is_server_echo(event: Payload, hint: Hint) -> bool:
    text = (event.get("logentry") or {}).get("formatted") or ""
    request = current_request()
    echoes = (*_ECHOES, _UNFINISHED) if request and request.refused else _ECHOES
    return event.get("logger") in SERVER_LOGGERS and exception_of(hint) is None and text.startswith(echoes)


def _is_invalid_request(_event: Payload, hint: Hint) -> bool:
    return isinstance(exception_of(hint), RequestValidationError)


def _was_seen(_event: Payload, hint: Hint) -> bool:
    error = exception_of(hint)
    return error is not None and was_reported(error)


def _has_no_route(transaction: Payload, _hint: Hint) -> bool:
    return (transaction.get("transaction_info") or {}).get("source") == "url"


def _is_access_log(crumb: Payload, _hint: Hint) -> bool:
    return crumb.get("category") == "uvicorn.access"


FILTERS = (
    Filter(
        "already-sent",
        "event",
        "Logged and then raised, or seen in two threads: one error, one event.",
        _was_seen,
        counted=False,
    ),
    Filter(
        "server-echo",
        "event",
        "A server repeats as text why the application did not start or stop, or that it refused a WebSocket.",
        _is_server_echo,
        counted=False,
    ),
    Filter("stopped", "event", "Ctrl-C or a stopping process is somebody's wish and no error.", _is_stop),
    Filter("cancelled", "event", "The caller left before the answer was ready.", _is_cancelled),
    Filter(
        "client-error",
        "event",
        "A status below 500 is the caller's mistake, and the caller was told.",
        _is_client_error,
    ),
    Filter(INVALID_REQUEST, "event", "A request that does not validate is the caller's mistake.", _is_invalid_request),
    expected_failure(_is_expected),
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

NOISE = tuple(row for row in FILTERS if row.matches is not _was_seen)
"""What is no error to begin with, whether it is seen for the first time or again."""


def matching_filter(kind: Kind, payload: Payload, hint: Hint, filters: Sequence[Filter] = FILTERS) -> Filter | None:
    """Return the first filter that drops this, or ``None`` when it is worth sending."""
    return next((row for row in filters if row.kind == kind and row.matches(payload, hint)), None)


def is_news(record: LogRecord) -> bool:
    """Say whether a log record is about anything but an exception that was reported already."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, BaseException) or not was_reported(error)
