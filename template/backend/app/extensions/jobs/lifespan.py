"""Jobs inside the API: the queue that routes send to, and, without a broker, the work itself."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI
from redis.exceptions import RedisError

from app.core.config import Settings
from app.extensions.jobs.broker import InProcessBroker, make_broker
from app.extensions.jobs.errors import JobsUnavailableError
from app.extensions.jobs.logs import quiet_taskiq
from app.extensions.jobs.queue import SEND_SECONDS, queue
from app.extensions.jobs.redis_broker import RedisBroker
from app.extensions.jobs.schedule import run_schedules
from app.extensions.jobs.settings import JobsSettings

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def using(broker: RedisBroker | InProcessBroker) -> AsyncIterator[None]:
    """Send to this broker for the length of the block."""
    quiet_taskiq()
    await broker.startup()
    queue.use(broker)
    try:
        yield
    finally:
        await broker.shutdown()
        queue.use(None)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the queue, and close it."""
    broker = make_broker(JobsSettings())
    async with using(broker):
        if isinstance(broker, RedisBroker):
            yield
            return
        settings: Settings = app.state.settings
        if settings.app.environment != "development":
            logger.warning("JOBS_BROKER_URL is empty: each process runs its own jobs and all schedules")
        schedules = asyncio.create_task(run_schedules(broker, skip_first_minute=True))
        try:
            yield
        finally:
            schedules.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await schedules


async def ping() -> None:
    """Ask whether the broker answers, if there is one.

    Raises:
        JobsUnavailableError: it does not.
    """
    broker = queue.broker
    if not isinstance(broker, RedisBroker):
        return
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await broker.ping()
    except (RedisError, OSError) as error:
        # A line instead of fifty: probes ask every few seconds.
        raise JobsUnavailableError(f"The broker does not answer: {type(error).__name__}") from None
