"""What Alembic runs: migrations on the connection it is given, or on one of its own."""

import asyncio
import sys
from logging.config import fileConfig
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import NullPool, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import ConfigurationError, load_settings
from app.extensions.database.connections import address_of
from app.extensions.database.models import Base, UtcDateTime
from app.extensions.database.revisions import CONNECTION
from app.extensions.database.settings import DatabaseSettings

LOCK = 0x616C656D626963
"""The number of the lock under which PostgreSQL lets one process migrate at a time; any other would do."""


def _rendered(kind: str, value: object, _context: AutogenContext) -> str | Literal[False]:
    """Write own types into a migration as what the database sees: migrations import nothing that may change."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(value, UtcDateTime) else False


def _migrate(connection: Connection) -> None:
    options: dict[str, Any] = {"render_as_batch": connection.dialect.name == "sqlite"}
    context.configure(connection=connection, target_metadata=Base.metadata, render_item=_rendered, **options)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
        else:
            # So does SQLite: a server with several workers begins several times at once.
            connection.execute(text("BEGIN IMMEDIATE"))
        context.run_migrations()


async def _connect_and_migrate() -> None:
    try:
        load_settings([DatabaseSettings])
    except ConfigurationError as error:
        sys.exit(str(error))
    engine = create_async_engine(address_of(DatabaseSettings()), poolclass=NullPool, hide_parameters=True)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


given: Connection | None = context.config.attributes.get(CONNECTION)
if given is not None:
    _migrate(given)
elif context.is_offline_mode():
    sys.exit("Migrations as SQL text (--sql) are not prepared here: run them against a database.")
else:
    if context.config.config_file_name:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    asyncio.run(_connect_and_migrate())
