"""Measures each request. Plain ASGI, outside of everything but the answer to unhandled errors."""

import asyncio
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.sentry import route_of
from app.core.sentry.errors import errors
from app.extensions.prometheus.metrics import Metrics

SERVER_ERROR = 500
CANCELLED = 499
"""The status of requests that ended before an answer, as a stopping server ends them; nginx' number for it."""

_EVENT_STREAM = b"text/event-stream"


class Measuring:
    """Counts requests and connections, and how long answers take."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and measure."""
        metrics: Metrics | None = getattr(scope["app"].state, "prometheus", None)
        if metrics is None or scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        serve = self._request if scope["type"] == "http" else self._connection
        try:
            await serve(metrics, scope, receive, send)
        except Exception as error:
            errors.count(error, handled=False)
            raise

    async def _request(self, metrics: Metrics, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        begin = perf_counter()
        metrics.requests_in_flight.inc()
        try:
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:
            answer.status = answer.status or CANCELLED
            raise
        finally:
            metrics.requests_in_flight.dec()
            # An event stream lasts as long as its reader likes.
            end = answer.begin if answer.is_event_stream else perf_counter()
            metrics.count_request(scope["method"], route_of(scope), answer.status or SERVER_ERROR, end - begin)

    async def _connection(self, metrics: Metrics, scope: Scope, receive: Receive, send: Send) -> None:
        metrics.connections_open.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            metrics.connections_open.dec()
            metrics.count_connection(route_of(scope))


class _Answer:
    """Passes an answer on and remembers its status, its kind and when it began."""

    __slots__ = ("_send", "begin", "is_event_stream", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.begin = 0.0
        self.is_event_stream = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.begin = perf_counter()
            self.is_event_stream = any(
                name == b"content-type" and value.startswith(_EVENT_STREAM)
                for name, value in message.get("headers", ())
            )
        await self._send(message)
