"""Real servers for the tests of extensions: programs of this machine, each on a free port of the loopback."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

FIRST_PORT, PORTS = 11_000, 20_000


def free_port() -> int:
    """Return a port of the loopback that nobody listens on.

    It is none of those that systems hand out, from 32768 on, or somebody else might soon be given it.
    """
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def find_program(name: str, *, package: str, folders: Sequence[Path] = ()) -> str:
    """Return the path of a program; a test that needs it fails where it is missing.

    Args:
        name: The program.
        package: What installs it, for the message.
        folders: Where else it may be, besides ``PATH``.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, folders)])
    program = shutil.which(name, path=path)
    assert program, f"{name} is missing, which these tests start: sudo apt-get install {package}"
    return program


@contextmanager
def running_program(
    command: Sequence[str],
    *,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    seconds: float = 120,
) -> Iterator["subprocess.Popen[str]"]:
    """Run a server for the length of a ``with`` block, from when it is ready on.

    Args:
        command: The program and its arguments.
        is_ready: Says whether it answers.
        environment: Variables besides those of this process.
        seconds: How long it may take until then; what it printed is the message when it takes longer.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            deadline = time.monotonic() + seconds
            while not is_ready():
                if server.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise AssertionError(f"{command[0]} is not ready (exit code {server.poll()}):\n{output.read()}")
                time.sleep(0.05)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
