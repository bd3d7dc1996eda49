"""`make demo`, as a newcomer runs it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.processes import poll, start, stop
from harness.project import ROOT
from tests.processes import alive, descendants

# A DSN of the developer's own: the errors of a demo must not get there.
ENVIRONMENT = {**os.environ, "npm_config_prefer_offline": "true", "SENTRY_DSN": "http://developer@127.0.0.1:9/1"}


def demo(destination: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", "demo", f"ARGS=--once --into {destination}"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demos of this module put their project."""
    return tmp_path_factory.mktemp("demo") / "project"


def line_of(file: Path, text: str) -> int:
    """Return the number of the first line that contains a text."""
    lines = file.read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_the_demo_shows_both_errors_with_their_source_lines_and_ends(destination: Path) -> None:
    result = demo(destination)
    assert result.returncode == 0, result.stdout + result.stderr
    route = "backend/app/api/routes/diagnostics.py"
    page = "frontend/src/features/diagnostics/DiagnosticsPage.tsx"
    raised = line_of(destination / route, "the backend broke on purpose")
    thrown = line_of(destination / page, "the browser broke on purpose")
    for row in (
        r"event id +\| [0-9a-f]{32} +\| [0-9a-f]{32}",
        r"type +\| RuntimeError +\| Error",
        r"message +\| Diagnostics: the backend broke on purpose +\| Diagnostics: the browser broke on purpose",
        r"environment +\| development +\| development",
        r"release +\| (my-app@0\.1\.0\+[0-9a-f]{12}) +\| \1",
        rf"source +\| {re.escape(route)}:{raised} +\| {re.escape(page)}:{thrown}",
    ):
        assert re.search(row, result.stdout), (row, result.stdout)


def test_the_demo_fails_with_a_sentence_when_an_event_is_missing(destination: Path) -> None:
    (destination / ".env").write_text("VITE_SENTRY_DSN=\n", "utf-8")
    result = demo(destination)
    (destination / ".env").unlink()
    assert result.returncode != 0
    assert "An event is missing or does not lead to a source line." in result.stderr
    assert "did not arrive" in result.stdout
    assert "Traceback" not in result.stderr


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("# mine\n", "utf-8")
    result = demo(tmp_path)
    assert result.returncode != 0
    assert f"{tmp_path} is no generated project" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
    assert (tmp_path / "Makefile").read_text("utf-8") == "# mine\n"


def test_the_demo_leaves_uncommitted_work_in_its_project_alone(destination: Path) -> None:
    makefile = destination / "Makefile"
    before = makefile.read_text("utf-8")
    makefile.write_text(before + "# mine\n", "utf-8")
    result = demo(destination)
    assert result.returncode != 0
    assert "has changes that are not committed" in result.stderr
    assert makefile.read_text("utf-8") == before + "# mine\n"
    makefile.write_text(before, "utf-8")


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """Let started programs heed Ctrl-C. Where a shell started the suite in the background, they would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_demo_that_keeps_running_stops_everything_with_its_terminal(
    number: signal.Signals, destination: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = ["make", "--no-print-directory", "demo", f"ARGS=--into {destination}"]
    process = start(command, cwd=ROOT, log=log, environment=ENVIRONMENT)
    try:
        poll(lambda: "Stop with Ctrl-C" in log.read_text("utf-8"), awaiting="the table of the demo", seconds=300)
        started = descendants(process.pid)
        assert len(started) >= 5
        os.killpg(process.pid, number)
        poll(lambda: not any(map(alive, started)), awaiting="the end of everything that the demo started")
    finally:
        stop(process)
