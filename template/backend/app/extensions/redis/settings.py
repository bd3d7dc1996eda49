"""Settings of Redis."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict
from redis.asyncio import ConnectionPool

from app.core.config import BaseAppSettings


def _url(value: object) -> str:
    text = str(value).strip()
    try:
        # Options in the query are read here too, so that a bad one does not wait for the first request.
        pool = ConnectionPool.from_url(text)
        pool.connection_class(**pool.connection_kwargs)
    except Exception:  # noqa: BLE001 whatever the library stumbles over; its text would repeat the password
        raise ValueError("the value is not an address like redis://:password@host:6379/0 or rediss://…") from None
    return text


class RedisSettings(BaseAppSettings):
    """Where Redis is, and how long it may take."""

    model_config = SettingsConfigDict(env_prefix="REDIS_")

    url: Annotated[SecretStr, BeforeValidator(_url)] | None = None
    """``REDIS_URL``: ``redis://`` or, with TLS, ``rediss://``. Without it nothing is cached. Never shown."""

    timeout_seconds: Annotated[float, Field(ge=0.01, le=60)] = 0.5
    """``REDIS_TIMEOUT_SECONDS``: how long one command may take, connecting included, in seconds."""

    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 20
    """``REDIS_MAX_CONNECTIONS``: how many connections one process opens at most, besides one for the readiness check;
    further commands wait for one."""
