"""Start real servers on free ports, wait until they answer, stop them with all their children."""

import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler
from typing import TypeVar

import httpx

HOST = "127.0.0.1"
FIRST_PORT, PORTS = 11_000, 20_000
T = TypeVar("T")


class DeadlineError(Exception):
    """Something did not happen in time; the message says what was awaited."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on.

    It is none of those that systems hand out, from 32768 on, or somebody else might soon be given it.
    """
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with suppress(OSError), socket.create_server((HOST, port)):
            return port


def is_taken(port: int) -> bool:
    """Say whether a program listens on the port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def poll(check: Callable[[], T | None], *, awaiting: str, seconds: float = 30) -> T:
    """Call ``check`` until it returns something true, and return that.

    Args:
        check: called about ten times a second.
        awaiting: what the error names.
        seconds: the deadline.

    Raises:
        DeadlineError: nothing true came before the deadline.
    """
    deadline = time.monotonic() + seconds
    while not (result := check()):
        if time.monotonic() > deadline:
            raise DeadlineError(f"Waited {seconds:g} s in vain for {awaiting}.")
        time.sleep(0.1)
    return result


def answers(url: str) -> bool:
    """Say whether an HTTP server answers at the address, with whatever status."""
    try:
        httpx.get(url, timeout=10)
    except httpx.HTTPError:
        return False
    return True


def start(
    command: Sequence[str], *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, its output going to the file ``log``."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: "subprocess.Popen[bytes]", *, seconds: float = 30) -> None:
    """End a program made by :func:`start` and its group, and wait until the whole group has ended.

    The first of a group, such as ``make``, ends before those that still stop servers of their own.

    Raises:
        DeadlineError: something outlived even SIGKILL.
    """

    def await_end() -> None:
        poll(lambda: group_ended(process), awaiting=f"the end of process group {process.pid}", seconds=seconds)

    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            await_end()
        except DeadlineError:
            os.killpg(process.pid, signal.SIGKILL)
            await_end()
    process.wait()


def group_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Say whether a program made by :func:`start` and all of its group have ended."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the present environment without Sentry's settings and those of a pipeline, and with ``more``."""
    foreign = ("GITHUB_", "CI_")
    own = {
        name: value
        for name, value in os.environ.items()
        if "SENTRY" not in name and name != "ENVIRONMENT" and not name.startswith(foreign)
    }
    return {**own, **(more or {})}


@contextmanager
def serving(
    command: Sequence[str],
    url: str,
    *,
    cwd: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server for the length of a ``with`` block, entered with its process once ``url`` answers.

    Raises:
        DeadlineError: the server ended or did not answer in time; the message ends with its output.
    """
    process = start(command, cwd=cwd, log=log, environment=environment)

    def ready_or_ended() -> bool:
        return process.poll() is not None or answers(url)

    try:
        try:
            poll(ready_or_ended, awaiting=url, seconds=seconds)
        except DeadlineError as error:
            raise DeadlineError(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from None
        if process.poll() is not None:
            output = log.read_text(errors="replace")[-4000:]
            raise DeadlineError(f"{command[0]} ended with code {process.returncode} before {url} answered:\n{output}")
        yield process
    finally:
        stop(process)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # as many as may come at once; the others would wait for a second


@contextmanager
def handling(handler: Callable[..., BaseRequestHandler]) -> Iterator[int]:
    """Run an HTTP server of this process on a free port for the length of a ``with`` block, entered with its port.

    Each request has a thread of its own; those that hang are left behind.
    """
    with _HttpServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
