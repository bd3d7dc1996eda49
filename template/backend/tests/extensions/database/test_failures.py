"""A database that is away, busy, slow or used wrongly: what callers get, and that nothing is left behind."""

import asyncio
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.pool import QueuePool

from app.core.sentry.delivery import delivery
from app.extensions.database import database
from app.extensions.database.connections import READINESS_SECONDS
from app.extensions.database.errors import is_unavailable
from tests.extensions.database import routes
from tests.extensions.database.conftest import READY, Connect, StartSending, alembic, ready
from tests.extensions.database.postgresql import PostgreSql, cluster
from tests.extensions.servers import free_port
from tests.support import MakeApp

ITEMS = "/api/v1/items"
IMPATIENT = {"DATABASE_STATEMENT_TIMEOUT": "0.3", "DATABASE_SLOW_STATEMENT": "0.2"}


def expect_unavailable(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "5"
    assert response.json()["detail"] == "The database does not answer. Try again in a moment."
    assert response.json()["event_id"] is None


def in_use() -> int:
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that nobody tells, for five seconds at most."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 the pool has no event for it
            await asyncio.sleep(0.01)


def test_the_application_starts_while_the_server_is_down(
    connect: Connect, start_sending: StartSending, caplog: pytest.LogCaptureFixture
) -> None:
    sent = start_sending()
    client = connect(f"postgres://app:hunter2@127.0.0.1:{free_port()}/app")

    assert client.get("/health/live").status_code == 200
    assert ready(client) == (503, "failed")
    for _ in range(3):
        expect_unavailable(client, ITEMS)

    assert sent.events == []
    assert delivery.report().dropped == {"filter: expected-failure": 3}
    assert "The database is unavailable: ConnectionRefusedError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_host_that_nobody_knows_is_no_crash(connect: Connect) -> None:
    expect_unavailable(connect("postgres://app@database.invalid/app"), ITEMS)


def test_a_server_that_never_answers_is_given_up(connect: Connect) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        client = connect(f"postgres://app@127.0.0.1:{port}/app", DATABASE_CONNECT_TIMEOUT="0.3")
        began = time.monotonic()
        expect_unavailable(client, ITEMS)
        assert time.monotonic() - began < 4.5
        patient = connect(f"postgres://app@127.0.0.1:{port}/app", DATABASE_CONNECT_TIMEOUT="300")
        began = time.monotonic()
        assert patient.get(READY).status_code == 503
        assert READINESS_SECONDS <= time.monotonic() - began < 60


def test_a_server_that_dies_and_comes_back_is_used_again(connect: Connect, start_sending: StartSending) -> None:
    sent = start_sending()
    with cluster() as server:
        with server.running():
            assert alembic(server.url(), "upgrade", "head").returncode == 0
            client = connect(server.url())
            assert client.post(ITEMS, json={"name": "kept"}).status_code == 201
            assert client.get(READY).status_code == 200

        expect_unavailable(client, ITEMS)
        assert client.get(READY).status_code == 503

        with server.running():
            assert client.get(ITEMS).json()["total"] == 1
            assert client.get(READY).status_code == 200
    assert sent.events == []


def test_a_connection_that_is_cut_in_the_middle_is_no_event(
    connect: Connect, postgresql: PostgreSql, postgresql_url: str, start_sending: StartSending
) -> None:
    sent = start_sending()
    client = connect(postgresql_url, routes.router)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(client.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as caller:
            asking = asyncio.create_task(caller.get("/try/slow"))
            async with asyncio.timeout(60):
                while not await asyncio.to_thread(postgresql.execute, cut):  # noqa: ASYNC110 the server tells nobody
                    await asyncio.sleep(0.02)
            return await asking

    assert client.portal is not None
    response = client.portal.call(ask)

    assert response.status_code == 503
    assert sent.events == []
    assert client.get(ITEMS).status_code == 200
    assert in_use() == 0


def test_a_statement_that_takes_too_long_is_given_up(
    connect: Connect, url: str, start_sending: StartSending, caplog: pytest.LogCaptureFixture
) -> None:
    sent = start_sending()
    client = connect(url, routes.router, **IMPATIENT)

    began = time.monotonic()
    expect_unavailable(client, "/try/slow")

    assert time.monotonic() - began < 9
    assert "The database is unavailable: " in caplog.text
    assert sent.events == []
    assert client.get("/try/quick").status_code == 200
    assert in_use() == 0


def test_an_exhausted_pool_is_503_and_the_process_stays_ready(connect: Connect, url: str) -> None:
    client = connect(
        url, routes.router, DATABASE_POOL_SIZE="1", DATABASE_POOL_OVERFLOW="1", DATABASE_POOL_TIMEOUT="0.3"
    )

    async def ask() -> list[int]:
        transport = httpx2.ASGITransport(client.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as caller:
            holding = [asyncio.create_task(caller.get("/try/waiting")) for _ in range(2)]
            await until(lambda: in_use() == 2)
            answers = [(await caller.get(path)).status_code for path in ("/try/quick", READY)]
            for task in holding:
                task.cancel()
            await asyncio.gather(*holding, return_exceptions=True)
            await until(lambda: in_use() == 0)
            return [*answers, (await caller.get("/try/quick")).status_code]

    assert client.portal is not None
    assert client.portal.call(ask) == [503, 200, 200]


def test_a_cancelled_request_returns_its_connection(connect: Connect, url: str, start_sending: StartSending) -> None:
    sent = start_sending()
    client = connect(url, routes.router, DATABASE_POOL_SIZE="1", DATABASE_POOL_OVERFLOW="0")

    async def cancel() -> None:
        transport = httpx2.ASGITransport(client.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as caller:
            # Also while the connection is being made, and while the server works.
            for delay in (0, 0, 0.001, 0.01, 0.1):
                task = asyncio.create_task(caller.get("/try/waiting"))
                await until(lambda: in_use() == 1)
                await asyncio.sleep(delay)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await until(lambda: in_use() == 0)

    assert client.portal is not None
    client.portal.call(cancel)

    assert client.get("/try/quick").status_code == 200
    assert sent.events == []


def test_a_commit_that_fails_is_no_success(connect: Connect, url: str) -> None:
    client = connect(url, routes.router)

    response = client.get("/try/swallowed-by-commit")

    assert response.status_code == 500
    assert client.get(ITEMS).json()["total"] == 0


def test_an_error_takes_back_what_was_written(connect: Connect, url: str) -> None:
    client = connect(url, routes.router)

    assert client.get("/try/duplicate").status_code == 500
    assert client.get(ITEMS).json()["total"] == 0
    assert in_use() == 0


def test_a_locked_file_is_busy_and_no_bug(
    connect: Connect, sqlite_url: str, tmp_path: Path, start_sending: StartSending
) -> None:
    sent = start_sending()
    client = connect(sqlite_url, DATABASE_CONNECT_TIMEOUT="0.2")
    other = sqlite3.connect(tmp_path / "test.sqlite3")
    other.execute("BEGIN IMMEDIATE")

    assert client.post(ITEMS, json={"name": "x"}).status_code == 503
    assert client.get(ITEMS).status_code == 200

    other.rollback()
    other.close()
    assert client.post(ITEMS, json={"name": "x"}).status_code == 201
    assert sent.events == []


def test_a_full_disk_is_an_event(connect: Connect, sqlite_url: str, start_sending: StartSending) -> None:
    sent = start_sending()
    client = connect(sqlite_url, routes.router)

    assert client.get("/try/full").status_code == 500

    (event,) = sent.events
    assert "disk is full" in event["exception"]["values"][-1]["value"]
    assert routes.SECRET not in str(event["exception"]["values"][-1]["value"])


def test_postgresql_with_a_full_disk_is_no_outage_either() -> None:
    assert not is_unavailable(asyncpg.DiskFullError("could not extend file"))
    assert is_unavailable(asyncpg.TooManyConnectionsError("sorry, too many clients already"))


def test_without_the_application_there_is_no_session() -> None:
    with pytest.raises(RuntimeError, match="The database is not open"):
        _ = database.engine


def test_everything_is_closed_at_the_end(make_app: MakeApp, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with TestClient(make_app()) as client:
        client.get(ITEMS)
        pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == 0


def test_a_server_that_falls_silent_is_given_up(
    connect: Connect, postgresql: PostgreSql, postgresql_url: str, start_sending: StartSending
) -> None:
    """As behind a network that is cut: nothing arrives any more, not even an error."""
    sent = start_sending()
    client = connect(postgresql_url, routes.router, **IMPATIENT, DATABASE_POOL_SIZE="1", DATABASE_POOL_OVERFLOW="0")
    assert client.get("/try/quick").status_code == 200
    name = postgresql_url.rpartition("/")[2]
    (row,) = postgresql.execute(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 a name of ours
    os.kill(row["pid"], signal.SIGSTOP)
    try:
        began = time.monotonic()
        expect_unavailable(client, "/try/quick")
        assert time.monotonic() - began < 30
    finally:
        os.kill(row["pid"], signal.SIGCONT)
    assert client.get("/try/quick").status_code == 200
    assert sent.events == []
