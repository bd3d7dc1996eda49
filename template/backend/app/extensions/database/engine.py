"""The engine: connections with deadlines, and errors that tell no values."""

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Dialect, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.contracts import project
from app.extensions.database.addresses import POSTGRESQL
from app.extensions.database.errors import DatabaseUnavailableError, hide_values
from app.extensions.database.settings import DatabaseSettings

GRACE_SECONDS = 2.0
"""How much longer the client waits than the server, so that the server's answer comes first if it lives."""

_SQLITE_STEPS = 10_000
"""How many steps of its machine SQLite makes between two looks at the clock; less than a millisecond."""

_DEADLINE = "statement_deadline"


def make_engine(address: URL, settings: DatabaseSettings, *, pool_size: int, pool_overflow: int) -> AsyncEngine:
    """Return an engine. It connects when it is first used.

    Args:
        address: From ``addresses``.
        settings: The deadlines.
        pool_size: How many connections stay open.
        pool_overflow: How many more there may be for a while.
    """
    is_postgresql = address.drivername == POSTGRESQL
    engine = create_async_engine(
        address.difference_update_query(["application_name"]),
        pool_size=pool_size,
        max_overflow=pool_overflow,
        pool_timeout=settings.pool_timeout,
        pool_recycle=settings.recycle,
        # A connection that the server or a firewall has closed is replaced before somebody gets it.
        pool_pre_ping=True,
        # Parameters are values: they are in no error and no log.
        hide_parameters=True,
        connect_args=_postgresql_arguments(address, settings) if is_postgresql else _sqlite_arguments(settings),
    )
    # Before anything else that listens, so that nobody sees the values.
    event.listen(engine.sync_engine, "handle_error", _refine_error, insert=True)
    event.listen(engine.sync_engine, "do_connect", _connect)
    if not is_postgresql:
        _prepare_sqlite(engine, settings.statement_timeout)
    return engine


def _postgresql_arguments(address: URL, settings: DatabaseSettings) -> dict[str, Any]:
    return {
        "timeout": settings.connect_timeout,
        "command_timeout": settings.statement_timeout + GRACE_SECONDS,
        "server_settings": {
            "application_name": str(address.query.get("application_name", project().slug)),
            "statement_timeout": str(round(settings.statement_timeout * 1000)),
        },
    }


def _sqlite_arguments(settings: DatabaseSettings) -> dict[str, Any]:
    return {"timeout": settings.connect_timeout}


def _connect(dialect: Dialect, _record: ConnectionPoolEntry, arguments: Any, options: Any) -> Any:  # noqa: ANN401 as in SQLAlchemy
    try:
        return dialect.connect(*arguments, **options)
    except OSError as error:
        # No route, no such host, refused, too slow: the driver does not make these errors of the database.
        raise DatabaseUnavailableError from error


def _refine_error(context: ExceptionContext) -> None:
    if isinstance(context.original_exception, TimeoutError):
        # The server did not even say that the statement took too long.
        context.is_disconnect = True
        raise DatabaseUnavailableError from context.original_exception
    hide_values(context)


def _prepare_sqlite(engine: AsyncEngine, statement_timeout: float) -> None:
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 the driver's own
        cursor = connection.cursor()
        # SQLite checks foreign keys only when asked to. With a write-ahead log, readers and a writer do not wait.
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()

        def is_late() -> bool:
            return bool(time.monotonic() > record.info.get(_DEADLINE, float("inf")))

        connection.run_async(lambda driver: driver.set_progress_handler(is_late, _SQLITE_STEPS))

    def begin(connection: Connection, *_: object) -> None:
        connection.info[_DEADLINE] = time.monotonic() + statement_timeout

    def end(connection: Connection, *_: object) -> None:
        connection.info.pop(_DEADLINE, None)

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
