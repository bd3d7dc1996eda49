"""Delivery: Sentry's troubles are never the application's, and what was captured arrives."""

import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from harness.processes import HOST, free_port, poll, serving, start, stop
from harness.project import Project
from harness.sink import Sink, receiving
from tests.conftest import Installed

STOP_SECONDS = 15.0
"""How long a server may take to stop: twice the two seconds that delivery is waited for, and a busy machine."""

ANSWER_SECONDS = 5.0
"""How long a request may take; an ingest that is slow takes six times as long."""

QUEUE = 100
"""Envelopes that the SDK keeps while it cannot deliver: its option ``transport_queue_size``."""

RELEASE = "delivery-test@1"
BAD_VALUES = {
    "SENTRY_DEBUG": "perhaps",
    "SENTRY_DIAGNOSTICS": "ajar",
    "SENTRY_DIAGNOSTICS_TOKEN": "short",
    "SENTRY_DSN": "https://sentry.example/no-key",
    "SENTRY_ENABLE_TRACING": "perhaps",
    "SENTRY_ENVIRONMENT": "moon",
    "SENTRY_ERROR_SAMPLE_RATE": "1.5",
    "SENTRY_LOCAL_VARIABLES": "perhaps",
    "SENTRY_LOGS": "perhaps",
    "SENTRY_MAX_BREADCRUMBS": "many",
    "SENTRY_ORG_ID": "acme",
    "SENTRY_PROFILES_SAMPLE_RATE": "-1",
    "SENTRY_RELEASE": "with spaces",
    "SENTRY_REPORT_VALIDATION_ERRORS": "perhaps",
    "SENTRY_REQUEST_BODIES": "perhaps",
    "SENTRY_SEND_DEFAULT_PII": "perhaps",
    "SENTRY_SENSITIVE_KEYS": "a;b",
    "SENTRY_TRACES_SAMPLE_RATE": "all",
    "SENTRY_TRACE_TARGETS": "not a host",
    "SENTRY_TUNNEL": "perhaps",
    "SENTRY_TUNNEL_ORIGINS": "not an origin",
    "VITE_SENTRY_DSN": "https://sentry.example/no-key",
}
"""A value for each backend variable of Sentry that its type refuses."""


@dataclass(frozen=True)
class Api:
    """A running backend."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=ANSWER_SECONDS)

    def fail(self) -> str:
        """Cause an error that nothing handles and return the id of its event."""
        answer = self.get("/api/v1/sentry-test/error")
        assert answer.status_code == 500
        event_id: str = answer.json()["event_id"]
        return event_id

    def end(self) -> None:
        """Stop as a supervisor does, and wait until the process has ended."""
        self.process.send_signal(signal.SIGTERM)
        poll(lambda: self.process.poll() is not None, awaiting="the end of the server", seconds=STOP_SECONDS)


@contextmanager
def api(
    project: Project, log: Path, environment: Mapping[str, str], command: Sequence[str] = ("uvicorn", "app.main:app")
) -> Iterator[Api]:
    """Run the backend of a project; ``{}`` in the command stands for its port."""
    port = free_port()
    backend = project.path / "backend"
    if command[0] == "uvicorn":
        command = [str(backend / ".venv/bin/uvicorn"), *command[1:], "--host", HOST, "--port", "{}"]
    command = [part.replace("{}", str(port)) for part in command]
    url = f"http://{HOST}:{port}"
    settings = {"SENTRY_RELEASE": RELEASE, **environment}
    with serving(command, f"{url}/health/live", cwd=backend, log=log, environment=settings) as process:
        yield Api(url, process, log)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """An ingest."""
    with receiving() as running:
        yield running


@contextmanager
def down() -> Iterator[str]:
    """Give a DSN at whose port nobody listens."""
    yield f"http://public@{HOST}:{free_port()}/1"


@contextmanager
def unknown_host() -> Iterator[str]:
    """Give a DSN whose host has no address: RFC 2606 reserves the ending."""
    yield "https://public@sentry.invalid/1"


@contextmanager
def black_hole() -> Iterator[str]:
    """Give a DSN whose port takes connections and never says anything."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"http://public@{HOST}:{listener.getsockname()[1]}/1"


@contextmanager
def slow() -> Iterator[str]:
    """Give a DSN whose ingest takes half a minute."""
    with receiving() as ingest:
        ingest.delay = 30
        yield ingest.dsn()


@contextmanager
def limiting() -> Iterator[str]:
    """Give a DSN whose ingest wants to hear nothing for a minute."""
    with receiving() as ingest:
        ingest.status, ingest.answer_headers = 429, {"X-Sentry-Rate-Limits": "60::organization", "Retry-After": "60"}
        yield ingest.dsn()


@pytest.mark.parametrize("trouble", [down, unknown_host, black_hole, slow, limiting])
def test_the_api_starts_answers_and_stops_whatever_the_ingest_does(
    trouble: Callable[[], AbstractContextManager[str]], default_project: Project, tmp_path: Path
) -> None:
    with trouble() as dsn, api(default_project, tmp_path / "log", {"SENTRY_DSN": dsn}) as running:
        for _ in range(5):
            running.fail()
            assert running.get("/api/v1/sentry-debug").json()["sentry_configured"]
        running.end()


def test_the_queue_is_bounded(default_project: Project, tmp_path: Path) -> None:
    with receiving() as ingest, api(default_project, tmp_path / "log", {"SENTRY_DSN": ingest.dsn()}) as running:
        ingest.answering.clear()
        with httpx.Client(base_url=running.url, timeout=ANSWER_SECONDS) as client:
            for _ in range(4 * QUEUE):
                assert client.get("/api/v1/sentry-debug").status_code == 200
        ingest.answering.set()
        ingest.wait_for("transaction", QUEUE // 2)
        running.end()
        assert len(ingest.payloads("transaction")) <= QUEUE + 1  # one was on its way


@pytest.mark.parametrize(
    "command",
    [
        ("uvicorn", "app.main:app"),
        ("uvicorn", "app.main:app", "--workers", "2", "--timeout-worker-healthcheck", "60"),
        ("gunicorn", "app.main:app", "--preload", "-k", "uvicorn_worker.UvicornWorker", "--workers", "2"),
        ("hypercorn", "app.main:app"),
    ],
    ids=lambda command: " ".join(command[:1] + command[2:]),
)
def test_sigterm_delivers_what_was_captured_right_before(
    command: tuple[str, ...], sink: Sink, default_project: Project, tmp_path: Path
) -> None:
    if command[0] != "uvicorn":
        packages = ["--with", "gunicorn", "--with", "uvicorn-worker", "--with", "hypercorn"]
        command = ("uv", "run", "--quiet", "--no-sync", *packages, *command, "--bind", f"{HOST}:{{}}")
    with api(default_project, tmp_path / "log", {"SENTRY_DSN": sink.dsn()}, command) as running:
        captured = {running.fail() for _ in range(4)}
        running.end()
    assert captured <= {event["event_id"] for event in sink.payloads("event")}


def test_without_a_dsn_nothing_runs_and_nothing_connects(sink: Sink, installed: Installed, tmp_path: Path) -> None:
    # An extension may run threads of its own.
    project = installed("minimal")
    with api(project, tmp_path / "log", {"SENTRY_DSN": ""}) as off:
        assert threads(off) == 1
        off.get("/api/v1/sentry-test/error")
        working = threads(off)  # FastAPI keeps some for what is not async
        assert connections(off) == []
        log = off.log.read_text("utf-8")
    assert log.count("Sentry is off") == log.count("SENTRY_DSN") == 1
    with api(project, tmp_path / "log", {"SENTRY_DSN": sink.dsn()}) as on:
        event_id = on.fail()
        poll(lambda: event_id in [event["event_id"] for event in sink.payloads("event")], awaiting="the event")
        assert threads(on) > working
        assert connections(on) != []


def threads(running: Api) -> int:
    """Return how many threads the process has."""
    return len(list(Path(f"/proc/{running.process.pid}/task").iterdir()))


def connections(running: Api) -> list[str]:
    """Return the far ends of the TCP connections of the process, without those to the port it serves."""
    own = set()
    for descriptor in Path(f"/proc/{running.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            found = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
            own.add(found[1] if found else "")
    served = f":{int(running.url.rpartition(':')[2]):04X}"
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return [far for _, near, far, *rest in rows if rest[6] in own and not near.endswith(served)]


def test_the_start_says_what_is_in_effect(sink: Sink, default_project: Project, tmp_path: Path) -> None:
    environment = {"SENTRY_DSN": sink.dsn(), "ENVIRONMENT": "production", "SENTRY_PROFILES_SAMPLE_RATE": "0.05"}
    with api(default_project, tmp_path / "log", environment) as running:
        (line,) = re.findall(r"Sentry initialized \| (.*)", running.log.read_text("utf-8"))
    facts = dict(fact.split("=", 1) for fact in line.split(", "))
    expected = {
        "environment": "production",
        "release": RELEASE,
        "error_sample_rate": "1.0",
        "traces_sample_rate": "0.1",
        "profiles_sample_rate": "0.05",
        "local_variables": "False",
        "request_bodies": "False",
        "logs": "True",
        "send_default_pii": "False",
    }
    assert expected.items() <= facts.items()
    assert "public" not in line


def test_every_variable_of_sentry_has_a_bad_value_here(default_project: Project) -> None:
    program = """
from app.core.config import SentrySettings, TunnelSettings
for kind in (SentrySettings, TunnelSettings):
    for field in kind.model_fields:
        print((kind.model_config["env_prefix"] + field).upper())
"""
    python = str(default_project.path / "backend/.venv/bin/python")
    environment = {"PYTHONPATH": str(default_project.path / "backend")}
    names = default_project.run(python, "-c", program, environment=environment).stdout.split()
    assert sorted(names) == sorted(BAD_VALUES)


def test_a_bad_value_stops_the_start_and_is_named(default_project: Project, tmp_path: Path) -> None:
    backend = default_project.path / "backend"
    command = [str(backend / ".venv/bin/uvicorn"), "app.main:app", "--port", str(free_port())]

    def code(name: str) -> int:
        process = start(command, cwd=backend, log=tmp_path / name, environment={name: BAD_VALUES[name]})
        try:
            return process.wait(60)
        finally:
            stop(process)

    # Two at a time: all at once take longer than any of them may, and from the other tests what these need.
    with ThreadPoolExecutor(2) as pool:
        codes = dict(zip(BAD_VALUES, pool.map(code, BAD_VALUES), strict=True))
    assert set(codes.values()) == {1}
    for name in BAD_VALUES:
        lines = (tmp_path / name).read_text("utf-8").splitlines()
        assert [line.partition(":")[0] for line in lines] == [name], lines
