"""Sessions: one for each request or piece of work, committed when it succeeds."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.extensions.database.connections import database
from app.extensions.database.errors import DatabaseUnavailableError, is_unavailable, kind_of
from app.extensions.database.observe import counting_statements

logger = logging.getLogger(__name__)


@asynccontextmanager
async def session() -> AsyncIterator[AsyncSession]:
    """Open a session for the length of a ``with`` block: committed at its end, rolled back when it raises.

    Raises:
        DatabaseUnavailableError: the database is away, busy or too slow.
    """
    with counting_statements():
        try:
            async with database.sessions() as opened, opened.begin():
                yield opened
        except Exception as error:
            task = asyncio.current_task()
            if task and task.cancelling():
                # The caller left. SQLAlchemy may stumble over its own half-made connection then, and tell that instead.
                raise asyncio.CancelledError from error
            if not is_unavailable(error):
                raise
            logger.warning("The database is unavailable: %s", kind_of(error))
            if isinstance(error, DatabaseUnavailableError):
                raise
            raise DatabaseUnavailableError from error


async def get_session() -> AsyncIterator[AsyncSession]:
    """Open the session of a request."""
    async with session() as opened:
        yield opened


# The commit has to come before the answer: else the caller hears of a success that may fail.
Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
