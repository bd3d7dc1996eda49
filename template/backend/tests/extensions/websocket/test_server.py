"""The endpoint behind the real server: many connections, slow ones, and its end. Nothing here measures time."""

import asyncio
import gzip
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, WebSocket
from httpx2 import Client
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection as SyncConnection
from websockets.sync.client import connect as connect_in_thread
from websockets.typing import Origin

from app.core.exceptions import AppError
from app.extensions.websocket import routes
from app.extensions.websocket.connection import MAX_WAITING_BYTES
from app.extensions.websocket.routes import PATH
from tests.extensions.servers import free_port, running_program
from tests.support import Ingest, MakeApp, StartSentry, receiving, values

MANY = 500
SECONDS = 60
CANARY = "canary-9c1b77f0aa31"


@dataclass
class Server:
    """A running API and the server of Sentry that it reports to."""

    port: int
    process: "Popen[str]"
    ingest: Ingest

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{PATH}"

    @property
    def origin(self) -> Origin:
        return Origin(f"http://127.0.0.1:{self.port}")

    @property
    def memory(self) -> int:
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    @property
    def events(self) -> list[bytes]:
        """The envelopes with events that it has sent."""
        envelopes = [gzip.decompress(request.body) for request in list(self.ingest.requests) if request.body]
        return [envelope for envelope in envelopes if b'"type":"event"' in envelope]

    def stop(self) -> None:
        """Let it end, and send what it still has to send."""
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=SECONDS)


@pytest.fixture
def server() -> Iterator[Server]:
    port = free_port()
    with receiving() as ingest:
        environment = {
            "ENVIRONMENT": "development",
            "SENTRY_DSN": ingest.dsn,
            "SENTRY_TRACES_SAMPLE_RATE": "0",
            "SENTRY_PROFILES_SAMPLE_RATE": "0",
            "WEBSOCKET_MESSAGES_PER_MINUTE": "100000",
        }
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
        command += ["--ws-max-size", "65536", "--ws-ping-timeout", str(SECONDS)]
        with running_program(command, is_ready=lambda: listens(port), environment=environment) as process:
            yield Server(port, process, ingest)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def ask(connection: ClientConnection, message: dict[str, str]) -> None:
    await connection.send(json.dumps(message))


async def hear(connection: ClientConnection, kind: str) -> dict[str, str]:
    while True:
        message: dict[str, str] = json.loads(await connection.recv())
        if message["type"] == kind:
            return message


def ping(connection: SyncConnection) -> int:
    """Return how many connections the server holds."""
    connection.send('{"type": "ping"}')
    while (message := json.loads(connection.recv(timeout=SECONDS)))["type"] != "pong":
        pass
    count: int = message["connections"]
    return count


def end_of(connection: SyncConnection) -> int | None:
    """Return the code with which the server closes; none when it just hangs up."""
    try:
        for _ in iter(lambda: connection.recv(timeout=SECONDS), None):
            pass
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None
    return None


def test_five_hundred_connections_hear_everything_and_leave_nothing(server: Server) -> None:
    async def run() -> int:
        # None of them is to be given up for being slow: all are one program, and that is busy.
        patient: dict[str, Any] = {"ping_interval": None, "open_timeout": SECONDS, "compression": None}
        opening = [connect(server.url, origin=server.origin, **patient) for _ in range(MANY)]
        connections: list[ClientConnection] = []
        for begin in range(0, MANY, 50):
            connections += await asyncio.gather(*opening[begin : begin + 50])
        ids = {(await hear(one, "welcome"))["connection_id"] for one in connections}
        assert len(ids) == MANY
        held = server.memory
        for number in range(5):
            await ask(connections[number], {"type": "say", "text": f"number {number}"})
            said = await asyncio.gather(*(hear(one, "said") for one in connections))
            assert {message["text"] for message in said} == {f"number {number}"}
        # All at once, each to all.
        await asyncio.gather(*(ask(one, {"type": "say", "text": "now"}) for one in connections[:50]))
        for one in connections:
            assert {(await hear(one, "said"))["text"] for _ in range(50)} == {"now"}
        grown = server.memory - held
        await asyncio.gather(*(one.close() for one in connections))
        return grown

    assert asyncio.run(asyncio.wait_for(run(), SECONDS * 3)) < 64 * 1024 * 1024
    with connect_in_thread(server.url, origin=server.origin) as last:
        wait_until(lambda: ping(last) == 1)
    server.stop()
    assert server.events == []


def test_a_client_that_takes_nothing_is_cut_and_the_others_notice_nothing(server: Server) -> None:
    text = "x" * 2000
    with (
        connect_in_thread(server.url, origin=server.origin, compression=None) as speaker,
        socket.socket() as sleeper,
    ):
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.connect(("127.0.0.1", server.port))
        sleeper.sendall(handshake(server))
        wait_until(lambda: ping(speaker) == 2)
        held = server.memory
        said = 0
        # Until it is cut: more than what systems and the queue hold for it.
        while ping(speaker) == 2:
            assert said < 50_000_000
            for _ in range(100):
                speaker.send(json.dumps({"type": "say", "text": text}))
            for _ in range(100):
                assert json.loads(speaker.recv(timeout=SECONDS))["type"] == "said"
            said += 100 * len(text)
        assert said > MAX_WAITING_BYTES
        assert server.memory - held < 32 * 1024 * 1024
    server.stop()
    assert server.events == []


def handshake(server: Server) -> bytes:
    lines = [
        f"GET {PATH} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Origin: {server.origin}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_stopping_server_says_so_to_everybody_and_reports_nothing(server: Server) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connect_in_thread(server.url, origin=server.origin)) for _ in range(20)]
        assert ping(connections[-1]) == 20
        server.process.terminate()
        for connection in connections:
            assert end_of(connection) == 1012
    server.process.wait(timeout=SECONDS)
    assert server.events == []


def test_a_message_above_the_servers_own_limit_closes_only_its_connection(server: Server) -> None:
    with (
        connect_in_thread(server.url, origin=server.origin) as other,
        connect_in_thread(server.url, origin=server.origin) as one,
    ):
        one.send("x" * 100_000)
        assert end_of(one) == 1009
        wait_until(lambda: ping(other) == 1)
    server.stop()
    assert server.events == []


def test_a_failing_message_is_one_event_with_the_connection_id(server: Server) -> None:
    with connect_in_thread(server.url, origin=server.origin) as connection:
        connection_id = json.loads(connection.recv(timeout=SECONDS))["connection_id"]
        connection.send('{"type": "break"}')
        event_id = json.loads(connection.recv(timeout=SECONDS))["event_id"]
    server.stop()
    (envelope,) = server.events
    assert event_id.encode() in envelope
    assert connection_id.encode() in envelope


class TeapotError(AppError):
    """What a route of a test raises."""


broken = APIRouter()


@broken.websocket("/broken/{when}")
async def break_connection(websocket: WebSocket, when: str) -> None:
    if when == "before":
        raise TeapotError("Not here.")
    await websocket.accept()
    await websocket.receive_text()
    if when == "expected":
        raise TeapotError("Not now.")
    raise LookupError("The connection broke")


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Run the application in a thread of this process, with the logs of the real server."""
    config = uvicorn.Config(app, port=free_port(), log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield config.port
    finally:
        server.should_exit = True
        thread.join()


def test_what_escapes_from_a_connection_is_one_event_and_not_repeated_by_the_server(
    make_app: MakeApp, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    with (
        serving(make_app(broken)) as port,
        connect_in_thread(f"ws://127.0.0.1:{port}/broken/after") as connection,
    ):
        connection.send("now")
        assert end_of(connection) is None
    (event,) = sent.events
    assert [exception["type"] for exception in values(event)] == ["LookupError"]


def test_a_failure_of_the_room_is_one_event_with_the_tags_and_closes_the_connection(
    make_app: MakeApp, start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = start_sentry(ENVIRONMENT="development")

    async def fail(text: str, *_: object, **__: object) -> None:
        raise LookupError(f"The room broke after {len(text)}")

    monkeypatch.setattr(routes, "answer", fail)
    with serving(make_app()) as port:
        origin = Origin(f"http://127.0.0.1:{port}")
        with connect_in_thread(f"ws://127.0.0.1:{port}{PATH}", origin=origin) as connection:
            connection_id = json.loads(connection.recv(timeout=SECONDS))["connection_id"]
            connection.send(CANARY)
            assert end_of(connection) == 1011
    (event,) = sent.events
    assert [exception["type"] for exception in values(event)] == ["LookupError"]
    assert event["tags"]["websocket"] == "true"
    assert event["tags"]["connection_id"] == connection_id
    assert CANARY.encode() not in sent.raw


@pytest.mark.parametrize("number", range(10))
def test_of_two_failures_at_once_that_of_the_code_is_not_lost(number: int) -> None:
    async def fail(error: Exception) -> None:
        raise error

    with pytest.raises(LookupError, match=str(number)):
        asyncio.run(routes._first_of(fail(LookupError(number)), fail(WebSocketDisconnect())))


def test_an_expected_error_closes_an_open_connection_and_is_no_event(
    make_app: MakeApp, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    with serving(make_app(broken)) as port:
        with connect_in_thread(f"ws://127.0.0.1:{port}/broken/expected") as connection:
            connection.send("now")
            assert end_of(connection) == 1008
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        with Client(headers={**headers, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}) as client:
            answer = client.get(f"http://127.0.0.1:{port}/broken/before")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Not here."
    assert sent.events == []


def test_the_servers_own_lines_name_no_query_and_no_visitor(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    with serving(make_app()) as port:
        url, origin = f"ws://127.0.0.1:{port}{PATH}?ticket={CANARY}", Origin(f"http://127.0.0.1:{port}")
        headers = {"X-Forwarded-For": "203.0.113.77"}
        with connect_in_thread(url, origin=origin, additional_headers=headers) as connection:
            connection.recv(timeout=SECONDS)
            connection.send('{"type": "break"}')
            connection.recv(timeout=SECONDS)
    assert len(sent.events) == 1
    assert CANARY.encode() not in sent.raw
    assert b"203.0.113.77" not in sent.raw
