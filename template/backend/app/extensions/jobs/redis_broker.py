"""Jobs that wait in Redis."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from taskiq import AckableMessage, AsyncBroker
from taskiq_redis import RedisStreamBroker

from app.core import sentry
from app.extensions.jobs.job import JOBS
from app.extensions.jobs.run import current_delivery, is_cancelled

RECONNECT_PAUSES = (0.5, 1.0, 2.0, 5.0)
"""How long to wait for a Redis that is away, each time, in seconds; the last one goes on."""

Entry = tuple[str, dict[bytes, bytes]]

logger = logging.getLogger(__name__)


class RedisBroker(RedisStreamBroker):
    """A stream of Redis. It outlives failures of Redis, and hands nothing but jobs it knows to taskiq.

    The library's own loop ends with the first failure, and looks after jobs of dead workers only when new ones come.
    """

    _cursor: str | bytes = "0-0"

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield what arrives, until the task is cancelled."""
        failures = 0
        while not is_cancelled():
            try:
                await self._declare_consumer_group()
                async with Redis(connection_pool=self.connection_pool) as redis:
                    while True:
                        entries = await self._left_behind(redis) or await self._new(redis)
                        failures = 0
                        for entry_id, fields in entries:
                            acknowledge = self._ack_generator(entry_id, self.queue_name)
                            message = AckableMessage(data=fields.get(b"data", b""), ack=acknowledge)
                            if await self._is_job(message):
                                yield message
                        if is_cancelled():
                            return
            except (RedisError, OSError) as error:
                if not failures:
                    logger.warning("The broker does not answer, the worker waits for it: %s", type(error).__name__)
            except Exception as error:  # noqa: BLE001 what one message causes must not stop the others
                _report(f"The worker stumbled over a message: {type(error).__name__}")
            await asyncio.sleep(RECONNECT_PAUSES[min(failures, len(RECONNECT_PAUSES) - 1)])
            failures += 1

    async def startup(self) -> None:
        """Start, whether or not Redis is there: the stream is declared by who listens."""
        await AsyncBroker.startup(self)

    async def ping(self) -> None:
        """Ask Redis for an answer."""
        async with Redis(connection_pool=self.connection_pool) as redis:
            await redis.ping()

    async def claim(self, name: str, seconds: int) -> bool:
        """Say whether nobody else did something first, within some seconds."""
        async with Redis(connection_pool=self.connection_pool) as redis:
            return bool(await redis.set(f"{self.queue_name}:{name}", "1", nx=True, ex=seconds))

    async def _new(self, redis: "Redis") -> list[Entry]:
        streams = {self.queue_name: ">"}
        found: Any = await redis.xreadgroup(
            self.consumer_group_name,
            self.consumer_name,
            streams,  # type: ignore[arg-type]
            # What a worker has fetched and not begun waits for nobody else.
            count=1,
            block=self.block,
        )
        return list(found[0][1]) if found else []

    async def _left_behind(self, redis: "Redis") -> list[Entry]:
        """Take over one job of a worker that went silent. Each call looks at a few, from where the last one ended."""
        answer: Any = await redis.xautoclaim(
            self.queue_name,
            self.consumer_group_name,
            self.consumer_name,
            min_idle_time=self.idle_timeout,
            start_id=self._cursor,
            count=1,
        )
        self._cursor = answer[0]
        return [(entry_id, fields) for entry_id, fields in answer[1] if fields]

    def _ack_generator(self, id: str, queue_name: str) -> Callable[[], Awaitable[None]]:  # noqa: A002 the library's own
        async def acknowledge() -> None:
            delivery = current_delivery.get()
            if delivery and delivery.is_owed:
                return
            for pause in (0.0, *RECONNECT_PAUSES, *RECONNECT_PAUSES):
                await asyncio.sleep(pause)
                try:
                    async with Redis(connection_pool=self.connection_pool) as redis, redis.pipeline() as pipeline:
                        pipeline.xack(queue_name, self.consumer_group_name, id)
                        # The stream would keep it for ever.
                        pipeline.xdel(queue_name, id)
                        await pipeline.execute()
                except (RedisError, OSError):
                    continue
                return
            logger.warning("The broker was not told that a job is finished, and will deliver it once more")

        return acknowledge

    async def _is_job(self, message: AckableMessage) -> bool:
        try:
            name = self.formatter.loads(message.data).task_name
        except Exception:  # noqa: BLE001 its text would repeat the message
            _report("A message in the queue is no job; it was thrown away")
            await _acknowledged(message)
            return False
        if name not in JOBS:
            # Perhaps a newer version sent it: it stays in the queue until a worker knows it.
            logger.warning("A job in the queue has a name that this worker does not know; it stays there")
            return False
        return True


def _report(text: str) -> None:
    """Report it from a stack of its own: the frames of this one hold the message, and with it a job's arguments."""
    asyncio.get_running_loop().call_soon(sentry.capture_message, text, "error")


async def _acknowledged(message: AckableMessage) -> None:
    waiting = message.ack()
    if waiting is not None:
        await waiting
