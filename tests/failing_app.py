"""The generated application with a route for each way to fail. Runs with the backend of a generated project."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from app import main
from app.core.exceptions import UnavailableError
from app.core.extension import Extension
from app.core.sentry import capture_exception
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, Response, WebSocket
from sentry_sdk.crons import capture_checkin
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger("failing")
router = APIRouter()

SHARED = RuntimeError("kept in a module")


class ShopError(Exception):
    """Answered by a handler of its own that reports nothing."""


class CacheError(UnavailableError):
    """Expected."""

    expected = True


@router.get("/async")
async def fail_async() -> None:
    raise RuntimeError("broken")


@router.get("/sync")
def fail_sync() -> None:
    raise RuntimeError("broken")


@router.get("/logged-async")
async def log_and_fail_async() -> None:
    log_and_fail()


@router.get("/logged-sync")
def log_and_fail_sync() -> None:
    log_and_fail()


def log_and_fail() -> None:
    try:
        fail_sync()
    except RuntimeError:
        logger.exception("about to fail")
        raise


@router.get("/captured-sync")
def capture_and_fail() -> None:
    try:
        fail_sync()
    except RuntimeError as error:
        capture_exception(error)
        raise


@router.get("/background")
async def fail_in_background(tasks: BackgroundTasks) -> None:
    tasks.add_task(fail_async)


@router.get("/background-sync")
async def fail_in_background_thread(tasks: BackgroundTasks) -> None:
    tasks.add_task(fail_sync)


@router.get("/group")
async def fail_in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail_async())
        group.create_task(fail_async())


@router.get("/handler")
async def fail_with_handler() -> None:
    raise ShopError("closed")


@router.get("/unavailable")
async def fail_with_answer() -> None:
    raise UnavailableError("The ledger does not answer.")


@router.get("/http-error")
async def fail_with_http_error() -> None:
    raise HTTPException(502)


@router.get("/silent")
async def fail_silently() -> Response:
    return Response(status_code=503)


@router.get("/shared")
async def fail_with_shared() -> None:
    raise SHARED


@router.get("/middleware")
@router.get("/base-middleware")
async def never_reached() -> None:
    """The middleware fails before."""


@router.get("/behind-base-middleware")
async def fail_behind_base_middleware() -> None:
    raise RuntimeError("broken")


@router.websocket("/socket")
async def fail_in_socket(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("broken")


@router.get("/mistake")
async def refuse() -> None:
    raise HTTPException(409)


@router.get("/expected")
async def fail_as_expected() -> None:
    raise CacheError("The cache does not answer.")


@router.get("/number/{number}")
async def take_number(number: int) -> int:
    return number


@router.get("/slow")
async def wait() -> None:
    await asyncio.sleep(30)


@router.get("/call")
async def call(url: str) -> int:
    async with httpx2.AsyncClient() as client:
        return (await client.post(url)).status_code


@router.get("/done")
async def say_done() -> str:
    # A check-in, because nothing limits them.
    return capture_checkin(monitor_slug="done", status="ok")


class FailingMiddleware:
    """A middleware of the plain kind."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/middleware":
            raise RuntimeError("broken")
        await self.app(scope, receive, send)


class FailingBaseMiddleware(BaseHTTPMiddleware):
    """A middleware of the kind that runs the application in a task of its own."""

    async def dispatch(self, request: Request, call_next: object) -> Response:
        if request.url.path == "/base-middleware":
            raise RuntimeError("broken")
        response: Response = await call_next(request)  # type: ignore[operator]
        return response


def create() -> FastAPI:
    """Return the application with all of it."""
    app = main.app
    app.include_router(router)
    app.add_middleware(FailingMiddleware)
    app.add_middleware(FailingBaseMiddleware)

    @app.exception_handler(ShopError)
    def answer(request: Request, error: ShopError) -> Response:
        del request, error
        return Response(status_code=500)

    return app


def create_broken() -> FastAPI:
    """Return an application that does not start."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("broken")
        yield

    main.EXTENSIONS = (Extension("broken", lifespan=lifespan),)
    return main.app
