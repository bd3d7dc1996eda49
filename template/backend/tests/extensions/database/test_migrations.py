"""Migrations: up, down, complete, and noticed when they have not run."""

import logging
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, event

from app.extensions.database import revisions
from tests.extensions.database.conftest import READY, Connect, alembic, ready
from tests.extensions.database.postgresql import PostgreSql


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest) -> str:
    fixture = {"sqlite": "sqlite_url", "postgresql": "empty_postgresql"}[request.param]
    address: str = request.getfixturevalue(fixture)
    return address


def test_they_go_up_and_down_and_lack_nothing(empty: str) -> None:
    for arguments in (["upgrade", "head"], ["check"], ["downgrade", "base"], ["upgrade", "head"], ["check"]):
        result = alembic(empty, *arguments)
        assert result.returncode == 0, result.stderr
    assert "No new upgrade operations detected" in result.stdout


def test_a_process_that_begins_while_another_migrates_finds_it_done(tmp_path: Path) -> None:
    engines = [create_engine(f"sqlite:///{tmp_path}/{name}.sqlite3?timeout=60") for name in ("finished", "shared")]
    with engines[0].begin() as connection:
        revisions.upgrade(connection)
    with closing(sqlite3.connect(tmp_path / "finished.sqlite3")) as finished:
        made = [line for line in finished.iterdump() if not line.startswith(("BEGIN", "COMMIT"))]
    is_about_to_write = threading.Event()

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(("BEGIN", "CREATE")):
            is_about_to_write.set()

    event.listen(engines[1], "before_cursor_execute", look)

    def upgrade() -> None:
        with engines[1].begin() as connection:
            revisions.upgrade(connection)

    with closing(sqlite3.connect(tmp_path / "shared.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            upgrading = pool.submit(upgrade)
            try:
                assert is_about_to_write.wait(60)
                for line in made:
                    other.execute(line)
            finally:
                other.execute("COMMIT")
            upgrading.result()
    for engine in engines:
        engine.dispose()


def test_a_bad_address_is_one_line() -> None:
    result = alembic("mysql://app:hunter2@db/app", "upgrade", "head")

    assert result.returncode == 1
    assert result.stderr.startswith("DATABASE_URL: the value is not an address like ")
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize("environment", ["development", "production"])
def test_in_development_an_sqlite_file_gets_its_tables_at_the_start(
    connect: Connect, sqlite_url: str, environment: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(sqlite_url, ENVIRONMENT=environment)

    if environment == "development":
        assert ready(client) == (200, "ok")
        return
    assert ready(client) == (503, "failed")
    assert "The database is at migration none and this code needs 0001: run alembic" in caplog.text


def test_postgresql_is_never_migrated_by_the_application(
    connect: Connect, empty_postgresql: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(empty_postgresql)
    assert client.get(READY).status_code == 503
    assert "this code needs 0001" in caplog.text

    alembic(empty_postgresql, "upgrade", "head")

    assert ready(client) == (200, "ok")


def test_a_database_that_is_newer_than_the_code_serves_it_still(
    connect: Connect, postgresql: PostgreSql, postgresql_url: str
) -> None:
    """While a release is rolled out, its migrations have run and processes of the release before still answer."""
    postgresql.execute("UPDATE alembic_version SET version_num = '9999'", postgresql_url.rpartition("/")[2])

    assert connect(postgresql_url).get(READY).status_code == 200


def test_a_file_keeps_its_rows_over_a_restart(connect: Connect, sqlite_url: str) -> None:
    assert connect(sqlite_url).post("/api/v1/items", json={"name": "kept"}).status_code == 201

    assert connect(sqlite_url).get("/api/v1/items").json()["total"] == 1


def test_without_an_address_the_file_lies_in_the_data_folder(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path / "new" / "folder"))
    monkeypatch.chdir("/")

    assert connect("").get(READY).status_code == 200
    with sqlite3.connect(tmp_path / "new/folder/app.sqlite3") as file:
        assert file.execute("select count(*) from items").fetchall() == [(0,)]
    file.close()
    with caplog.at_level(logging.WARNING):
        connect("", ENVIRONMENT="production")
    assert "DATABASE_URL is not set: this is production" in caplog.text


def test_a_folder_that_cannot_be_written_makes_it_not_ready(
    connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client: TestClient = connect(f"sqlite:///{tmp_path}/missing/file.sqlite3")

    assert "The tables could not be made: OperationalError" in caplog.text
    assert client.get(READY).status_code == 503
    assert client.get("/api/v1/items").status_code == 503
