"""The two brokers: Redis, and the process itself."""

import asyncio
import logging
from contextvars import Context
from importlib import import_module
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 the library's own
from taskiq import InMemoryBroker
from taskiq.message import BrokerMessage
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend

from app.core.config import ConfigurationError
from app.core.contracts import project
from app.extensions.jobs.job import JOBS
from app.extensions.jobs.redis_broker import RedisBroker
from app.extensions.jobs.run import NoteDelivery, runner
from app.extensions.jobs.settings import JobsSettings

REDELIVERY_SECONDS = 600
"""After how long, in seconds, the broker gives a job to another worker when the first one went silent."""

RESULT_SECONDS = 86_400
"""How long the state of a finished job is known, in seconds."""

_CONNECTION: dict[str, Any] = {
    "socket_connect_timeout": 2.0,
    # Longer than a worker waits for a message.
    "socket_timeout": 5.0,
    "timeout": 2.0,
    # A connection that Redis closed meanwhile shows that at the first command. What came too late is not sent again.
    "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
}

logger = logging.getLogger(__name__)


class InProcessBroker(InMemoryBroker):
    """Runs jobs in this process, for development."""

    def __init__(self) -> None:
        super().__init__()
        self._is_stopping = False

    async def kick(self, message: BrokerMessage) -> None:
        """Start a job, apart from the request that asked for it: with no scope, user or tag of that one."""
        if self._is_stopping:
            logger.warning("Job %s ends with the process; with JOBS_BROKER_URL it would go on", message.task_name)
            return
        work = self.receiver.callback(message.message)
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._running_tasks.add(task)
        task.add_done_callback(self._running_tasks.discard)

    async def shutdown(self) -> None:
        """Stop. What still runs ends here."""
        self._is_stopping = True
        for task in list(self._running_tasks):
            task.cancel()
        await asyncio.gather(*self._running_tasks, return_exceptions=True)
        await super().shutdown()


def make_broker(settings: JobsSettings) -> RedisBroker | InProcessBroker:
    """Return the broker for these settings, with every job of ``JOBS_MODULES``.

    Raises:
        ConfigurationError: there is no such module.
    """
    for module in settings.modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):
                raise
            raise ConfigurationError(f"JOBS_MODULES: there is no module {error.name}") from None
    broker = _redis_broker(settings.broker_url.get_secret_value()) if settings.broker_url else InProcessBroker()
    broker.add_middlewares(NoteDelivery())
    for job in JOBS.values():
        broker.register_task(runner(job), task_name=job.name)
    return broker


def _redis_broker(url: str) -> RedisBroker:
    slug = project().slug
    broker = RedisBroker(
        url,
        queue_name=f"{slug}:jobs",
        consumer_group_name="workers",
        # From the beginning: what was sent before the first worker came counts too.
        consumer_id="0",
        idle_timeout=round(REDELIVERY_SECONDS * 1000),
        max_connection_pool_size=50,
        **_CONNECTION,
    )
    results: RedisAsyncResultBackend[None] = RedisAsyncResultBackend(
        url,
        result_ex_time=RESULT_SECONDS,
        prefix_str=f"{slug}:job",
        max_connection_pool_size=50,
        # The library's default, pickle, would run whatever code somebody puts there.
        serializer=JSONSerializer(),
        **_CONNECTION,
    )
    broker.with_result_backend(results)
    return broker
