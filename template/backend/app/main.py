"""The composition root: settings, then Sentry, then the application."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ExceptionHandler, Receive, Scope, Send

from app.api.errors import describe_problems, install_error_handlers, reporting, serve
from app.api.router import router
from app.api.routes import health, tunnel
from app.core.config import Settings
from app.core.contracts import project
from app.core.process import start_process
from app.core.sentry import flush
from app.extensions import EXTENSIONS

# The API's own version. It changes when the API breaks its callers and not with every release.
API_VERSION = "1"

IGNORED_PATHS = frozenset(
    {*health.PATHS, *tunnel.PATHS, *(path for extension in EXTENSIONS for path in extension.ignored_paths)}
)
"""Paths that are never traced, and may answer 5xx without an event."""


class Api(FastAPI):
    """FastAPI that declares its problems, and in which no failure goes unreported."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await serve(
            super().__call__,
            scope,
            receive,
            send,
            unwatched_paths=IGNORED_PATHS,
            with_bodies=self.state.with_bodies,
        )

    def add_exception_handler(self, exc_class_or_status_code: int | type[Exception], handler: ExceptionHandler) -> None:
        """Register a handler, also one made with the decorator ``exception_handler``."""
        super().add_exception_handler(exc_class_or_status_code, reporting(handler))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if not self.openapi_schema:
            self.openapi_schema = describe_problems(super().openapi())
        return self.openapi_schema


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        stack.callback(flush)
        for extension in EXTENSIONS:
            if extension.lifespan:
                await stack.enter_async_context(extension.lifespan(app))
        yield


def create_app(settings: Settings, release: str) -> FastAPI:
    """Build the application. Sentry has to be configured before, because it instruments routes as they are made."""
    app = Api(
        title=project().name,
        description=project().description,
        version=API_VERSION,
        lifespan=_lifespan,
        # Short names for the functions of the typed client.
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.settings = settings
    app.state.release = release
    app.state.with_bodies = settings.policy.request_bodies
    install_error_handlers(app)
    app.include_router(router)
    app.include_router(tunnel.router, prefix="/api/v1")
    for extension in EXTENSIONS:
        if extension.middleware:
            app.add_middleware(extension.middleware)
    return app


def _start() -> FastAPI:
    settings, release = start_process(EXTENSIONS, ignored_paths=IGNORED_PATHS)
    return create_app(settings, release)


app = _start()
