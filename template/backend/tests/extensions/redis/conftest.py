"""Redis running, and settings of this folder's tests only."""

from collections.abc import Iterator

import pytest

from app.extensions.redis.cache import cache
from app.extensions.redis.settings import RedisSettings
from tests.extensions.redis_server import RedisServer


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read neither the .env file nor what an earlier test found out about Redis."""
    monkeypatch.setitem(RedisSettings.model_config, "env_file", None)
    for name in ("REDIS_URL", "REDIS_TIMEOUT_SECONDS", "REDIS_MAX_CONNECTIONS"):
        monkeypatch.delenv(name, raising=False)
    cache.forget_failures()


@pytest.fixture
def redis_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """Return a Redis that runs, and that the application is told of."""
    server = RedisServer()
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("REDIS_TIMEOUT_SECONDS", "30")
    with server.running():
        yield server
