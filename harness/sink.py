"""A loopback server that takes envelopes as Sentry does, keeps their bytes, and misbehaves on demand."""

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from harness.processes import HOST, handling, poll


@dataclass(frozen=True)
class Delivery:
    """One request that arrived.

    Attributes:
        path: with the query.
        headers: names in lower case.
        body: uncompressed.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def items(self) -> list[tuple[dict[str, Any], bytes]]:
        """Header and payload of each item of the envelope."""
        items = []
        rest = self.body.split(b"\n", 1)[1]
        while rest.strip():
            line, _, rest = rest.partition(b"\n")
            header: dict[str, Any] = json.loads(line)
            length = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
            items.append((header, rest[:length]))
            rest = rest[length:].lstrip(b"\n")
        return items


@dataclass
class Sink:
    """What arrived so far, and how the server answers from now on.

    Attributes:
        status: the HTTP status of each answer.
        answer_headers: headers of each answer.
        delay: seconds before each answer; it ends early when the server stops.
        answering: cleared, every answer waits until it is set again.
    """

    port: int = 0
    status: int = 200
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    deliveries: list[Delivery] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Answer, until told otherwise."""
        self.answering.set()

    def dsn(self, project: int = 1) -> str:
        """Return a DSN whose events arrive here."""
        return f"http://public@{HOST}:{self.port}/{project}"

    @property
    def raw(self) -> bytes:
        """Everything that arrived: paths, headers and uncompressed bodies."""
        parts = [
            b"%s\n%s\n%s" % (delivery.path.encode(), json.dumps(dict(delivery.headers)).encode(), delivery.body)
            for delivery in self.deliveries
        ]
        return b"\n".join(parts)

    def payloads(self, kind: str) -> list[Any]:
        """Return the JSON payload of each item of a type that arrived."""
        return [
            json.loads(payload)
            for delivery in self.deliveries
            if "/envelope/" in delivery.path
            for header, payload in delivery.items
            if header["type"] == kind
        ]

    def wait_for(self, kind: str, count: int = 1, *, seconds: float = 30) -> list[Any]:
        """Return ``payloads(kind)`` once there are ``count``.

        Raises:
            DeadlineError: they did not arrive in time.
        """
        return poll(
            lambda: payloads if len(payloads := self.payloads(kind)) >= count else None,
            awaiting=f"{count} items of type {kind}",
            seconds=seconds,
        )


@contextmanager
def receiving() -> Iterator[Sink]:
    """Run a sink on a free port for the length of a ``with`` block."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is two writes: without this the second waits 40 ms for the other side to acknowledge the first, and
        # an application that ends may have too little time to send what it has.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            sink.deliveries.append(Delivery(self.path, headers, body))
            sink.stopping.wait(sink.delay)
            sink.answering.wait()
            self.send_response(sink.status)
            for name, value in sink.answer_headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            """Keep the output of the tests clean."""

    with handling(Handler) as sink.port:
        try:
            yield sink
        finally:
            sink.stopping.set()
            sink.answering.set()
