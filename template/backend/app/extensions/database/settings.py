"""Settings of the database."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.config import BaseAppSettings
from app.extensions.database.addresses import parse_address


def _address(value: object) -> str:
    text = str(value).strip()
    parse_address(text)
    return text


def _between(low: float, high: float, kind: type[int] | type[float]) -> Callable[[object], float]:
    what = "a whole number" if kind is int else "a number of seconds"

    def check(value: object) -> float:
        try:
            number = kind(str(value)) if str(value).isascii() and "_" not in str(value) else None
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise ValueError(f"the value is not {what} from {low:g} to {high:g}")
        return number

    return check


class DatabaseSettings(BaseAppSettings):
    """The database: where it is, and how long and how often it may be asked."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_")

    url: Annotated[SecretStr, BeforeValidator(_address)] | None = None
    """``DATABASE_URL``: ``postgresql://user:password@host/name`` or ``sqlite:///path``. Default: an SQLite file in
    ``DATA_FOLDER``. Never shown, because it may hold a password."""

    password: SecretStr | None = None
    """``DATABASE_PASSWORD``: the password, for a ``DATABASE_URL`` that has none; any characters."""

    pool_size: Annotated[int, BeforeValidator(_between(1, 500, int))] = 5
    """``DATABASE_POOL_SIZE``: how many connections each process keeps open, 1 to 500. With the overflow and one more
    for the readiness check it has to fit into what the server takes, 100 by default for PostgreSQL."""

    pool_overflow: Annotated[int, BeforeValidator(_between(0, 500, int))] = 5
    """``DATABASE_POOL_OVERFLOW``: how many more it opens for a while when all are in use, 0 to 500."""

    pool_timeout: Annotated[float, BeforeValidator(_between(0.1, 300, float))] = 5.0
    """``DATABASE_POOL_TIMEOUT``: seconds that a request waits for a free connection before it is answered 503."""

    connect_timeout: Annotated[float, BeforeValidator(_between(0.1, 300, float))] = 5.0
    """``DATABASE_CONNECT_TIMEOUT``: seconds that opening a connection may take; for SQLite, that a lock may last."""

    statement_timeout: Annotated[float, BeforeValidator(_between(0.1, 86_400, float))] = 10.0
    """``DATABASE_STATEMENT_TIMEOUT``: seconds after which the database gives up a statement. Not for migrations."""

    slow_statement: Annotated[float, BeforeValidator(_between(0.001, 86_400, float))] = 0.5
    """``DATABASE_SLOW_STATEMENT``: seconds from which on a statement is logged as slow, without its values."""

    repeated_statements: Annotated[int, BeforeValidator(_between(2, 100_000, int))] = 10
    """``DATABASE_REPEATED_STATEMENTS``: how often a request may run the same statement before that is logged: a
    query for each row of another one, which is better made in one."""

    recycle: Annotated[int, BeforeValidator(_between(1, 86_400, int))] = 1800
    """``DATABASE_RECYCLE``: seconds after which a connection is replaced, before a firewall forgets it."""
