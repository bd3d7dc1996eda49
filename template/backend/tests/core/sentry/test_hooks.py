"""The hooks: what they drop, and that they fail closed."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient

from app.core.sentry import add_breadcrumb, capture_exception, capture_message, hooks
from app.core.sentry.hooks import closing, place_of
from app.core.sentry.limiter import BURST
from tests.support import MakeApp, StartSentry, values

logger = logging.getLogger(__name__)


def fail(*_: object) -> None:
    raise ValueError("a hook is broken")


def test_an_error_in_a_loop_is_sent_a_few_times(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        try:
            raise ValueError(f"round {number}")
        except ValueError as error:
            capture_exception(error)

    assert len(sent.events) == BURST
    assert sent.lost.count(("before_send", "error")) == 5


def test_an_error_that_was_refused_is_not_sent_when_it_is_logged(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        try:
            raise ValueError(f"round {number}")
        except ValueError as error:
            ids = {capture_exception(error), capture_exception(error)}
            logger.exception("as a server does with what nobody handled")
        assert ids == ({sent.events[-1]["event_id"]} if number < BURST else {None})

    assert len(sent.events) == BURST


def test_a_message_or_a_log_in_a_loop_is_sent_a_few_times(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        capture_message(f"round {number}")
        logger.error("round %s", number)

    assert len(sent.events) == 2 * BURST


def test_places_differ_by_line_and_kind() -> None:
    frames = {"frames": [{"in_app": True, "module": "m", "function": "f", "lineno": 1}, {"lineno": 9}]}
    error: Any = {"exception": {"values": [{"type": "ValueError", "stacktrace": frames}]}}
    message: Any = {"threads": {"values": [{"stacktrace": frames}]}, "level": "info"}

    record = logging.LogRecord("server", logging.ERROR, "server.py", 7, "crash", None, None)

    assert place_of(error, {}) == place_of(error, {"log_record": record}) == ("ValueError", None, "m", "f", 1)
    assert place_of({}, {"log_record": record}) == ("log", "server", logging.ERROR, "server.py", 7)
    assert place_of(message, {}) == (None, "info", "m", "f", 1)
    assert place_of({}, {}) == (None, None, None, None, None)


def test_a_check_in_is_never_limited(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for _ in range(BURST + 1):
        sentry_sdk.crons.capture_checkin(monitor_slug="nightly", status="ok")

    assert len(sent.items("check_in")) == BURST + 1


def test_a_transaction_without_a_route_is_dropped(start_sentry: StartSentry, client: TestClient) -> None:
    sent = start_sentry()

    client.get("/wp-admin/setup.php")
    client.get("/api/v1/sentry-debug")

    assert [transaction["transaction"] for transaction in sent.transactions] == ["/api/v1/sentry-debug"]


def test_a_body_leaves_with_the_error_and_not_with_the_trace(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()
    router = APIRouter()

    @router.post("/orders")
    async def order(item: dict[str, str]) -> None:
        raise RuntimeError(f"{len(item)} is too much")

    TestClient(make_app(router), raise_server_exceptions=False).post("/orders", json={"item": "lamp"})

    assert [event["request"]["data"] for event in sent.events] == [{"item": "lamp"}]
    assert ["data" in transaction["request"] for transaction in sent.transactions] == [False]


CALLER = ("198.51.100.7", 50000)
QUERY = "q=CanaryQuery"
HEADERS = {
    "X-Forwarded-For": "192.0.2.44",
    "X-Custom": "CanaryHeader",
    "Referer": "https://other.example/?r=CanaryReferer",
}
PARTS_OF_A_REQUEST: dict[str, Callable[[Request], object]] = {
    "request": lambda request: request,
    "headers": lambda request: request.headers,
    "dict of headers": lambda request: dict(request.headers),
    "headers in pairs": lambda request: request.headers.items(),
    "headers in a view": lambda request: dict(request.headers).items(),
    "values of headers": lambda request: dict(request.headers).values(),
    "headers in bytes": lambda request: request.headers.raw,
    "scope": lambda request: request.scope,
    "copied scope": lambda request: dict(request.scope),
    "address": lambda request: request.url,
    "text of the address": lambda request: str(request.url),
    "query": lambda request: request.query_params,
    "client": lambda request: request.client,
    "in an object": lambda request: {"deep": [request, request.headers]},
    "too deep": lambda request: {"a": {"b": {"c": {"d": {"e": [dict(request.headers), request.url]}}}}},
}


@pytest.mark.parametrize("name", PARTS_OF_A_REQUEST)
def test_local_variables_show_nothing_of_a_request(name: str, start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()
    router = APIRouter()

    @router.get("/broken")
    async def fail_with_request(request: Request) -> None:
        part = PARTS_OF_A_REQUEST[name](request)
        raise RuntimeError(f"{type(part).__name__} was no use")

    client = TestClient(make_app(router), raise_server_exceptions=False, client=CALLER)
    client.get(f"/broken?{QUERY}", headers=HEADERS)

    variables = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]["vars"]
    assert "[Filtered:" in json.dumps(variables["part"])
    for secret in (CALLER[0], QUERY, *HEADERS.values()):
        assert secret.encode() not in sent.raw


def test_other_local_variables_stay(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    def fail_with_variables() -> None:
        order = {"type": "lamp", "count": 3}
        pairs = [("a", 1), ("b", 2)]
        raise RuntimeError(f"{len(order)} {len(pairs)}")

    try:
        fail_with_variables()
    except RuntimeError as error:
        capture_exception(error)

    variables = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]["vars"]
    assert variables == {"order": {"type": "'lamp'", "count": "3"}, "pairs": [["'a'", "1"], ["'b'", "2"]]}


def test_access_logs_are_neither_breadcrumbs_nor_logs(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    logging.getLogger("uvicorn.access").warning('192.0.2.1:5 - "GET /x?y=z HTTP/1.1" 200')
    logging.getLogger("app").warning("kept")
    capture_message("look at the breadcrumbs")

    [event] = sent.events
    assert [crumb["category"] for crumb in event["breadcrumbs"]["values"]][-1:] == ["app"]
    assert [log["body"] for log in sent.logs][-1:] == ["kept"]


def test_a_breadcrumb_is_dropped_when_its_hook_fails(start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"before_breadcrumb": closing(fail)})

    add_breadcrumb("never examined")
    capture_message("look at the breadcrumbs")

    [event] = sent.events
    assert not event["breadcrumbs"]["values"]


def test_an_event_and_a_transaction_are_dropped_when_a_filter_fails(
    start_sentry: StartSentry, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = start_sentry()
    monkeypatch.setattr(hooks, "matching_filter", fail)

    client.get("/api/v1/sentry-test")

    assert sent.events == []
    assert sent.transactions == []
    assert ("callback_error", "error") in sent.lost


def test_what_the_limiter_dropped_is_logged(
    start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reports: list[Any] = [0, 7]
    monkeypatch.setattr("app.core.sentry.limiter.Limiter.take_report", lambda _: reports.pop(0))
    start_sentry()

    capture_message("before")
    capture_message("after a minute")

    assert caplog.messages.count("The limiter dropped 7 events") == 1
