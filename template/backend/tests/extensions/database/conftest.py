"""Fixtures: both databases, with and without their tables, and applications that use them."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app.extensions.database import extension
from app.extensions.database.revisions import CONFIGURATION
from tests.extensions.database.postgresql import PostgreSql, cluster
from tests.support import MakeApp, Sent, StartSentry

_NUMBERS = itertools.count(1)
_MIGRATED = "migrated"

Connect = Callable[..., TestClient]
StartSending = Callable[..., Sent]

READY = "/health/ready"


def ready(client: TestClient) -> tuple[int, str]:
    """Ask whether the application is ready, and what the check of the database says."""
    response = client.get(READY)
    return response.status_code, response.json()["checks"]["database"]


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Alembic as a person does, from ``backend/``."""
    command = [sys.executable, "-m", "alembic", "-c", str(CONFIGURATION), *arguments]
    backend = Path(__file__).parents[3]
    environment = {"DATABASE_URL": url, "PATH": "", "SENTRY_DSN": "", "VITE_SENTRY_DSN": ""}
    return subprocess.run(command, cwd=backend, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """Return a server that runs as long as the tests do."""
    with cluster() as server, server.running():
        server.execute(f"CREATE DATABASE {_MIGRATED}")
        made = alembic(server.url(_MIGRATED), "upgrade", "head")
        assert made.returncode == 0, made.stderr
        yield server


@pytest.fixture
def empty_postgresql(postgresql: PostgreSql) -> str:
    """Return the address of a database without tables."""
    name = f"test_{next(_NUMBERS)}"
    postgresql.execute(f"CREATE DATABASE {name}")
    return postgresql.url(name)


@pytest.fixture
def postgresql_url(postgresql: PostgreSql) -> str:
    """Return the address of a database with all tables, and nothing in them."""
    name = f"test_{next(_NUMBERS)}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE {_MIGRATED}")
    return postgresql.url(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the address of a file that is not there yet; in development the application makes it."""
    return f"sqlite:///{tmp_path / 'test.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the address of a database of each kind, ready to use."""
    address: str = request.getfixturevalue(f"{request.param}_url")
    return address


@pytest.fixture
def connect(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that starts the application on a database and returns a caller."""
    with ExitStack() as stack:

        def start(url: str, router: APIRouter | None = None, **variables: str) -> TestClient:
            monkeypatch.setenv("DATABASE_URL", url)
            app = make_app(router, **variables)
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield start


@pytest.fixture
def start_sending(start_sentry: StartSentry) -> StartSending:
    """Return a function that starts Sentry as the application does with this extension."""

    def start(**variables: str) -> Sent:
        options: dict[str, Any] = {
            "integrations": extension.sentry_integrations,
            "expected": [extension.is_expected],
        }
        settings = {"SENTRY_TRACES_SAMPLE_RATE": "1", "SENTRY_LOGS": "true", "SENTRY_LOCAL_VARIABLES": "true"}
        return start_sentry(options=options, **{**settings, **variables})

    return start
