"""The database of this process: opened at the start, closed at the end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from app.core.config import AppSettings
from app.extensions.database import revisions
from app.extensions.database.addresses import POSTGRESQL, SQLITE, default_address, parse_address
from app.extensions.database.engine import make_engine
from app.extensions.database.errors import is_unavailable, kind_of
from app.extensions.database.observe import watch_statements
from app.extensions.database.settings import DatabaseSettings

READINESS_SECONDS = 2.0
"""How long the readiness check may take; probes give up after three seconds."""

logger = logging.getLogger(__name__)


class Database:
    """Engine and sessions. The readiness check has a connection of its own, so that load does not look like failure."""

    def __init__(self) -> None:
        self._engine: AsyncEngine | None = None
        self._probe: AsyncEngine | None = None
        self._sessions: async_sessionmaker[AsyncSession] | None = None

    @property
    def engine(self) -> AsyncEngine:
        """The engine.

        Raises:
            RuntimeError: the application has not started.
        """
        if self._engine is None:
            raise RuntimeError("The database is not open: it is from the start of the application to its end.")
        return self._engine

    @property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        """Makes sessions without anything around them; business code uses ``session``.

        Raises:
            RuntimeError: the application has not started.
        """
        return self._sessions or async_sessionmaker(self.engine)

    async def open(self, settings: DatabaseSettings, address: URL) -> None:
        """Make the engine. Nothing connects yet: the application starts also while the database is away."""
        size, overflow = settings.pool_size, settings.pool_overflow
        self._engine = make_engine(address, settings, pool_size=size, pool_overflow=overflow)
        self._probe = make_engine(address, settings, pool_size=1, pool_overflow=0)
        # What was read stays readable after the commit, which comes before the answer is written.
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        watch_statements(self._engine, slow=settings.slow_statement, repeated=settings.repeated_statements)

    async def close(self) -> None:
        """Close all connections."""
        engines, self._engine, self._probe, self._sessions = (self._engine, self._probe), None, None, None
        for engine in engines:
            if engine:
                await engine.dispose()

    async def check(self) -> None:
        """Ask the database for an answer and its version.

        Raises:
            MigrationsBehindError: the tables are older than this code.
            ConnectionError: no answer, or none within ``READINESS_SECONDS``.
        """
        engine = self._probe or self.engine
        try:
            async with asyncio.timeout(READINESS_SECONDS), engine.connect() as connection:
                await connection.execute(text("select 1"))
                await connection.run_sync(revisions.require_current)
        except Exception as error:
            if not (is_unavailable(error) or isinstance(error, TimeoutError)):
                raise
            # A line instead of fifty: probes ask every few seconds.
            raise ConnectionError(f"The database does not answer: {kind_of(error)}") from None


database = Database()
"""The process's own."""


def address_of(settings: DatabaseSettings) -> URL:
    """Return where the database is; the folder of the default file is made."""
    if settings.url is None:
        folder = AppSettings().data_folder
        # If that fails, opening the file does, which says so.
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        return default_address(folder)
    address = parse_address(settings.url.get_secret_value())
    if settings.password and address.password is None and address.drivername == POSTGRESQL:
        return address.set(password=settings.password.get_secret_value())
    return address


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database while the application runs. In development, the tables of an SQLite file are made first."""
    settings = DatabaseSettings()
    address = address_of(settings)
    environment = app.state.settings.app.environment
    if settings.url is None and environment != "development":
        logger.warning("DATABASE_URL is not set: this is %s, and the data lies in an SQLite file", environment)
    await database.open(settings, address)
    try:
        if address.drivername == SQLITE and environment == "development":
            await _migrate()
        yield
    finally:
        await database.close()


async def _migrate() -> None:
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(revisions.upgrade)
    except Exception as error:
        if not is_unavailable(error):
            raise
        logger.warning("The tables could not be made: %s", kind_of(error))
