"""A broker, and the processes that use it."""

import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from sentry_sdk.envelope import Envelope

from app.core.contracts import project
from app.extensions.jobs.settings import JobsSettings
from tests.extensions.redis_server import RedisServer
from tests.extensions.servers import running_program
from tests.support import RELEASE, Ingest, Payload, receiving

BACKEND = Path(__file__).resolve().parents[3]
VARIABLES = ("JOBS_BROKER_URL", "JOBS_MODULES", "JOBS_CONCURRENCY", "JOBS_STOP_SECONDS")
STREAM = f"{project().slug}:jobs"
"""The key in Redis under which jobs wait."""

PLANTED = "tests.extensions.jobs.planted_jobs"


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Return once it holds; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no .env file."""
    monkeypatch.setitem(JobsSettings.model_config, "env_file", None)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@dataclass
class Workers:
    """Starts workers and schedulers that report to a server of the test."""

    url: str
    ingest: Ingest
    folder: Path

    @contextmanager
    def running(self, command: str = "worker", modules: str = PLANTED, **variables: str) -> "Iterator[Popen[str]]":
        """Run one for the length of the block."""
        log = self.folder / f"{command}-{time.monotonic_ns()}.log"
        environment = {
            "JOBS_BROKER_URL": self.url,
            "JOBS_MODULES": modules,
            "SENTRY_DSN": self.ingest.dsn,
            "SENTRY_RELEASE": RELEASE,
            "SENTRY_PROFILES_SAMPLE_RATE": "0",
            "LOG_LEVEL": "INFO",
            **variables,
        }
        program = [sys.executable, "-W", "error", "-m", "app.extensions.jobs", command]
        shell = ["/bin/sh", "-c", 'exec "$@" > "$0" 2>&1', str(log), *program]
        previous = Path.cwd()
        os.chdir(BACKEND)
        try:
            started = running_program(
                shell,
                is_ready=lambda: log.exists() and " waits for " in log.read_text(),
                environment=environment,
            )
            with started as process:
                yield process
        finally:
            os.chdir(previous)
            self.log = log.read_text()

    @property
    def runs(self) -> list[str]:
        """What the planted jobs noted."""
        path = self.folder / "runs"
        return path.read_text().splitlines() if path.exists() else []

    def sent(self, kind: str) -> list[Payload]:
        """Return the items of a kind that arrived."""
        return [json.loads(item.get_bytes()) for item in self._items() if item.type == kind]

    @property
    def raw(self) -> bytes:
        """Everything that arrived, as text."""
        return b"\n".join(item.get_bytes() for item in self._items())

    def _items(self) -> list[Any]:
        bodies = [request.body for request in list(self.ingest.requests) if request.path.endswith("/envelope/")]
        return [
            item
            for body in bodies
            for item in Envelope.deserialize(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).items
        ]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """Return a Redis that runs, and that the application is told of."""
    server = RedisServer()
    monkeypatch.setenv("JOBS_BROKER_URL", server.url)
    monkeypatch.setenv("JOBS_MODULES", PLANTED)
    with server.running():
        yield server


@pytest.fixture
def workers(broker: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    """Return what starts workers at that broker."""
    with receiving() as ingest:
        yield Workers(broker.url, ingest, tmp_path)
