"""One connection: what it may send, and a bounded queue of what it still has to take."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from uuid import uuid4

from starlette.status import WS_1013_TRY_AGAIN_LATER
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.extensions.websocket.messages import ServerMessage

MAX_WAITING = 1000
"""How many messages may wait for a client that takes them slowly; the next one cuts it. A moment in which each of some
hundred connections says something is no reason."""

MAX_WAITING_BYTES = 256 * 1024
"""How long these may be together, in characters; a broadcast is one text in memory, however many wait for it."""

_MINUTE = 60.0


class SlowClientError(Exception):
    """A client takes messages more slowly than they come."""


class Connection:
    """An accepted WebSocket.

    Messages for it wait in a queue, so that nobody waits for it; a task of its own sends them.

    Args:
        websocket: Accepted.
        send_seconds: How long the client may take nothing.
    """

    def __init__(self, websocket: WebSocket, send_seconds: float) -> None:
        self.id = uuid4().hex
        self._websocket = websocket
        self._send_seconds = send_seconds
        self._waiting: deque[str] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._overflowed = asyncio.Event()

    def send(self, message: ServerMessage) -> None:
        """Queue a message. A client whose queue is full is cut; what waited for it is gone."""
        self.send_text(message.model_dump_json())

    def send_text(self, text: str) -> None:
        """Queue a message that is JSON already."""
        if self._overflowed.is_set():
            return
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        if len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._overflowed.set()
            self._waiting.clear()
        self._changed.set()

    async def deliver(self) -> None:
        """Send what is queued, until cancelled.

        Raises:
            SlowClientError: the client takes too little; the connection has to end.
            WebSocketDisconnect: the client left.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                text = self._waiting.popleft()
                self._waiting_bytes -= len(text)
                try:
                    async with asyncio.timeout(self._send_seconds):
                        await self._websocket.send_text(text)
                except TimeoutError:
                    raise SlowClientError from None

    async def overflow(self) -> None:
        """Wait until the queue is full: then it is of no use to wait for the client any longer.

        Raises:
            SlowClientError: it is full.
        """
        await self._overflowed.wait()
        raise SlowClientError

    async def close(self, code: int = WS_1013_TRY_AGAIN_LATER) -> None:
        """Say goodbye, unless the client is gone or does not listen."""
        try:
            async with asyncio.timeout(1):
                await self._websocket.close(code)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            # Who takes nothing takes no goodbye either; RuntimeError is Starlette's word for "closed already".
            return


class MessageLimit:
    """Drops the excess of one connection: a bucket that fills evenly and holds what a quarter of a minute allows.

    Args:
        per_minute: How many messages a minute.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / _MINUTE
        self._most = max(1.0, per_minute / 4)
        self._left = self._most
        self._clock = clock
        self._then = clock()

    def allows(self) -> bool:
        """Say whether one more message may pass, and count it if so."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
