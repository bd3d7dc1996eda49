"""Problems: what the caller reads and what Sentry gets."""

import asyncio
import logging
from http import HTTPStatus

import pytest
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from app.api.errors import problem_response
from app.core.exceptions import ConflictError, UnavailableError
from app.core.sentry import capture_exception
from tests.support import MakeApp, StartSentry, values

logger = logging.getLogger(__name__)
router = APIRouter()

INCOMING_TRACE = "0af7651916cd43dd8448eb211c80319c"


class LedgerError(Exception):
    """An error of the application that has a handler of its own."""


class Account(BaseModel):
    pin: str = Field(min_length=6)
    age: int


@router.get("/async")
async def fail_async() -> None:
    raise RuntimeError("broken")


@router.get("/sync")
def fail_sync() -> None:
    raise RuntimeError("broken")


@router.get("/logged-async")
async def log_and_fail_async() -> None:
    log_and_raise()


@router.get("/logged-sync")
def log_and_fail_sync() -> None:
    log_and_raise()


@router.get("/captured-sync")
def capture_and_fail_sync() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        capture_exception(error)
        raise


class UnreadableError(Exception):
    """An error that even Sentry's SDK stumbles over."""

    @property
    def detail(self) -> str:
        raise ValueError("out of order")


@router.get("/unreadable")
async def fail_unreadably() -> None:
    raise UnreadableError


@router.get("/only-logged")
def only_log() -> None:
    logger.error("the books do not balance")


@router.get("/task")
async def fail_in_task() -> None:
    await asyncio.create_task(fail_async())


@router.get("/http/{status}")
async def fail_with_status(status: int) -> None:
    raise HTTPException(status, "as you wish", {"X-Reason": "test"})


@router.get("/odd-detail")
async def fail_with_odd_detail() -> None:
    raise HTTPException(HTTPStatus.IM_A_TEAPOT, {"any": "json"})


@router.get("/conflict")
async def conflict() -> None:
    raise ConflictError("That name is taken.")


@router.get("/unavailable")
async def unavailable() -> None:
    raise UnavailableError("The ledger does not answer.")


@router.get("/ledger")
async def ledger() -> None:
    raise LedgerError("page 7")


@router.post("/accounts")
async def create_account(account: Account) -> None:
    raise AssertionError(account)


def log_and_raise() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logger.exception("about to fail")
        raise


@pytest.fixture
def caller(make_app: MakeApp) -> TestClient:
    app = make_app(router)

    @app.exception_handler(LedgerError)
    async def answer_ledger_error(request: Request, error: LedgerError) -> Response:
        return problem_response(request, HTTPStatus.BAD_GATEWAY, "The ledger is broken.", error=error)

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/async", "/sync", "/task"])
def test_an_unhandled_error_is_one_crash_with_the_id_that_the_caller_reads(
    path: str, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    response = caller.get(path)

    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert response.headers["content-type"] == "application/problem+json"
    [event] = sent.events
    problem = response.json()
    assert problem == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong on our side.",
        "instance": path,
        "event_id": event["event_id"],
        "trace_id": event["contexts"]["trace"]["trace_id"],
        "errors": [],
    }
    assert values(event)[-1]["type"] == "RuntimeError"
    assert values(event)[-1]["mechanism"]["handled"] is False
    assert event["transaction"] == path


@pytest.mark.parametrize("path", ["/logged-async", "/logged-sync", "/captured-sync"])
def test_an_error_that_is_reported_and_then_raised_is_one_event(
    path: str, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    problem = caller.get(path).json()

    [event] = sent.events
    assert problem["event_id"] == event["event_id"]


def test_an_error_that_cannot_be_reported_is_answered_all_the_same(
    start_sentry: StartSentry, caller: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    sent = start_sentry()

    response = caller.get("/unreadable")

    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert response.json()["event_id"] is None
    assert sent.events == []
    assert "An error could not be reported: ValueError" in caplog.messages


def test_an_error_log_without_an_exception_is_an_event(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    caller.get("/only-logged")

    [event] = sent.events
    assert event["logentry"]["formatted"] == "the books do not balance"


def test_the_same_error_twice_is_two_events(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    ids = {caller.get("/sync").json()["event_id"] for _ in range(2)}

    assert ids == {event["event_id"] for event in sent.events}
    assert len(ids) == 2


def test_an_error_continues_the_trace_of_the_caller(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    problem = caller.get("/async", headers={"sentry-trace": f"{INCOMING_TRACE}-b7ad6b7169203331-1"}).json()

    assert problem["trace_id"] == INCOMING_TRACE
    assert {item["contexts"]["trace"]["trace_id"] for item in sent.events + sent.transactions} == {INCOMING_TRACE}


@pytest.mark.parametrize(
    ("path", "status", "title", "detail"),
    [
        ("/http/403", 403, "Forbidden", "as you wish"),
        ("/http/499", 499, "Status 499", "as you wish"),
        ("/odd-detail", 418, "I'm a Teapot", "I'm a Teapot"),
        ("/conflict", 409, "Conflict", "That name is taken."),
        ("/nowhere", 404, "Not Found", "Not Found"),
    ],
)
def test_a_mistake_of_the_caller_is_a_problem_and_no_event(
    path: str, status: int, title: str, detail: str, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    response = caller.get(path)

    problem = response.json()
    assert (response.status_code, problem["status"], problem["title"], problem["detail"]) == (
        status,
        status,
        title,
        detail,
    )
    assert problem["event_id"] is None
    assert problem["trace_id"]
    assert sent.events == []


def test_headers_of_an_http_exception_are_kept(caller: TestClient) -> None:
    assert caller.get("/http/403").headers["X-Reason"] == "test"


def test_an_invalid_request_names_the_fields_and_never_the_values(
    start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    response = caller.post("/accounts", json={"pin": "47114", "age": "eleventy"})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [error["field"] for error in response.json()["errors"]] == ["body.pin", "body.age"]
    assert "47114" not in response.text
    assert "eleventy" not in response.text
    assert sent.events == []


@pytest.mark.parametrize(
    ("path", "error", "status"),
    [
        ("/http/503", "HTTPException", 503),
        ("/unavailable", "UnavailableError", 503),
        ("/ledger", "LedgerError", 502),
    ],
)
def test_an_answer_of_5xx_by_a_handler_is_one_handled_event(
    path: str, error: str, status: int, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    response = caller.get(path)

    [event] = sent.events
    assert response.status_code == status
    assert response.json()["event_id"] == event["event_id"]
    assert values(event)[-1]["type"] == error
    assert values(event)[-1]["mechanism"]["handled"] is True


def test_the_ids_of_a_failure_are_in_the_log(
    start_sentry: StartSentry, caller: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    start_sentry()

    problem = caller.get("/sync").json()

    assert f"GET /sync answered 500 | event_id={problem['event_id']}, trace_id={problem['trace_id']}" in caplog.messages


def test_without_sentry_a_problem_has_no_ids(caller: TestClient) -> None:
    problem = caller.get("/async").json()

    assert problem["event_id"] is None
    assert problem["trace_id"] is None
