"""`make demo`, as a newcomer runs it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.project import ROOT


def demo(destination: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", "demo", f"ARGS=--once --into {destination}"],
        cwd=ROOT,
        env={**os.environ, "npm_config_prefer_offline": "true", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demos of this module put their project."""
    return tmp_path_factory.mktemp("demo") / "project"


def source_lines(project: Path, text: str) -> list[int]:
    """Return the numbers of the lines of a file that contain a text."""
    lines = next(project.glob(text.partition("|")[0])).read_text("utf-8").splitlines()
    return [number for number, line in enumerate(lines, start=1) if text.partition("|")[2] in line]


def test_the_demo_shows_both_errors_with_their_source_lines_and_ends(destination: Path) -> None:
    result = demo(destination)
    assert result.returncode == 0, result.stdout + result.stderr
    backend = source_lines(destination, "backend/app/api/routes/diagnostics.py|raise RuntimeError(")
    browser = source_lines(
        destination, "frontend/src/features/diagnostics/DiagnosticsPage.tsx|browser broke on purpose"
    )
    for row in (
        r"event id +\| [0-9a-f]{32} +\| [0-9a-f]{32}",
        r"type +\| RuntimeError +\| Error",
        r"message +\| Diagnostics: the backend broke on purpose +\| Diagnostics: the browser broke on purpose",
        r"environment +\| development +\| development",
        r"release +\| (my-app@0\.1\.0\+[0-9a-f]{12}) +\| \1",
        rf"backend/app/api/routes/diagnostics\.py:{backend[0]} ",
        rf"frontend/src/features/diagnostics/DiagnosticsPage\.tsx:{browser[0]}",
    ):
        assert re.search(row, result.stdout), (row, result.stdout)


def test_the_demo_fails_with_a_sentence_when_an_event_is_missing(destination: Path) -> None:
    result = demo(destination, VITE_SENTRY_DSN="")
    assert result.returncode != 0
    assert "could not be completed: the page did not show both errors" in result.stderr
    assert "Traceback" not in result.stderr
