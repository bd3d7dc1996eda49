"""Run `make dev` of a generated project and break it with a click."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from harness.processes import HOST, DeadlineError, free_port, is_taken, poll, start, stop
from harness.project import Project

PORTS = {"API_PORT": 8000, "WEB_PORT": 5173, "VIEWER_PORT": 8969}
READY = "Stop with Ctrl-C"
PAGE_TIMEOUT_MILLISECONDS = 60_000
BUTTONS = ("Break the backend", "Break the browser")


@dataclass(frozen=True)
class Servers:
    """The addresses of a running `make dev`, and its process."""

    web: str
    api: str
    viewer: str
    process: "subprocess.Popen[bytes]"


def choose_port(name: str, default: int) -> int:
    """Return the port that the environment variable names, else the usual one, else any free one."""
    if chosen := os.environ.get(name):
        return int(chosen)
    return free_port() if is_taken(default) else default


@contextmanager
def developing(project: Project, log: Path, environment: dict[str, str] | None = None) -> Iterator[Servers]:
    """Run `make dev` for the length of a ``with`` block, entered once every server answers.

    Raises:
        DeadlineError: the command ended early or did not get ready; the message ends with its output.
    """
    settings = {name: str(choose_port(name, default)) for name, default in PORTS.items()} | (environment or {})
    command = ["make", "--no-print-directory", "dev"]
    process = start(command, cwd=project.path, log=log, environment=settings)

    def ready_or_ended() -> bool:
        return process.poll() is not None or READY in log.read_text("utf-8", errors="replace")

    try:
        poll(ready_or_ended, awaiting="the servers of make dev", seconds=180)
        if process.poll() is not None:
            raise DeadlineError(f"make dev ended early:\n{log.read_text('utf-8', errors='replace')[-4000:]}")
        web, api, viewer = (f"http://{HOST}:{settings[name]}" for name in ("WEB_PORT", "API_PORT", "VIEWER_PORT"))
        yield Servers(web, api, viewer, process)
    finally:
        stop(process)


def break_both_sides(page: Page, web: str) -> None:
    """Click the two buttons of the diagnostics page and wait until each error shows up in its list.

    Raises:
        playwright.sync_api.Error: the page did not load, or an error did not show up.
    """
    page.set_default_timeout(PAGE_TIMEOUT_MILLISECONDS)
    page.goto(web)
    for count, name in enumerate(BUTTONS):
        page.get_by_role("button", name=name).click()
        page.get_by_role("log").get_by_role("listitem").nth(count).wait_for()
