"""Redis: a client for whatever Redis is good at, and a cache that the application survives without."""

from app.core.extension import Extension
from app.extensions.redis.cache import cached
from app.extensions.redis.connection import lifespan, ping, redis_client
from app.extensions.redis.routes import router
from app.extensions.redis.settings import RedisSettings

__all__ = ["cached", "extension", "redis_client"]

extension = Extension("redis", settings=RedisSettings, router=router, lifespan=lifespan, readiness=ping)
