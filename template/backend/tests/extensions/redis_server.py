"""A real Redis for tests, with a password, on a free port, with nothing kept."""

import socket
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tests.extensions.servers import find_program, free_port, running_program

PASSWORD = "hunter2-of-redis"


@dataclass(frozen=True)
class RedisServer:
    """Where it listens, or would listen."""

    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def running(self) -> "AbstractContextManager[subprocess.Popen[str]]":
        """Run it for the length of a ``with`` block."""
        program = find_program("redis-server", package="redis-server")
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "requirepass": PASSWORD}
        command = [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
        return running_program(command, is_ready=self._answers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as caller:
                caller.sendall(b"PING\r\n")
                return caller.recv(64).startswith(b"-NOAUTH")
        except OSError:
            return False
