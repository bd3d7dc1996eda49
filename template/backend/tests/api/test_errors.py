"""Problems: what the caller reads and what Sentry gets."""

import asyncio
import logging
from http import HTTPStatus

import pytest
from fastapi import APIRouter, BackgroundTasks, HTTPException, Request, Response, WebSocket
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from app.api.errors import problem_response
from app.core.exceptions import AuthenticationError, ConflictError, UnavailableError
from app.core.sentry import capture_exception
from app.core.sentry.delivery import delivery
from tests.support import MakeApp, StartSentry, values

logger = logging.getLogger(__name__)
router = APIRouter()

INCOMING_TRACE = "0af7651916cd43dd8448eb211c80319c"


class LedgerError(Exception):
    """An error of the application that has a handler of its own."""


class CacheError(UnavailableError):
    expected = True


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


class BudgetError(Exception):
    """An error whose handler reports nothing itself."""


class StockError(Exception):
    """An error whose handler is an object."""


class AnswerStockError:
    async def __call__(self, request: Request, error: Exception) -> Response:
        del request, error
        return Response(status_code=HTTPStatus.INSUFFICIENT_STORAGE)


@router.get("/stock")
async def stock() -> None:
    raise StockError("over")


@router.get("/budget")
async def budget() -> None:
    raise BudgetError("over")


@router.get("/silent/{status}")
async def fail_silently(status: int) -> Response:
    return Response(status_code=status)


@router.get("/expected")
async def fail_as_expected() -> None:
    raise CacheError("The cache does not answer.")


@router.get("/group")
async def fail_in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail_async())
        group.create_task(fail_async())


@router.get("/background")
async def fail_in_background(tasks: BackgroundTasks) -> None:
    tasks.add_task(fail_async)


SHARED = RuntimeError("kept in a module")


@router.get("/shared")
async def fail_with_shared() -> None:
    raise SHARED


@router.get("/signed-in")
async def need_sign_in() -> None:
    raise AuthenticationError("Sign in again.", "expired")


@router.websocket("/socket")
async def fail_in_socket(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("broken")


@router.websocket("/listening")
async def listen(socket: WebSocket) -> None:
    await socket.accept()
    await socket.receive_text()


@router.websocket("/socket/{when}")
async def refuse_in_socket(socket: WebSocket, when: str) -> None:
    if when == "before":
        raise ConflictError("Not now.")
    if when == "before-broken":
        raise UnavailableError("Not today.")
    await socket.accept()
    await socket.receive_text()
    raise UnavailableError("Not today.") if when == "after-broken" else ConflictError("Not now.")


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

    @app.exception_handler(BudgetError)
    def answer_budget_error(request: Request, error: BudgetError) -> Response:
        del request, error
        return Response(status_code=HTTPStatus.INSUFFICIENT_STORAGE)

    app.add_exception_handler(StockError, AnswerStockError())
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
    assert [event["message"] for event in sent.events] == ["GET /unreadable answered 500 without an error"]
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


@pytest.mark.parametrize(("organization", "continued"), [("123", True), ("999", False), (None, False)])
def test_where_it_counts_only_traces_of_the_own_organization_are_continued(
    organization: str | None, continued: bool, start_sentry: StartSentry, caller: TestClient
) -> None:
    start_sentry(SENTRY_ENVIRONMENT="production", SENTRY_ORG_ID="123")
    headers = {"sentry-trace": f"{INCOMING_TRACE}-b7ad6b7169203331-1"}
    if organization:
        headers["baggage"] = f"sentry-trace_id={INCOMING_TRACE},sentry-org_id={organization}"

    problem = caller.get("/async", headers=headers).json()

    assert (problem["trace_id"] == INCOMING_TRACE) is continued


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


@pytest.mark.parametrize(("path", "error"), [("/budget", "BudgetError"), ("/stock", "StockError")])
def test_a_handler_that_reports_nothing_is_reported(
    path: str, error: str, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    response = caller.get(path)

    [event] = sent.events
    assert response.status_code == HTTPStatus.INSUFFICIENT_STORAGE
    assert (values(event)[-1]["type"], values(event)[-1]["value"]) == (error, "over")


def test_behind_a_prefix_health_checks_are_known_all_the_same(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()
    caller = TestClient(make_app(), root_path="/app")

    assert caller.get("/app/health").status_code == HTTPStatus.OK
    caller.get("/app/api/v1/sentry-debug")

    assert [transaction["tags"]["http.route"] for transaction in sent.transactions] == ["/api/v1/sentry-debug"]


def test_an_answer_of_5xx_without_an_error_is_reported(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    caller.get("/silent/503")
    caller.get("/silent/404")

    [event] = sent.events
    assert event["message"] == "GET /silent/{status} answered 503 without an error"
    assert event["transaction"] == "/silent/{status}"


@pytest.mark.parametrize("path", ["/async", "/logged-sync"])
def test_an_error_that_the_rate_drops_has_no_id_and_is_counted_once(
    path: str, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry(SENTRY_ERROR_SAMPLE_RATE="0")

    assert caller.get(path).json()["event_id"] is None

    assert sent.events == []
    assert delivery.report().dropped == {"sampler: error": 1}


def test_a_failure_that_was_expected_is_counted_only(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()
    before = delivery.report().dropped.get("filter: expected-failure", 0)

    assert caller.get("/expected").status_code == HTTPStatus.SERVICE_UNAVAILABLE

    assert sent.events == []
    assert delivery.report().dropped["filter: expected-failure"] == before + 1


@pytest.mark.parametrize("path", ["/group", "/background"])
def test_a_group_and_a_background_task_that_fail_are_one_event(
    path: str, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    caller.get(path)

    [event] = sent.events
    assert values(event)[-1]["mechanism"]["handled"] is False
    assert event["tags"]["http.route"] == path


def test_an_exception_that_is_kept_and_raised_again_is_an_event_for_each_request(
    start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    ids = [caller.get("/shared").json()["event_id"] for _ in range(2)]

    assert [event["event_id"] for event in sent.events] == ids
    assert len(set(ids)) == 2


def test_a_socket_that_fails_is_one_event(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    with pytest.raises(RuntimeError), caller.websocket_connect("/socket"):
        pass

    [event] = sent.events
    assert values(event)[-1]["value"] == "broken"
    assert event["tags"]["http.route"] == "/socket"


@pytest.mark.parametrize(
    ("path", "status", "detail", "count"),
    [("/socket/before", 409, "Not now.", 0), ("/socket/before-broken", 503, "Not today.", 1)],
)
def test_a_socket_that_is_refused_gets_a_problem(
    start_sentry: StartSentry, caller: TestClient, path: str, status: int, detail: str, count: int
) -> None:
    sent = start_sentry()

    with pytest.raises(WebSocketDenialResponse) as refusal, caller.websocket_connect(path):
        pass

    assert refusal.value.status_code == status
    assert refusal.value.json()["detail"] == detail
    assert len(sent.events) == count


@pytest.mark.parametrize(("path", "code", "count"), [("/socket/after", 1008, 0), ("/socket/after-broken", 1011, 1)])
def test_an_error_of_an_open_socket_closes_it(
    start_sentry: StartSentry, caller: TestClient, path: str, code: int, count: int
) -> None:
    sent = start_sentry()

    with caller.websocket_connect(path) as socket:
        socket.send_text("hello")
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_text()

    assert end.value.code == code
    assert len(sent.events) == count


def test_a_socket_that_the_caller_closes_is_no_event(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    with pytest.raises(WebSocketDisconnect), caller.websocket_connect("/listening"):
        pass

    assert sent.events == []


BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (BROWSER, "Chrome"),
        (f"{BROWSER} Edg/156.0.0.0", "Edge"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:156.0) Gecko/20100101 Firefox/156.0", "Firefox"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("curl/8.9", "curl"),
        (f"{BROWSER} SomeBot/2", "bot"),
        ("Python-urllib/3.11", "Python"),
        ("Ada's own", "other"),
        ("", None),
    ],
)
def test_events_and_traces_say_which_request_it_was(
    agent: str, family: str | None, start_sentry: StartSentry, caller: TestClient
) -> None:
    sent = start_sentry()

    caller.get("/silent/500?token=hunter2", headers={"User-Agent": agent})

    for item in (sent.events[0], sent.transactions[0]):
        assert item["tags"]["http.method"] == "GET"
        assert item["tags"]["http.route"] == "/silent/{status}"
        assert item["tags"]["endpoint"] == "fail_silently"
        assert item["tags"].get("user_agent.family") == family
    assert b"hunter2" not in sent.raw


def test_failed_authentication_is_an_answer_a_count_and_no_event(start_sentry: StartSentry, caller: TestClient) -> None:
    sent = start_sentry()

    response = caller.get("/signed-in", headers={"Authorization": "Bearer hunter2"})

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert response.headers["www-authenticate"] == "Bearer"
    assert sent.events == []
    assert sent.items("trace_metric")[0]["items"][0]["attributes"]["reason"]["value"] == "expired"
    assert sent.transactions[0]["tags"]["auth_error"] == "expired"
    assert b"hunter2" not in sent.raw


def test_invalid_requests_are_reported_on_demand(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry(SENTRY_REPORT_VALIDATION_ERRORS="true")

    TestClient(make_app(router)).post("/accounts", json={"pin": "47114", "age": "eleventy"})

    [event] = sent.events
    assert (event["level"], event["tags"]["priority"]) == ("warning", "medium")
    assert values(event)[-1]["type"] == "RequestValidationError"
    assert b"47114" not in sent.raw
    assert b"eleventy" not in sent.raw


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
