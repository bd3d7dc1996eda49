"""Errors of the database: which ones are expected, and what of them may be read."""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.exceptions import UnavailableError
from app.core.sentry import statement_shape

# https://www.postgresql.org/docs/current/errcodes-appendix.html: no connection, no resources, stopping or timed out,
# a lock that was waited for too long.
_UNAVAILABLE_STATES = ("08", "53", "57", "55P03")
# A full disk does not pass by itself, and reading goes on, so that no readiness check tells it: it is an event. For
# SQLite too, whose code is therefore not among those below.
_DISK_FULL = "53100"
_UNIQUE_VIOLATION = "23505"
# https://www.sqlite.org/rescode.html; the lower eight bits are the kind.
_UNAVAILABLE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
    }
)
_KIND = 0xFF
# By which SQLAlchemy's dialect too recognises a connection that was cut while another error was handled.
_CLOSED = "connection is closed"
_LEFT_BEHIND = ("unexpected connection_lost() call",)
_DUPLICATES = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|\([^()]*\)|`[^`]*`")
_AFTER = re.compile(r"[\"'(`:\n].*", re.DOTALL)
_NUMBER = re.compile(r"\S*\d\S*")
# SQLite names only columns and tables in these.
_NAMES_ONLY = re.compile(r"(?:(?:UNIQUE|NOT NULL) constraint failed: \w+\.\w+(?:, \w+\.\w+)*|no such table: \w+)")
_NAMED = ("schema_name", "table_name", "column_name", "constraint_name")
_TALKATIVE = ("detail", "hint")
# What the server calls the place from which RAISE answers.
_RAISE = "exec_stmt_raise"


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer, or not in time. Counted and not reported."""

    expected = True
    headers: Mapping[str, str] = {"Retry-After": "5"}

    def __init__(self) -> None:
        super().__init__("The database does not answer. Try again in a moment.")


def is_unavailable(error: BaseException) -> bool:
    """Say whether an error means that the database is away, busy or too slow, and not that the code is wrong.

    Args:
        error: Of SQLAlchemy, or of a driver: the pool logs these as they are.
    """
    if isinstance(error, PoolTimeoutError | DatabaseUnavailableError):
        return True
    code = _sqlite_code(error)
    return (
        (isinstance(error, DBAPIError) and (error.connection_invalidated or _CLOSED in str(error.orig)))
        or (_state(error).startswith(_UNAVAILABLE_STATES) and _state(error) != _DISK_FULL)
        or (code is not None and code & _KIND in _UNAVAILABLE_CODES)
        # What asyncpg leaves behind when a request is cancelled while it waits for the server; asyncio logs it.
        or (isinstance(error, ConnectionError) and error.args == _LEFT_BEHIND)
        or (isinstance(error, TimeoutError) and _comes_from_driver(error))
    )


def _comes_from_driver(error: BaseException) -> bool:
    """Say whether asyncpg raised it: its time limits are no errors of the database for SQLAlchemy."""
    trace = error.__traceback__
    while trace:
        if str(trace.tb_frame.f_globals.get("__name__")).startswith("asyncpg."):
            return True
        trace = trace.tb_next
    return False


def is_duplicate(error: IntegrityError) -> bool:
    """Say whether a row was refused because another one has the same unique value."""
    return _state(error) == _UNIQUE_VIOLATION or _sqlite_code(error) in _DUPLICATES


def kind_of(error: BaseException) -> str:
    """Return what kind of error it is, for a log line: its class, and PostgreSQL's code if there is one."""
    if isinstance(error, DatabaseUnavailableError):
        error = error.__cause__ or error
    return " ".join(part for part in (type(_source(error)).__name__, _state(error)) if part)


def hide_values(context: ExceptionContext) -> None:
    """Take the values out of the texts of an error of the database, before anybody reads or logs it.

    Drivers quote rows, keys and arguments. What is left is the kind, the names that the server tells, and the
    statement without literals.
    """
    error = context.sqlalchemy_exception
    seen: BaseException | None = context.original_exception
    texts = []
    while seen is not None:
        texts.append(_hide_in(seen))
        seen = seen.__cause__
    if isinstance(error, StatementError):
        names = _names(error)
        error.args = (f"({type(context.original_exception).__name__}) {texts[0]}{names}",)
        error.statement = statement_shape(error.statement) if error.statement else error.statement


def _hide_in(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else ""
    text = text.rpartition(">: ")[2] if text.startswith("<class ") else text
    # Functions and triggers put values into sentences of their own.
    is_own = _RAISE in (getattr(seen, "server_source_function", None) for seen in (error, error.__cause__))
    safe = "raised by a function of the database" if is_own else without_values(text)
    error.args = (safe,)
    # The SDK prefers this to the text.
    if getattr(error, "message", None):
        vars(error)["message"] = safe
    for name in _TALKATIVE:
        if getattr(error, name, None):
            setattr(error, name, None)
    return safe


def without_values(text: str) -> str:
    """Return the message of a driver without what it quotes.

    What stands in quotes or brackets, behind a colon, with digits, or below the first line may be a value.
    """
    if _NAMES_ONLY.fullmatch(text):
        return text
    text = _AFTER.sub("", _QUOTED.sub("…", text.split("\n", 1)[0]))
    return _NUMBER.sub("…", text).strip()


def _names(error: StatementError) -> str:
    source = getattr(error.orig, "__cause__", None)
    found = [(name.removesuffix("_name"), getattr(source, name, None)) for name in _NAMED]
    parts = [f"{kind} {name}" for kind, name in found if name]
    return f" ({', '.join(parts)})" if parts else ""


def _source(error: BaseException) -> BaseException:
    """Return the error of the driver, which has the codes."""
    return (error.orig if isinstance(error, DBAPIError) else None) or error


def _state(error: BaseException) -> str:
    return str(getattr(_source(error), "sqlstate", None) or "")


def _sqlite_code(error: BaseException) -> int | None:
    code: Any = getattr(_source(error), "sqlite_errorcode", None)
    return code if isinstance(code, int) else None
