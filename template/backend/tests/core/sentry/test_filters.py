"""The filters: each row has an example that it drops and one that it leaves alone."""

import asyncio
from contextvars import copy_context
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from app.core.exceptions import ConflictError, UnavailableError
from app.core.sentry import capture_exception
from app.core.sentry.delivery import delivery
from app.core.sentry.filters import FILTERS, Kind, matching_filter
from app.core.sentry.requests import begin_request, event_id_of, remember_report
from tests.support import StartSentry

Example = tuple[Kind, dict[str, Any], dict[str, Any]]


def raised(error: BaseException) -> dict[str, Any]:
    return {"exc_info": (type(error), error, None)}


def reported(event_id: str | None) -> dict[str, Any]:
    error = RuntimeError("again")
    remember_report(error, event_id)
    return raised(error)


class CacheError(UnavailableError):
    """Something without which the application works, only slower."""

    expected = True


DROPPED: dict[str, list[Example]] = {
    "already-sent": [("event", {}, reported("a" * 32)), ("event", {}, reported(None))],
    "server-echo": [
        ("event", {"logger": "uvicorn.error", "logentry": {"formatted": "Traceback (most recent call last):\n…"}}, {}),
        ("event", {"logger": "uvicorn.error", "logentry": {"formatted": "Application startup failed. Exiting."}}, {}),
    ],
    "stopped": [("event", {}, raised(KeyboardInterrupt())), ("event", {}, raised(SystemExit()))],
    "cancelled": [
        ("event", {}, raised(asyncio.CancelledError())),
        ("event", {}, raised(ClientDisconnect())),
        ("event", {}, raised(WebSocketDisconnect())),
    ],
    "client-error": [("event", {}, raised(HTTPException(404))), ("event", {}, raised(ConflictError("taken")))],
    "invalid-request": [("event", {}, raised(RequestValidationError([])))],
    "expected-failure": [("event", {}, raised(CacheError("the cache is away")))],
    "no-route": [("transaction", {"transaction_info": {"source": "url"}}, {})],
    "access-log": [("breadcrumb", {"category": "uvicorn.access"}, {})],
}

KEPT: list[Example] = [
    ("event", {}, {}),
    ("event", {"message": "no exception"}, {"exc_info": (None, None, None)}),
    ("event", {}, raised(RuntimeError("new"))),
    ("event", {"logger": "app", "logentry": {"formatted": "Traceback (most recent call last):"}}, {}),
    ("event", {"logger": "uvicorn.error", "logentry": {"formatted": "Invalid HTTP request received."}}, {}),
    ("event", {"logger": "uvicorn.error", "logentry": None}, {}),
    ("event", {}, raised(HTTPException(500))),
    ("event", {}, raised(UnavailableError("down"))),
    ("transaction", {"transaction_info": {"source": "route"}}, {}),
    ("transaction", {}, {}),
    ("breadcrumb", {"category": "uvicorn.error"}, {}),
    ("breadcrumb", {}, {}),
]


def test_each_row_has_a_name_a_reason_and_an_example() -> None:
    assert [row.name for row in FILTERS] == list(DROPPED)
    assert all(row.reason.endswith(".") for row in FILTERS)


@pytest.fixture(autouse=True)
def soon_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass since the examples were made: a report of an exception counts for a moment."""
    monkeypatch.setattr("app.core.sentry.requests.time.monotonic", lambda: 0.0)


def test_a_server_that_misses_a_handshake_is_news_unless_the_application_has_refused_it() -> None:
    text = "ASGI callable returned without completing handshake."
    event = {"logger": "uvicorn.error", "logentry": {"formatted": text}}

    def name_of_filter(*, refused: bool) -> str | None:
        request = begin_request({"type": "websocket", "headers": []})
        request.refused = refused
        row = matching_filter("event", event, {})
        return row.name if row else None

    # In a context of its own, because the current request stays.
    assert copy_context().run(name_of_filter, refused=False) is None
    assert copy_context().run(name_of_filter, refused=True) == "server-echo"


@pytest.mark.parametrize(
    ("name", "example"), [(name, example) for name, examples in DROPPED.items() for example in examples]
)
def test_noise_is_dropped_by_its_row(name: str, example: Example) -> None:
    row = matching_filter(*example)

    assert row is not None
    assert row.name == name


@pytest.mark.parametrize("example", KEPT)
def test_everything_else_is_kept(example: Example) -> None:
    assert matching_filter(*example) is None


def test_an_exception_that_refuses_attributes_is_remembered_all_the_same() -> None:
    class FrozenError(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    error = FrozenError()
    remember_report(error, "b" * 32)

    assert event_id_of(error) == "b" * 32


def test_failures_that_an_extension_expects_are_counted(start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"expected": [lambda error: isinstance(error, ConnectionResetError)]})

    capture_exception(ConnectionResetError())
    capture_exception(ConnectionAbortedError())

    assert [event["exception"]["values"][-1]["type"] for event in sent.events] == ["ConnectionAbortedError"]
    assert delivery.report().dropped == {"filter: expected-failure": 1}
