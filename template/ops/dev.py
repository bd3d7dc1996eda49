"""Start the API, the web page and a local Sentry viewer together: ``make dev``.

Ports come from ``API_PORT``, ``WEB_PORT`` and ``VIEWER_PORT`` (environment or ``.env``). Both sides report
to the viewer through an ordinary DSN, so sampling and scrubbing are those of the real thing. A DSN that is
set already is kept; one that is set but empty keeps Sentry off.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from honcho.manager import Manager

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
DEFAULT_PORTS = {"API_PORT": 8000, "WEB_PORT": 5173, "VIEWER_PORT": 8969}
START_DEADLINE_SECONDS = 120


class ConfigurationError(Exception):
    """Something a person has to change; the message says what."""


def read_ports(settings: Mapping[str, str]) -> dict[str, int]:
    """Return the port of each server by variable name.

    Raises:
        ConfigurationError: a value is no port number, two are equal, or a port is taken.
    """
    ports: dict[str, int] = {}
    for name, default in DEFAULT_PORTS.items():
        text = settings.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
            raise ConfigurationError(f"{name}: {text!r} is not a port number between 1 and 65535.")
        port = int(text)
        if port in ports.values():
            raise ConfigurationError(f"{name}: port {port} is given to two servers.")
        if is_taken(port):
            raise ConfigurationError(
                f"{name}: port {port} is taken by another program. "
                f"Stop it, or choose another port: {name}={port + 1} make dev"
            )
        ports[name] = port
    return ports


def is_taken(port: int) -> bool:
    """Say whether some program listens on the port, on this machine's loopback or on every address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def child_environment(settings: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    """Return the environment of the servers: the present one, the ports, and a DSN for each side."""
    viewer = f"http://viewer@{HOST}:{ports['VIEWER_PORT']}"
    return {
        **os.environ,
        **{name: str(port) for name, port in ports.items()},
        "PYTHONUNBUFFERED": "1",
        # In so many words: what only development may do asks for them.
        "ENVIRONMENT": settings.get("ENVIRONMENT") or "development",
        "SENTRY_DSN": settings.get("SENTRY_DSN", f"{viewer}/1"),
        "VITE_SENTRY_DSN": settings.get("VITE_SENTRY_DSN", f"{viewer}/2"),
    }


def settings_complaint(environment: Mapping[str, str]) -> str:
    """Return what the API says against its settings, or nothing; under a reloader it would say it and stay."""
    start = [sys.executable, "-c", "import app.main"]
    result = subprocess.run(start, cwd=ROOT / "backend", env=environment, capture_output=True, text=True, check=False)
    return result.stderr.strip() if result.returncode else ""


def announce_when_ready(urls: Mapping[str, str]) -> None:
    """Print the addresses once every server answers, below the noise of their starting."""
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    waiting = dict(urls)
    while waiting and time.monotonic() < deadline:
        waiting = {name: url for name, url in waiting.items() if not answers(url)}
        time.sleep(0.2)
    if waiting:
        lines = [f"No answer after {START_DEADLINE_SECONDS} s from: {', '.join(waiting)}. Look for its messages above."]
    else:
        lines = [f"{name:<14} {url}" for name, url in urls.items()] + ["Stop with Ctrl-C."]
    print("\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)


def answers(url: str) -> bool:
    """Say whether an HTTP server answers at the address, with whatever status."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def main() -> int:
    """Run until Ctrl-C or until one server ends, then stop the others.

    Returns:
        0 after Ctrl-C, 2 for a configuration error, otherwise the code of the server that ended first.
    """
    file_settings = {name: value or "" for name, value in dotenv_values(ROOT / ".env").items()}
    settings = {**file_settings, **os.environ}
    try:
        ports = read_ports(settings)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2

    environment = child_environment(settings, ports)
    if complaint := settings_complaint(environment):
        print(complaint, file=sys.stderr)
        return 2
    api = [sys.executable, "-m", "uvicorn", "app.main:app", "--reload", "--reload-dir", "app"]
    api += ["--host", HOST, "--port", str(ports["API_PORT"]), "--timeout-graceful-shutdown", "3"]
    web = ["node_modules/.bin/vite", "--host", HOST, "--port", str(ports["WEB_PORT"]), "--strictPort"]
    viewer = ["node", "scripts/viewer.mjs", str(ports["VIEWER_PORT"])]

    manager = Manager()
    manager.add_process("api", shlex.join(api), env=environment, cwd=str(ROOT / "backend"))
    manager.add_process("web", shlex.join(web), env=environment, cwd=str(ROOT / "frontend"))
    manager.add_process("viewer", shlex.join(viewer), env=environment, cwd=str(ROOT / "frontend"))

    # A closed terminal must stop the servers as Ctrl-C does: each runs in a session of its own.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    urls = {
        "Web page": f"http://{HOST}:{ports['WEB_PORT']}",
        "API": f"http://{HOST}:{ports['API_PORT']}/docs",
        "Sentry viewer": f"http://{HOST}:{ports['VIEWER_PORT']}",
    }
    threading.Thread(target=announce_when_ready, args=(urls,), daemon=True).start()
    manager.loop()
    stopped_by_hand = {128 + signal.SIGINT, 128 + signal.SIGTERM}
    return 0 if manager.returncode in stopped_by_hand else manager.returncode or 0


if __name__ == "__main__":
    sys.exit(main())
