"""A cache that makes answers faster and never makes them fail."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError

from app.core import sentry
from app.core.contracts import project
from app.extensions.redis.client import TracedRedis
from app.extensions.redis.connection import connection
from app.extensions.redis.errors import RedisUnavailableError

REST_SECONDS = 5.0
"""How long Redis is left alone after a failure, in seconds: while it is away, one request pays for that and not all."""

Value = TypeVar("Value")

logger = logging.getLogger(__name__)


class Cache:
    """Values by key, each computed once at a time by this process."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._adapters: dict[object, TypeAdapter[Any]] = {}
        self._rests_until = 0.0

    async def get(self, key: str, seconds: float, load: Callable[[], Awaitable[Value]], kind: type[Value]) -> Value:
        """Return what is stored, or what ``load`` returns; see ``cached``."""
        running = self._running.get(key)
        if running is None or running.get_loop() is not asyncio.get_running_loop():
            running = asyncio.create_task(self._find_or_load(key, seconds, load, kind))
            self._running[key] = running
            running.add_done_callback(lambda task: self._forget(key, task))
        # A caller who leaves does not take the others' answer along.
        value: Value = await asyncio.shield(running)
        return value

    def _forget(self, key: str, task: "asyncio.Task[Any]") -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            # Everybody may have left; then nobody else asks for the error.
            task.exception()

    async def _find_or_load(
        self, key: str, seconds: float, load: Callable[[], Awaitable[Value]], kind: type[Value]
    ) -> Value:
        name = f"{project().slug}:cache:{key}"
        adapter = self._adapter(kind)
        with sentry.start_span("cache.get", "cache.get") as span:
            stored = await self._ask(lambda client: client.get(name))
            found = _read(stored, adapter) if stored is not None else None
            span.set_data("cache.hit", found is not None)
        if found is not None:
            return found[0]
        value = await load()
        with sentry.start_span("cache.put", "cache.put") as span:
            text = adapter.dump_json(value).decode()
            span.set_data("cache.item_size", len(text))
            await self._ask(lambda client: client.set(name, text, px=max(1, round(seconds * 1000))))
        return value

    def _adapter(self, kind: type[Value]) -> TypeAdapter[Value]:
        if kind not in self._adapters:
            # Kinds stand in the code and are few.
            self._adapters[kind] = TypeAdapter(kind)
        return self._adapters[kind]

    async def _ask(self, command: Callable[[TracedRedis], Awaitable[Any]]) -> Any:  # noqa: ANN401 as Redis answers
        client = connection.client
        if client is None or time.monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(connection.timeout_seconds):
                return await command(client)
        except (RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            logger.warning("Redis fails, so for %s s nothing is cached: %s", REST_SECONDS, type(error).__name__)
            # Expected: /health/sentry counts it.
            sentry.capture_exception(RedisUnavailableError("Redis does not answer."))
            return None

    def forget_failures(self) -> None:
        """Ask Redis again at once."""
        self._rests_until = 0.0


def _read(stored: str, adapter: TypeAdapter[Value]) -> tuple[Value] | None:
    try:
        return (adapter.validate_json(stored),)
    except ValidationError:
        # An earlier version of the application stored another shape: a miss.
        return None


cache = Cache()
"""The process's own."""


async def cached(key: str, seconds: float, load: Callable[[], Awaitable[Value]], kind: type[Value]) -> Value:
    """Return a value from the cache, or compute it and keep it.

    Without Redis, or while it is away, the value is computed each time: a visitor never sees the difference. Callers of
    this process who ask for the same key at the same time wait for one computation.

    Args:
        key: Its name. It stays between the application and Redis; Sentry never sees it.
        seconds: How long it stays.
        load: Computes it; its errors are raised here.
        kind: Its type, anything that pydantic knows, such as ``Order`` or ``list[Order]``. It is stored as JSON.
    """
    return await cache.get(key, seconds, load, kind)
