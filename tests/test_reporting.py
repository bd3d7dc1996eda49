"""Each way to fail is one event, under the servers that people run."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.processes import HOST, free_port, poll, serving
from harness.project import Project
from harness.sink import Sink, receiving

HERE = Path(__file__).parent
SERVERS = ("uvicorn", "hypercorn")
HANDSHAKE = (
    b"GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
UVICORN = ("--timeout-graceful-shutdown", "1")
CREDENTIAL = "hunter2-correct-horse"

ONE_EVENT = {
    "/async": "RuntimeError",
    "/sync": "RuntimeError",
    "/logged-async": "RuntimeError",
    "/logged-sync": "RuntimeError",
    "/captured-sync": "RuntimeError",
    "/background": "RuntimeError",
    "/background-sync": "RuntimeError",
    "/group": "ExceptionGroup",
    "/handler": "ShopError",
    "/unavailable": "UnavailableError",
    "/http-error": "HTTPException",
    "/middleware": "RuntimeError",
    "/base-middleware": "RuntimeError",
    "/behind-base-middleware": "RuntimeError",
}
NO_EVENT = ["/mistake", "/expected", "/number/seven", "/no/such/path", "/health/ready"]


@dataclass(frozen=True)
class Backend:
    """A running application, where its envelopes arrive, and another host that it may tell its traces to."""

    url: str
    sink: Sink
    neighbour: Sink

    def events(self, path: str, count: int) -> list[Any]:
        """Request a path, wait for as many events about it, and return all that came until another one was sent."""
        before = len(self.sink.payloads("event"))
        get(self.url + path)
        self.sink.wait_for("event", before + count)
        return self.events_until_done()[before:]

    def events_until_done(self) -> list[Any]:
        """Let the application send a check-in, and return the events that arrived before: the queue keeps the order."""
        done = get(f"{self.url}/done").json()

        def arrived() -> bool:
            return done in {check_in["check_in_id"] for check_in in self.sink.payloads("check_in")}

        poll(arrived, awaiting="the check-in")
        return self.sink.payloads("event")


def get(url: str) -> httpx.Response:
    """Request an address with headers that must not show up anywhere."""
    return httpx.get(url, timeout=30, headers={"User-Agent": "curl/8.9", "Authorization": f"Bearer {CREDENTIAL}"})


def start(server: str, application: str, port: int) -> list[str]:
    """Return the command line of a server."""
    run = ["uv", "run", "--quiet", "--with", "hypercorn,wsproto"]
    if server == "uvicorn":
        return [*run, "uvicorn", "--factory", application, "--host", HOST, "--port", str(port), *UVICORN]
    return [*run, "hypercorn", f"{application}()", "--bind", f"{HOST}:{port}", "--graceful-timeout", "1"]


@pytest.fixture(scope="module", params=SERVERS)
def backend(
    request: pytest.FixtureRequest, default_project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    port = free_port()
    with (
        receiving() as sink,
        receiving() as neighbour,
        serving(
            start(request.param, "failing_app:create", port),
            f"http://{HOST}:{port}/health",
            cwd=default_project.path / "backend",
            log=tmp_path_factory.mktemp("reporting") / f"{request.param}.log",
            environment={
                "PYTHONPATH": f"{HERE}{os.pathsep}.",
                "SENTRY_DSN": sink.dsn(),
                "SENTRY_TRACE_TARGETS": f"{HOST}:{neighbour.port}",
            },
        ),
    ):
        yield Backend(f"http://{HOST}:{port}", sink, neighbour)


@pytest.mark.parametrize(("path", "kind"), ONE_EVENT.items())
def test_a_failure_is_one_event(path: str, kind: str, backend: Backend) -> None:
    [event] = backend.events(path, 1)
    assert kind in {value["type"] for value in event["exception"]["values"]}
    assert (event["tags"]["http.method"], event["tags"]["user_agent.family"]) == ("GET", "curl")


def test_an_answer_of_5xx_without_an_error_is_one_event(backend: Backend) -> None:
    [event] = backend.events("/silent", 1)
    assert event["message"] == "GET /silent answered 503 without an error"


def test_an_exception_that_is_kept_is_one_event_each_time_it_is_raised(backend: Backend) -> None:
    assert len(backend.events("/shared", 1)) == 1
    assert len(backend.events("/shared", 1)) == 1


@pytest.mark.parametrize("path", NO_EVENT)
def test_what_is_no_failure_of_ours_is_no_event(path: str, backend: Backend) -> None:
    assert backend.events(path, 0) == []


def test_a_caller_who_leaves_is_no_event(backend: Backend) -> None:
    before = len(backend.sink.payloads("event"))
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{backend.url}/slow", timeout=0.5)
    assert len(backend.events_until_done()) == before


def test_a_socket_that_fails_is_one_event(backend: Backend) -> None:
    before = len(backend.sink.payloads("event"))
    with socket.create_connection((HOST, httpx.URL(backend.url).port or 0)) as connection:
        connection.sendall(HANDSHAKE)
        backend.sink.wait_for("event", before + 1)
    [event] = backend.events_until_done()[before:]
    assert event["exception"]["values"][-1]["value"] == "broken"


def test_unknown_paths_make_no_names_of_traces(backend: Backend) -> None:
    for number in range(5):
        get(f"{backend.url}/scan/{number}.php")
    backend.events_until_done()
    names = {transaction["transaction"] for transaction in backend.sink.payloads("transaction")}
    assert not any("php" in name for name in names), names


def test_only_named_hosts_learn_the_trace(backend: Backend) -> None:
    with receiving() as stranger:
        for port in (stranger.port, backend.neighbour.port):
            get(f"{backend.url}/call?url=http://{HOST}:{port}/orders?token={CREDENTIAL}")
        [foreign] = stranger.deliveries
        [own] = backend.neighbour.deliveries
    assert not {"sentry-trace", "baggage"} & foreign.headers.keys()
    assert {"sentry-trace", "baggage"} <= own.headers.keys()
    backend.events_until_done()
    spans = [span for item in backend.sink.payloads("transaction") for span in item["spans"]]
    assert f"POST http://{own.headers['host']}/orders" in {span["description"] for span in spans}


def test_credentials_and_queries_stay_here(backend: Backend) -> None:
    backend.events("/async", 1)
    assert CREDENTIAL.encode() not in backend.sink.raw


@pytest.mark.parametrize("server", SERVERS)
def test_an_application_that_does_not_start_is_one_event(server: str, default_project: Project) -> None:
    with receiving() as sink:
        environment = {"PYTHONPATH": f"{HERE}{os.pathsep}.", "SENTRY_DSN": sink.dsn()}
        command = start(server, "failing_app:create_broken", free_port())
        default_project.run("env", "-C", "backend", *command, environment=environment, check=False)
        [event] = sink.wait_for("event")
        assert "broken" in {value["value"] for value in event["exception"]["values"]}
