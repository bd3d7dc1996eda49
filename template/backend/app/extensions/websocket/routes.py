"""The endpoint: who may connect, and how a connection lives and ends.

==== ==========================================================================================
1001 nothing came for ``WEBSOCKET_IDLE_SECONDS``
1009 a message above uvicorn's limit
1011 the connection failed on our side; the event about it has its ``connection_id``
1012 the server stops or starts anew: uvicorn says so
1013 the client took messages too slowly
==== ==========================================================================================

Before the handshake a refusal is an HTTP status with problem JSON: 403 for a foreign origin, 503 when it is full.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, WebSocket
from starlette.status import WS_1001_GOING_AWAY, WS_1011_INTERNAL_ERROR
from starlette.websockets import WebSocketDisconnect

from app.core import sentry
from app.core.exceptions import AppError
from app.core.origins import is_own_origin
from app.extensions.websocket.connection import Connection, MessageLimit, SlowClientError
from app.extensions.websocket.handlers import answer, failure
from app.extensions.websocket.messages import Welcome
from app.extensions.websocket.room import Room
from app.extensions.websocket.settings import WebSocketSettings

PATH = "/api/v1/ws"


class ForeignOriginError(AppError):
    """A page of another host asks, whose visitor may know nothing of it."""

    status_code = HTTPStatus.FORBIDDEN


class _IdleError(Exception):
    """Nothing came for too long."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = WebSocketSettings()
    app.state.websocket_settings = settings
    app.state.room = Room(settings.max_connections)
    yield


router = APIRouter(lifespan=_lifespan)


@router.websocket("/ws")
async def websocket(websocket: WebSocket) -> None:
    """Let a page speak and listen in the room."""
    settings: WebSocketSettings = websocket.app.state.websocket_settings
    room: Room = websocket.app.state.room
    origin = websocket.headers.get("origin", "")
    # Browsers let every page connect to everywhere, and leave it to the server to look who asks.
    if origin not in settings.origins and not is_own_origin(origin, websocket.headers.get("host", "")):
        raise ForeignOriginError("Pages of this origin may not connect.")
    room.take_place()
    try:
        await websocket.accept()
        await _converse(websocket, Connection(websocket, settings.send_seconds), room, settings)
    except WebSocketDisconnect:
        # They leave when they like.
        return
    finally:
        room.free_place()


async def _converse(websocket: WebSocket, connection: Connection, room: Room, settings: WebSocketSettings) -> None:
    sentry.set_tag("websocket", "true")
    sentry.set_tag("connection_id", connection.id)
    # Local variables hold what was said, in many forms.
    sentry.hide_content()
    connection.send(Welcome(connection_id=connection.id, connections=room.connections + 1))
    room.join(connection)
    try:
        await _first_of(_listen(websocket, connection, room, settings), connection.deliver(), connection.overflow())
    except SlowClientError:
        sentry.add_breadcrumb("A slow client was cut", category="websocket", level="warning")
        await connection.close()
    except _IdleError:
        await connection.close(WS_1001_GOING_AWAY)
    except WebSocketDisconnect:
        raise
    except Exception:
        await connection.close(WS_1011_INTERNAL_ERROR)
        raise
    finally:
        room.leave(connection)


async def _first_of(*works: Awaitable[None]) -> None:
    """Run until one of them ends, stop the others, and raise what it raised; of several, what the first did."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if task in done:
            task.result()


async def _listen(websocket: WebSocket, connection: Connection, room: Room, settings: WebSocketSettings) -> None:
    limit = MessageLimit(settings.messages_per_minute)
    may_break = websocket.app.state.settings.diagnostics_open
    while True:
        text = await _receive(websocket, settings.idle_seconds)
        # What is known about the errors of one message is not known about the next.
        sentry.begin_request(websocket.scope)
        sentry.hide_content()
        if not limit.allows():
            connection.send(failure(HTTPStatus.TOO_MANY_REQUESTS, "Too many messages: wait a moment."))
        elif text is None:
            connection.send(failure(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send text: messages are JSON."))
        elif len(text.encode()) > settings.max_bytes:
            detail = f"The message is longer than {settings.max_bytes} bytes."
            connection.send(failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))
        else:
            await answer(text, connection, room, path=PATH, may_break=may_break)


async def _receive(websocket: WebSocket, seconds: float) -> str | None:
    """Return the next message, or nothing in place of one that is no text."""
    try:
        async with asyncio.timeout(seconds):
            message = await websocket.receive()
    except TimeoutError:
        raise _IdleError from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"], message.get("reason"))
    text: str | None = message.get("text")
    return text
