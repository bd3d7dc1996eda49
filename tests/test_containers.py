"""The containers of the tests end with the program that has started them, however that ends."""

import os
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from harness.containers import end_those_of_killed_programs
from harness.processes import HOST, clean_environment, free_port, is_taken, poll

WAITING = """
import sys
from harness.containers import containers
with containers() as running:
    options = ("--detach", "--publish", f"{sys.argv[1]}:8080", "docker.io/library/python:3.13-slim", "sleep", "600")
    name = running.docker("run", *options).stdout.split()[-1]
    print(running.docker("inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", name).stdout, flush=True)
    sys.stdin.read()
"""


def test_what_is_left_of_a_killed_program_and_its_containers_is_in_nobody_s_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    command = [sys.executable, "-c", WAITING, f"{HOST}:{port}"]
    # In a folder of its own, or another run would end it too. That of pytest is too long for the path of a socket.
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        environment = clean_environment({"TMPDIR": folder})
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        ) as program:
            assert program.stdout
            watching, contained = program.stdout.readline().split()
            # First of all what would say that the container has ended.
            for process in (watching, contained, program.pid):
                os.kill(int(process), signal.SIGKILL)
        with poll(lambda: listening(port), awaiting="the port that the killed one held"):
            assert not is_taken(port), "The port still leads to the container."
            end_those_of_killed_programs()
            assert is_taken(port)


def listening(port: int) -> socket.socket | None:
    """Return a server on the port, or nothing as long as somebody else has it."""
    try:
        return socket.create_server((HOST, port))
    except OSError:
        return None
