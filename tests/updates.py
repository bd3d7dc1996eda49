"""Projects of one version of the template, brought to another: what the tests of updates share."""

import filecmp
from collections.abc import Mapping
from pathlib import Path

import yaml
from copier import VcsRef, run_copy, run_update

from harness.project import Project, example
from harness.releases import IDENTITY, git
from tests.questions import ANSWERS

OWNED = {"CHANGELOG.md", "frontend/package-lock.json"}
"""Files that belong to the owner once they exist."""


def copy(template: Path, destination: Path, answers: dict[str, object], version: str | None = None) -> Project:
    """Generate a project from one version of the template, the newest by default, and commit it."""
    run_copy(str(template), destination, data=answers, defaults=True, quiet=True, vcs_ref=version)
    project = Project(destination)
    project.commit("Start")
    return project


def update(project: Project, version: str | VcsRef | None = None, answers: Mapping[str, object] | None = None) -> None:
    """Update without trust and without prompts, and expect no conflict: Copier exits with 0 in spite of one."""
    run_update(project.path, data=dict(answers or {}), defaults=True, overwrite=True, quiet=True, vcs_ref=version)
    assert unmerged(project) == set()
    assert not list(project.path.rglob("*.rej"))


def switch(project: Project, extensions: list[str]) -> None:
    """Change which extensions a project has, by an update that keeps the version."""
    update(project, VcsRef.CURRENT, {"extensions": extensions})


def unmerged(project: Project) -> set[str]:
    """Return the files that hold a conflict."""
    return {line.split("\t")[1] for line in project.run("git", "ls-files", "--unmerged").stdout.splitlines()}


def comparable(project: Project, name: str) -> dict[str, object]:
    """Return the answers of a fresh copy to compare an updated project of an example with.

    A release without the question of extensions has none of them, and an update gives it none.
    """
    stored = yaml.safe_load((project.path / ANSWERS).read_text("utf-8"))
    return example(name) | ({} if "extensions" in stored else {"extensions": []})


def files(folder: Path) -> set[str]:
    """Return the paths of all files below a folder but those of git and what Python makes of its sources."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if path.parts[0] != ".git" and "__pycache__" not in path.parts}


def differences(first: Path, second: Path) -> set[str]:
    """Return the paths that only one of two projects has, or that differ in content."""
    return {name for name in files(first) | files(second) if not same(first / name, second / name)}


def same(first: Path, second: Path) -> bool:
    """Say whether two paths are files of the same content."""
    return first.is_file() and second.is_file() and filecmp.cmp(first, second, shallow=False)


def append(path: Path, text: str) -> None:
    """Write a text at the end of a file."""
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def add_line(path: Path, after: str, line: str) -> None:
    """Write a line below the only one that begins with a text."""
    lines = path.read_text("utf-8").splitlines()
    (place,) = [number for number, present in enumerate(lines, 1) if present.startswith(after)]
    path.write_text("\n".join([*lines[:place], line, *lines[place:]]) + "\n", "utf-8")


def commit_version(template: Path, tag: str) -> None:
    """Make what was changed in a clone of the template its next version."""
    git("add", "--all", cwd=template)
    git(*IDENTITY, "commit", "--quiet", "--message", tag, cwd=template)
    git("tag", tag, cwd=template)
