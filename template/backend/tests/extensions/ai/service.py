"""A service on the loopback that speaks OpenAI's protocol, as well or as badly as a test says."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

MODEL = "small-1"


@dataclass(frozen=True)
class Asked:
    """A request that arrived; the names of its headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body of a request for an answer."""
        return json.loads(self.body)


@dataclass
class Service:
    """Answers each request with the next of ``answers``, the last of them again and again."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """What ``AI_BASE_URL`` is."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then wait until the caller goes."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(head[0].split()[1], headers, body))
        self.arrived.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answering = asyncio.ensure_future(answer(writer))
        leaving = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.left.set()
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)


@contextmanager
def serving(*answers: Answer) -> Iterator[Service]:
    """Run a service for the length of a ``with`` block."""
    service = Service(answers=list(answers))
    is_ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        service.port = server.sockets[0].getsockname()[1]
        is_ready.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert is_ready.wait(60)
        yield service
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def whole(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer at once, with JSON or with bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = {"Content-Length": str(len(content)), "Connection": "close", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + content)
        await writer.drain()

    return answer


def streamed(*parts: object, ends: bool = True, hangs: bool = False) -> Answer:
    """Answer with server-sent events; ``ends`` closes the stream properly, ``hangs`` never closes it."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            text = part if isinstance(part, bytes) else f"data: {json.dumps(part)}\n\n".encode()
            # Cut anywhere, as networks do.
            for piece in (text[:7], text[7:]):
                if piece:
                    writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    await writer.drain()
        if hangs:
            await asyncio.sleep(3600)
        if ends:
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            await writer.drain()

    return answer


async def hang(_: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await asyncio.sleep(3600)


async def close(_: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""


def completion(text: str, **more: Any) -> dict[str, Any]:
    """Return a whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    head = {"id": "c1", "object": "chat.completion", "model": f"{MODEL}-2026"}
    return {**head, "choices": [choice], "usage": usage, **more}


def parts(*texts: str, finish: str | None = "stop") -> list[dict[str, Any]]:
    """Return the parts of a streamed answer."""
    head = {"id": "c1", "object": "chat.completion.chunk", "model": f"{MODEL}-2026"}
    first = {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    middle = [{**head, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    if finish is None:
        return [first, *middle]
    last = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    usage = {**head, "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": len(texts), "total_tokens": 12}}
    return [first, *middle, last, usage]


def failure(code: str, message: str = "It failed.") -> dict[str, Any]:
    """Return what a service says with a status from 400 on."""
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}
