"""The release."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.contracts import ROOT, project
from app.core.sentry.release import find_commit, find_release

GIT = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the two files that name a release, below no other repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "project.json").write_text('{"slug": "ledger"}', encoding="utf-8")
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n', encoding="utf-8")
    return tmp_path


def commit(folder: Path) -> None:
    for arguments in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message", "Start"]):
        subprocess.run([*GIT, *arguments], cwd=folder, check=True)


def test_a_commit_is_part_of_the_release(repository: Path) -> None:
    commit(repository)

    assert re.fullmatch(r"ledger@1\.2\.3\+[0-9a-f]{12}", find_release(repository))


def test_without_a_repository_the_version_has_to_do(repository: Path) -> None:
    assert find_release(repository) == "ledger@1.2.3"


def test_without_a_commit_the_version_has_to_do(repository: Path) -> None:
    subprocess.run([*GIT, "init", "--quiet"], cwd=repository, check=True)

    assert find_release(repository) == "ledger@1.2.3"


def test_without_git_the_version_has_to_do(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository)
    monkeypatch.setenv("PATH", "")

    assert find_commit(repository) is None
    assert find_release(repository) == "ledger@1.2.3"


def test_the_variable_wins(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRY_RELEASE", "ledger@9")

    assert find_release(repository) == "ledger@9"


def test_an_empty_variable_does_not_win(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRY_RELEASE", "")

    assert find_release(repository) == "ledger@1.2.3"


def test_the_script_prints_the_release_of_this_project_without_anything_installed() -> None:
    script = ROOT / "backend" / "app" / "core" / "sentry" / "release.py"

    process = subprocess.run([sys.executable, "-I", "-S", script], capture_output=True, text=True, check=True, cwd="/")

    assert process.stdout == f"{find_release()}\n"
    assert process.stdout.startswith(f"{project().slug}@")
