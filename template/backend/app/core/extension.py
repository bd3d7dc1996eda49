"""The contract of an extension: an optional part of the application, complete in its own folder."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from pydantic_settings import BaseSettings
from starlette.types import ASGIApp


@dataclass(frozen=True)
class Extension:
    """What ``app/extensions/<name>/`` offers; everything but the name is optional."""

    name: str
    """Its folder name, shown by the readiness check."""

    settings: type[BaseSettings] | None = None
    """Its settings class. Read at the start, so that a bad value stops the process with a readable line."""

    router: APIRouter | None = None
    """Its routes, mounted under ``/api/v1``."""

    root_router: APIRouter | None = None
    """Routes for machines, such as ``/metrics``, mounted at the root and absent from the contract of the API."""

    middleware: Callable[[ASGIApp], ASGIApp] | None = None
    """Wraps the application, in plain ASGI: it sees each request before anything else of the application does."""

    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None
    """Opens what it needs at the start and closes it at the end. The application has ``state.settings`` and
    ``state.release``; in a process that serves nothing, such as a worker, it has no routes."""

    readiness: Callable[[], Awaitable[None]] | None = None
    """Raises when it cannot serve; ``/health/ready`` then answers 503."""

    sentry_integrations: tuple[str, ...] = ()
    """SDK integrations it needs, as ``module.Class`` below ``sentry_sdk.integrations``, for example
    ``redis.RedisIntegration``. Names instead of objects, so that only ``app.core.sentry`` imports the SDK."""

    is_expected: Callable[[BaseException], bool] | None = None
    """Recognises failures of what it depends on, such as a server that is down: they are counted and not reported."""

    ignored_paths: tuple[str, ...] = ()
    """Paths of its own that are never traced, such as a health check."""
