"""What the tests share: a transport that keeps what would have been sent, and a server that takes it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import sentry_sdk
from fastapi import FastAPI
from sentry_sdk.envelope import Envelope, Item
from sentry_sdk.transport import Transport

from app.core.config import Settings
from app.core.sentry.transport import ScrubbingTransport

DSN = "https://public@sentry.example.com/1"
RELEASE = "my-app@0.1.0+4f2c9ab01d3e"

# What extensions insist on there: tests/extensions/<name>/production.json
_PRODUCTION = sorted(Path(__file__).parent.glob("extensions/*/production.json"))
PRODUCTION = {
    "ENVIRONMENT": "production",
    **{name: value for file in _PRODUCTION for name, value in json.loads(file.read_text("utf-8")).items()},
}
"""Variables with which the process starts as in production."""

Payload = dict[str, Any]
StartSentry = Callable[..., "Sent"]
MakeApp = Callable[..., FastAPI]
LoadSettings = Callable[..., Settings]


class Recorder(Transport):
    """Stands where the SDK's HTTP transport stands, and keeps the bytes of each envelope."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.envelopes: list[bytes] = []
        self.lost: list[tuple[str, str | None]] = []
        self.arrived = threading.Condition()

    def capture_envelope(self, envelope: Envelope) -> None:
        with self.arrived:
            self.envelopes.append(envelope.serialize())
            self.arrived.notify_all()

    def record_lost_event(
        self,
        reason: str,
        data_category: str | None = None,
        item: Item | None = None,
        *,
        quantity: int = 1,
    ) -> None:
        del item, quantity
        self.lost.append((reason, data_category))


class RecordingTransport(ScrubbingTransport):
    """The transport of the application, up to the point where bytes would leave."""

    inner = Recorder

    @property
    def recorder(self) -> Recorder:
        assert isinstance(self._inner, Recorder)
        return self._inner


class Sent:
    """What was sent so far."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @property
    def raw(self) -> bytes:
        """The bytes of all envelopes."""
        sentry_sdk.flush()
        return b"\n".join(self._recorder.envelopes)

    @property
    def lost(self) -> list[tuple[str, str | None]]:
        """Reason and category of what was dropped."""
        return self._recorder.lost

    @property
    def types(self) -> list[str]:
        """The type of each item."""
        return [str(item.type) for item in self._items()]

    @property
    def events(self) -> list[Payload]:
        return self.items("event")

    @property
    def transactions(self) -> list[Payload]:
        return self.items("transaction")

    @property
    def logs(self) -> list[Payload]:
        return [log for batch in self.items("log") for log in batch["items"]]

    def items(self, kind: str) -> list[Payload]:
        """The payloads of one type of item."""
        return [json.loads(item.get_bytes()) for item in self._items() if item.type == kind]

    def wait_for(self, kind: str) -> list[Payload]:
        """Return ``items`` once there is one: some kinds come from a thread of the SDK."""
        self.wait_for_types(kind)
        return self.items(kind)

    def wait_for_types(self, *kinds: str) -> None:
        """Wait until there is an item of each of these types."""
        with self._recorder.arrived:
            arrived = self._recorder.arrived.wait_for(lambda: set(kinds) <= set(self.types), timeout=60)
        assert arrived, f"{kinds} are not all among {self.types}"

    def _items(self) -> list[Item]:
        sentry_sdk.flush()
        return [item for envelope in self._recorder.envelopes for item in Envelope.deserialize(envelope).items]


def values(event: Payload) -> list[Payload]:
    """Return the exceptions of an event, the outermost last."""
    exceptions: list[Payload] = event["exception"]["values"]
    return exceptions


@dataclass(frozen=True)
class Received:
    """A request that arrived; the names of its headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Ingest:
    """A server on the loopback that takes envelopes as Sentry does, and answers as the test says."""

    port: int = 0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    closes: bool = False
    """Whether it closes the connection without an answer."""
    closes_once: bool = False
    """Whether it does so with the next request alone, as a server closes a connection that was idle for too long."""
    requests: list[Received] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def dsn(self) -> str:
        """The DSN whose events arrive here."""
        return f"http://public@127.0.0.1:{self.port}/1"


@contextmanager
def receiving() -> Iterator[Ingest]:
    """Run a server for the length of a ``with`` block. Clear ``may_answer`` to make it wait."""
    ingest = Ingest()
    ingest.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            ingest.requests.append(Received(self.path, headers, body))
            ingest.may_answer.wait()
            if ingest.closes or ingest.closes_once:
                ingest.closes_once = False
                self.close_connection = True
                return
            self.send_response(ingest.status)
            for name, value in {"Content-Length": str(len(ingest.body)), **ingest.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(ingest.body if self.command != "HEAD" else b"")

        do_HEAD = do_POST = answer  # noqa: N815 the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        ingest.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ingest
        finally:
            ingest.may_answer.set()
            server.shutdown()
            thread.join()
