"""The filters: each row has an example that it drops and one that it leaves alone."""

import asyncio
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect

from app.core.exceptions import ConflictError, UnavailableError
from app.core.sentry.filters import FILTERS, Kind, event_id_of, matching_filter, remember_event, remember_refusal

Example = tuple[Kind, dict[str, Any], dict[str, Any]]


def raised(error: BaseException) -> dict[str, Any]:
    return {"exc_info": (type(error), error, None)}


def sent_before() -> dict[str, Any]:
    hint = raised(RuntimeError("again"))
    remember_event({"event_id": "a" * 32}, hint)
    return hint


def refused_before() -> dict[str, Any]:
    hint = raised(RuntimeError("again"))
    remember_refusal(hint)
    return hint


DROPPED: dict[str, list[Example]] = {
    "stopped": [("event", {}, raised(KeyboardInterrupt())), ("event", {}, raised(SystemExit()))],
    "cancelled": [("event", {}, raised(asyncio.CancelledError())), ("event", {}, raised(ClientDisconnect()))],
    "client-error": [("event", {}, raised(HTTPException(404))), ("event", {}, raised(ConflictError("taken")))],
    "invalid-request": [("event", {}, raised(RequestValidationError([])))],
    "already-sent": [("event", {}, sent_before()), ("event", {}, refused_before())],
    "no-route": [("transaction", {"transaction_info": {"source": "url"}}, {})],
    "access-log": [("breadcrumb", {"category": "uvicorn.access"}, {})],
}

KEPT: list[Example] = [
    ("event", {}, {}),
    ("event", {"message": "no exception"}, {"exc_info": (None, None, None)}),
    ("event", {}, raised(RuntimeError("new"))),
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
    remember_event({"event_id": "b" * 32}, raised(error))

    assert event_id_of(error) == "b" * 32
