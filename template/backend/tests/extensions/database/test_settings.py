"""The variables: what they may hold, and what a person reads otherwise."""

from collections.abc import Iterable

import pytest

from app.core.config import ConfigurationError, load_settings
from app.core.contracts import ROOT
from app.extensions.database.addresses import parse_address
from app.extensions.database.connections import address_of
from app.extensions.database.settings import DatabaseSettings


def complaints(monkeypatch: pytest.MonkeyPatch, variables: Iterable[tuple[str, str]]) -> list[str]:
    for name, value in variables:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings([DatabaseSettings])
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("postgres://app@db/app", "postgresql+asyncpg://app@db/app"),
        ("postgresql://app@db:6432/app", "postgresql+asyncpg://app@db:6432/app"),
        ("postgresql+asyncpg://db/app", "postgresql+asyncpg://db/app"),
        ("postgres://app@db/app?sslmode=require", "postgresql+asyncpg://app@db/app?ssl=require"),
        ("  postgres://app@db/app ", "postgresql+asyncpg://app@db/app"),
        ("sqlite:////var/data/file.db", "sqlite+aiosqlite:////var/data/file.db"),
        ("sqlite:///backend/file.db", f"sqlite+aiosqlite:///{ROOT}/backend/file.db"),
        ("sqlite+aiosqlite:////file.db", "sqlite+aiosqlite:////file.db"),
    ],
)
def test_an_address_as_people_write_it_gets_our_driver(written: str, taken: str) -> None:
    assert parse_address(written.strip()).render_as_string(hide_password=False) == taken


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("hunter2", "not an address like postgresql://user:password@host:5432/name or sqlite:///path/to/file"),
        ("mysql://app:hunter2@db/app", "other databases and drivers are not known"),
        ("postgresql+psycopg://app:hunter2@db/app", "other databases and drivers are not known"),
        ("postgres://app:hunter2@db:port/app", "not an address"),
        ("postgres://app:hunter2@/app", "host or name of the database are missing"),
        ("postgres://app:hunter2@db", "host or name of the database are missing"),
        ("postgres://db/app?hunter2=hunter2", "it may have sslmode and application_name"),
        ("postgres://app:hunter2@db/app?sslmode=hunter2", "sslmode is not one of disable, allow"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("sqlite://hunter2/file", "three slashes"),
        ("sqlite:///file?mode=hunter2", "a path and nothing else"),
    ],
)
def test_a_bad_address_is_one_line_without_its_password(
    address: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = complaints(monkeypatch, [("DATABASE_URL", address)])

    assert line.startswith("DATABASE_URL: ")
    assert complaint in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POOL_SIZE", "0"),
        ("POOL_SIZE", "five"),
        ("POOL_SIZE", "2.5"),
        ("POOL_SIZE", "1_0"),
        ("POOL_OVERFLOW", "-1"),
        ("POOL_TIMEOUT", "0"),
        ("CONNECT_TIMEOUT", "nan"),
        ("STATEMENT_TIMEOUT", "inf"),
        ("SLOW_STATEMENT", "soon"),
        ("REPEATED_STATEMENTS", "1"),
        ("RECYCLE", "0"),
    ],
)
def test_a_bad_number_is_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = complaints(monkeypatch, [(f"DATABASE_{name}", value)])

    assert line.startswith(f"DATABASE_{name}: the value is not a ")


def test_each_bad_variable_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = complaints(monkeypatch, [("DATABASE_URL", "x"), ("DATABASE_POOL_SIZE", "y")])

    assert [line.partition(":")[0] for line in lines] == ["DATABASE_URL", "DATABASE_POOL_SIZE"]


def test_the_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app:hunter2@db/app")
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")

    assert "hunter2" not in f"{DatabaseSettings()!r} {address_of(DatabaseSettings())!r}"


@pytest.mark.parametrize(("address", "password"), [("app@db", "p@ss:/?#"), ("app:own@db", "own")])
def test_a_password_of_its_own_may_have_any_characters(
    address: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgres://{address}/app")
    monkeypatch.setenv("DATABASE_PASSWORD", "p@ss:/?#")

    assert address_of(DatabaseSettings()).password == password
