"""The servers that the benchmark compares: real uvicorn processes, what they cost, and a light client."""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from harness.processes import HOST, free_port, serving
from harness.project import Project

MEGABYTE = 1_000_000

SETTLING_SECONDS = 10.0
LOOK_SECONDS, QUIET_LOOKS = 0.02, 2
IDLE_SHARE = 0.04
"""Uvicorn alone wakes up ten times a second, which costs less than this share of a core."""

REQUEST = (
    b"GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAccept-Language: en\r\n"
    b"Accept-Encoding: gzip\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nReferer: http://localhost/\r\n\r\n"
)


@dataclass
class Client:
    """One connection that is kept open. Cheap, because it shares the machine with what it measures."""

    port: int
    _socket: socket.socket | None = field(default=None, init=False)

    def get(self, path: str) -> None:
        """Ask for a path, as a browser does, and read the answer."""
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self.port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(REQUEST.replace(b"{}", path.encode()))
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(self._socket)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += _received(self._socket)
        if int(head[9:12]) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # Uvicorn closes the connection after an error that nothing handled.
            self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket:
            self._socket.close()
            self._socket = None


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("The server closed the connection before it had answered.")
    return data


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    pid: int
    port: int

    @property
    def cpu(self) -> float:
        """Seconds of CPU, user and system, that all threads of the process have used so far."""
        # The clock of another process, as clock_getcpuclockid(3) makes it; /proc/<pid>/stat counts in steps of 10 ms.
        return time.clock_gettime((~self.pid << 3) | 2)

    @property
    def resident(self) -> float:
        """Memory of the process that is in RAM, in megabytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * 4096 / MEGABYTE

    def settle(self) -> None:
        """Wait until the process has nothing left to do, such as delivering what it captured."""
        used, quiet = self.cpu, 0
        deadline = time.monotonic() + SETTLING_SECONDS
        while quiet < QUIET_LOOKS and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            before, used = used, self.cpu
            quiet = quiet + 1 if used - before < IDLE_SHARE * LOOK_SECONDS else 0


@dataclass(frozen=True)
class Variant:
    """A server to start: its name, the variant of ``small_app`` that it runs, and its environment."""

    name: str
    application: str
    environment: Mapping[str, str]


@contextmanager
def running(project: Project, variants: Sequence[Variant], logs: Path) -> Iterator[dict[str, Server]]:
    """Run all variants for the length of a ``with`` block, as the generated image runs its own: one uvicorn each."""
    with ExitStack() as stack:
        yield {variant.name: stack.enter_context(_running(project, variant, logs)) for variant in variants}


@contextmanager
def _running(project: Project, variant: Variant, logs: Path) -> Iterator[Server]:
    backend, port = project.path / "backend", free_port()
    command = [str(backend / ".venv/bin/uvicorn"), "app.small_app:app"]
    command += ["--host", HOST, "--port", str(port), "--no-server-header", "--timeout-keep-alive", "600"]
    own = {"ENVIRONMENT": "production", "BENCHMARK_VARIANT": variant.application}
    url, log = f"http://{HOST}:{port}/health/live", logs / f"{port}.log"
    with serving(command, url, cwd=backend, log=log, environment={**own, **variant.environment}) as process:
        yield Server(variant.name, process.pid, port)
