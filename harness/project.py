"""Render projects from the template and run their commands."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from copier import run_copy

from harness.processes import clean_environment

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Project:
    """A generated project on disk."""

    path: Path

    def run(
        self, *command: str, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the project's root and return it with its output.

        Raises:
            AssertionError: ``check`` is set and the command failed; the message is its output.
        """
        result = subprocess.run(
            command,
            cwd=self.path,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode != 0:
            output = (result.stdout + result.stderr)[-8000:]
            raise AssertionError(f"{' '.join(command)} ended with code {result.returncode} in {self.path}:\n{output}")
        return result

    def make(
        self, *targets: str, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``make`` with targets of the project's Makefile."""
        return self.run("make", "--no-print-directory", *targets, environment=environment, check=check)

    def link_packages(self, other: "Project") -> None:
        """Give this project the installed packages of another's page, without a copy of each file.

        Raises:
            AssertionError: their lock files differ.
        """
        own, others = self.path / "frontend", other.path / "frontend"
        lock = "package-lock.json"
        if (own / lock).read_bytes() != (others / lock).read_bytes():
            raise AssertionError(f"{self.path} has not the {lock} of {other.path}")
        # What tools keep there is of one project.
        ignored = shutil.ignore_patterns(".vite*", ".ready")
        modules = own / "node_modules"
        shutil.copytree(others / "node_modules", modules, symlinks=True, copy_function=os.link, ignore=ignored)
        (modules / ".ready").touch()

    def has_changes(self) -> bool:
        """Say whether something is not yet recorded in the project's git repository."""
        return not (self.path / ".git").exists() or bool(self.run("git", "status", "--porcelain").stdout)

    def commit(self, message: str) -> None:
        """Record everything in the project's git repository, made on first use."""
        if not (self.path / ".git").exists():
            self.run("git", "init", "--quiet", "--initial-branch", "main")
        self.run("git", "add", "--all")
        identity = ("-c", "user.name=Owner", "-c", "user.email=owner@example.com", "-c", "commit.gpgsign=false")
        self.run("git", *identity, "commit", "--quiet", "--no-verify", "--message", message)


def example(name: str) -> dict[str, object]:
    """Return the answers of ``examples/<name>.yml``."""
    answers: dict[str, object] = yaml.safe_load((EXAMPLES / f"{name}.yml").read_text("utf-8"))
    return answers


def render(template: Path, destination: Path, answers: Mapping[str, object], *, overwrite: bool = False) -> Project:
    """Generate a project without trust, every question not in ``answers`` taking its default."""
    run_copy(
        str(template),
        destination,
        data=dict(answers),
        defaults=True,
        overwrite=overwrite,
        quiet=True,
        vcs_ref="HEAD",
    )
    return Project(destination)
