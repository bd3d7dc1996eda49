"""Requests, connections, errors and deliveries as Prometheus reads them."""

import contextlib
import sys
import time
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from app.core.sentry import capture_exception
from app.core.sentry.delivery import delivery
from app.extensions.prometheus.metrics import Metrics
from tests.extensions.prometheus.samples import Samples
from tests.support import MakeApp, StartSentry

TOKEN = "a-token-for-the-tests"
CANARY = "canary4f7b1c9d"


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/orders/{number}")
    async def order(number: str) -> str:
        return number

    @router.get("/broken")
    async def broken() -> None:
        raise ValueError(CANARY)

    @router.get("/events")
    async def events() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "data: 1\n\n"

        return StreamingResponse(pieces(), media_type="text/event-stream; charset=utf-8")

    @router.get("/cut")
    async def cut() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "one"
            raise OSError(CANARY)

        return StreamingResponse(pieces())

    @router.websocket("/socket/{name}")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        if await websocket.receive_text() == "break":
            raise LookupError(CANARY)

    return router


def caller_of(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def read(caller: TestClient) -> Samples:
    answer = caller.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Samples.parse(answer.text)


def test_requests_count_by_method_template_and_status(make_app: MakeApp) -> None:
    with caller_of(make_app(routes())) as caller:
        caller.get("/orders/1")
        caller.get("/orders/2")
        caller.post("/orders/3")
        caller.get("/broken")
        caller.get("/api/v1/sentry-debug")
        found = read(caller)
    count = "http_requests_total"
    assert found.of(count, method="GET", route="/orders/{number}", status="200") == 2
    assert found.of(count, method="POST", route="/orders/{number}", status="405") == 1
    assert found.of(count, method="GET", route="/broken", status="500") == 1
    assert found.of(count, method="GET", route="/api/v1/sentry-debug", status="200") == 1
    durations = "http_request_duration_seconds"
    assert found.of(f"{durations}_count", method="GET", route="/orders/{number}") == 2
    assert 0 < found.of(f"{durations}_sum", method="GET", route="/orders/{number}") < 10
    assert found.of(f"{durations}_bucket", method="GET", route="/orders/{number}", le="+Inf") == 2
    # The request that reads is being answered.
    assert found.of("http_requests_in_flight") == 1
    assert found.all("app_info") == {(("environment", "development"), ("release", "my-app@0.1.0+4f2c9ab01d3e")): 1}


@pytest.mark.parametrize("sentry", ["on", "off"])
def test_nothing_that_a_caller_sends_becomes_a_label(make_app: MakeApp, start_sentry: StartSentry, sentry: str) -> None:
    if sentry == "on":
        start_sentry()
    with caller_of(make_app(routes())) as caller:
        for number in range(20):
            caller.get(f"/{CANARY}/{number}", headers={"X-Thing": CANARY, "Cookie": f"a={CANARY}"})
            caller.get(f"/orders/{CANARY}{number}?{CANARY}={CANARY}")
            caller.request(f"{CANARY}{number}", "/orders/1")
        caller.get("/broken")
        with caller.websocket_connect(f"/socket/{CANARY}") as socket:
            socket.send_text(CANARY)
        text = caller.get("/metrics").text
    assert CANARY.lower() not in text.lower()
    found = Samples.parse(text)
    assert found.all("http_requests_total") == {
        (("method", "GET"), ("route", "unmatched"), ("status", "404")): 20,
        (("method", "GET"), ("route", "/orders/{number}"), ("status", "200")): 20,
        (("method", "other"), ("route", "/orders/{number}"), ("status", "405")): 20,
        (("method", "GET"), ("route", "/broken"), ("status", "500")): 1,
    }


def test_streams_and_connections_are_told_apart_from_requests(make_app: MakeApp) -> None:
    with caller_of(make_app(routes())) as caller:
        assert caller.get("/events").text == "data: 1\n\n"
        caller.get("/cut")
        with caller.websocket_connect("/socket/a") as socket:
            assert read(caller).of("websocket_connections_open") == 1
            socket.send_text("end")
        with contextlib.suppress(LookupError), caller.websocket_connect("/socket/b") as socket:
            socket.send_text("break")
            socket.receive_text()
        found = read(caller)
    assert found.of("http_requests_total", method="GET", route="/events", status="200") == 1
    assert found.of("http_requests_total", method="GET", route="/cut", status="200") == 1
    assert found.of("http_request_duration_seconds_count", method="GET", route="/events") == 1
    assert found.of("websocket_connections_total", route="/socket/{name}") == 2
    assert found.of("websocket_connections_open") == 0
    assert found.of("app_errors_total", type="OSError", handled="false") == 1
    assert found.of("app_errors_total", type="LookupError", handled="false") == 1
    assert not any(("route", "/socket/{name}") in labels for labels in found.all("http_requests_total"))


@pytest.mark.parametrize("sentry", ["on", "off"])
def test_errors_count_once_by_type_and_handling(make_app: MakeApp, start_sentry: StartSentry, sentry: str) -> None:
    if sentry == "on":
        start_sentry()
    with caller_of(make_app(routes())) as caller:
        caller.get("/broken")
        caller.get("/broken")
        capture_exception(KeyError("k"))
        capture_exception(type(CANARY + " with spaces", (Exception,), {})())
        found = read(caller)
    assert found.all("app_errors_total") == {
        (("handled", "false"), ("type", "ValueError")): 2,
        (("handled", "true"), ("type", "KeyError")): 1,
        (("handled", "true"), ("type", "other")): 1,
    }


def test_a_failure_to_count_is_told_once_and_ends_nothing(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[object] = []
    sync = Metrics.sync

    def fail_at_first(metrics: Metrics) -> None:
        tries.append(metrics)
        if len(tries) <= 3:
            raise OSError(CANARY)
        sync(metrics)

    monkeypatch.setattr(Metrics, "sync", fail_at_first)
    # By this name the registry of extensions has something else.
    package = sys.modules["app.extensions.prometheus"]
    monkeypatch.setattr(package, "SYNC_SECONDS", 0.01)
    app = make_app()
    with caller_of(app) as caller:
        deadline = time.monotonic() + 60
        while len(tries) <= 4:
            assert time.monotonic() < deadline
            caller.get("/health/live")
        assert read(caller).of("sentry_sent_total") == 0
    told = [record.message for record in caplog.records if record.name == package.__name__]
    assert [text for text in told if "cannot" in text] == [
        "Errors and deliveries cannot be counted at the moment: OSError"
    ]
    assert CANARY not in caplog.text


def test_what_is_not_sent_counts_by_who_dropped_it(make_app: MakeApp) -> None:
    with caller_of(make_app()) as caller:
        delivery.count_sent(3)
        delivery.count_dropped("filter", "client-error", 2)
        delivery.count_dropped("transport", "network_error")
        first = read(caller)
        delivery.count_sent()
        delivery.count_dropped("transport", "network_error", 4)
        second = read(caller)
    assert first.of("sentry_sent_total") == 3
    assert second.of("sentry_sent_total") == 4
    assert first.of("sentry_last_delivery_timestamp_seconds") > 1_700_000_000
    assert second.all("sentry_dropped_total") == {
        (("by", "filter"), ("reason", "client-error")): 2,
        (("by", "transport"), ("reason", "network_error")): 5,
    }


@pytest.mark.parametrize(
    ("variables", "header", "status"),
    [
        ({}, None, 200),
        ({"PROMETHEUS_TOKEN": TOKEN}, None, 401),
        ({"PROMETHEUS_TOKEN": TOKEN}, f"Bearer {TOKEN}", 200),
        ({"PROMETHEUS_TOKEN": TOKEN}, f"bearer {TOKEN}", 200),
        ({"PROMETHEUS_TOKEN": TOKEN}, f"Bearer {TOKEN}x", 401),
        ({"PROMETHEUS_TOKEN": TOKEN}, f"Basic {TOKEN}", 401),
        ({"PROMETHEUS_TOKEN": TOKEN, "PROMETHEUS_ACCESS": "open"}, None, 200),
        ({"PROMETHEUS_ACCESS": "closed"}, "Bearer ", 401),
        ({"ENVIRONMENT": "staging"}, None, 401),
        ({"ENVIRONMENT": "production"}, None, 401),
        ({"ENVIRONMENT": "production"}, "Bearer ", 401),
        ({"ENVIRONMENT": "production", "PROMETHEUS_ACCESS": "open"}, None, 200),
        ({"SENTRY_ENVIRONMENT": "production"}, None, 401),
        ({"ENVIRONMENT": "production", "PROMETHEUS_TOKEN": TOKEN}, f"Bearer {TOKEN}", 200),
        ({"ENVIRONMENT": "production", "PROMETHEUS_TOKEN": TOKEN}, "Bearer \xe9", 401),
    ],
)
def test_who_may_read(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], header: str | None, status: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caller_of(make_app()) as caller:
        headers = [(b"Authorization", header.encode("latin-1"))] if header else []
        assert caller.get("/metrics", headers=headers).status_code == status


def test_the_metrics_are_no_part_of_the_contract(make_app: MakeApp) -> None:
    assert "/metrics" not in make_app().openapi()["paths"]
