"""The process's one connection pool: opened at the start, closed at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError  # noqa: A004 the library's own

from app.extensions.redis.client import TracedRedis
from app.extensions.redis.errors import RedisUnavailableError
from app.extensions.redis.settings import RedisSettings


class Connection:
    """Holds the client while the application runs, and one for the readiness check, which load does not hold up."""

    def __init__(self) -> None:
        self.client: TracedRedis | None = None
        self.probe: Redis | None = None
        self.timeout_seconds = 0.0

    @asynccontextmanager
    async def opened(self, settings: RedisSettings) -> AsyncIterator[None]:
        """Keep the client for the length of the block. Nothing is sent yet: Redis may start after the application."""
        if settings.url is None:
            yield
            return
        pools = [_pool(settings.url, settings, connections) for connections in (settings.max_connections, 1)]
        self.client, self.probe = TracedRedis(connection_pool=pools[0]), Redis(connection_pool=pools[1])
        self.timeout_seconds = settings.timeout_seconds
        try:
            yield
        finally:
            clients, self.client, self.probe = (self.client, self.probe), None, None
            for client, pool in zip(clients, pools, strict=True):
                await client.aclose()
                await pool.aclose()


def _pool(url: SecretStr, settings: RedisSettings, connections: int) -> BlockingConnectionPool:
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url.get_secret_value(),
        max_connections=connections,
        timeout=settings.timeout_seconds,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        # A connection that Redis closed meanwhile shows that at the first command. What is slow is not sent again.
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        decode_responses=True,
    )
    return pool


connection = Connection()
"""The process's own."""


def redis_client() -> TracedRedis:
    """Return the client, with texts as answers. It is also a dependency for routes.

    Raises:
        RedisUnavailableError: ``REDIS_URL`` is empty.
    """
    if connection.client is None:
        raise RedisUnavailableError("Redis is not configured: REDIS_URL is empty.")
    return connection.client


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Open the pool, and close it."""
    async with connection.opened(RedisSettings()):
        yield


async def ping() -> None:
    """Ask whether Redis answers, if it is configured.

    Raises:
        RedisUnavailableError: it does not.
    """
    if connection.probe is None:
        return
    try:
        await connection.probe.ping()
    except (RedisError, OSError) as error:
        # A line instead of fifty: probes ask every few seconds.
        raise RedisUnavailableError(f"Redis does not answer: {type(error).__name__}") from None
