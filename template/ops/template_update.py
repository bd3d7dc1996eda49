"""Offer the newest version of the template as a pull request: ``make template-update``.

The pipeline runs it every week. It needs ``TEMPLATE_UPDATE_TOKEN``, because a pipeline's own token may not push
workflow files, and what it pushes starts no checks. Conflicts never hide: the pull request is a draft that lists the
files, which hold Copier's markers, and ``make lint`` and ``make build`` fail while one of them is there.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.pull_requests import SCOPES, Host, HostError, find_host
from ops.release import report

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ".copier-answers.yml"
VARIABLE = "TEMPLATE_UPDATE_TOKEN"
COPIER = ("uvx", "--quiet", "--from", "copier>=9.19.1,<10", "copier")
NAME, EMAIL = "Template update", "template-update@localhost"
AUTHOR = {"GIT_AUTHOR_NAME": NAME, "GIT_AUTHOR_EMAIL": EMAIL, "GIT_COMMITTER_NAME": NAME, "GIT_COMMITTER_EMAIL": EMAIL}
BOTH = (
    "This project and the template changed the same lines. These files hold both, between the markers "
    "`<<<<<<< before updating` and `>>>>>>> after updating`; `make lint` and `make build` fail until they are gone."
)

# What writes a lock file anew after a change of the file beside it. npm's names no registry, as from the start.
LOCKS = {
    "frontend/package-lock.json": (
        "package.json",
        "npm install --package-lock-only --ignore-scripts --no-audit --omit-lockfile-registry-resolved",
    ),
    "backend/uv.lock": ("pyproject.toml", "uv lock --quiet"),
}


class UpdateError(Exception):
    """A step of the update failed; the message says which and why."""


@dataclass(frozen=True)
class Update:
    """What a newer version of the template made of the project; ``answers`` holds the changed lines of the file."""

    conflicts: list[str]
    stale_locks: list[str]
    answers: list[str]

    def describe(self, source: str, current: str, latest: str) -> str:
        """Return what the pull request says, in Markdown."""
        parts = [f"The template {source} has moved from {current} to {latest}. Its changelog says what is new."]
        if self.conflicts:
            parts += [
                "## Conflicts: decide before merging",
                BOTH,
                tasks(self.conflicts),
            ]
        if self.stale_locks:
            parts += ["## Lock files that could not be written anew", "`make setup` says why.", tasks(self.stale_locks)]
        if self.answers:
            parts += [
                "## Answers that changed",
                "A new question took its default. Another answer: `uvx copier update -r :current: --data name=value`",
                "\n".join(["~~~~diff", *self.answers, "~~~~"]),
            ]
        parts += ["## Before merging", "Read the changes and run `make setup lint test`."]
        return "\n\n".join(parts) + "\n"


def main() -> int:
    """Offer the newest version, unless there is none, nobody to offer it to, or it was offered already.

    Returns:
        0, or 1 after a message that says what failed.
    """
    try:
        offer_newest()
    except (HostError, UpdateError) as error:
        report.error(str(error))
        return 1
    return 0


def offer_newest() -> None:
    """See :func:`main`.

    Raises:
        HostError: the host refused.
        UpdateError: a step failed.
    """
    found = json.loads(run(*COPIER, "check-update", "--output-format", "json"))
    current, latest = found["current_version"], found["latest_version"]
    if not found["update_available"]:
        print(f"This project has the newest version of its template, {current}.")
        return
    token = os.environ.get(VARIABLE)
    host = find_host(os.environ, token) if token else None
    if host is None:
        report.notice(
            f"The template has version {latest}, this project has {current}. No pull request was made, because "
            f'{VARIABLE} is not set or this is no pipeline. By hand: "uvx copier update".'
        )
        return
    branch = f"template-update/{latest}"
    if address := host.find(branch):
        report.notice(f"Version {latest} of the template was offered already: {address}")
        return
    title = f"Update from version {current} of the template to {latest}"
    with working_copy() as copy:
        update = apply(copy)
        body = update.describe(remembered("_src_path"), current, latest)
        run("git", "commit", "--quiet", "--no-verify", "--message", title, "--message", body, cwd=copy, more=AUTHOR)
        push(host, branch, cwd=copy)
    address = host.open(branch, title, body, draft=bool(update.conflicts))
    if update.conflicts:
        report.warning(f"Version {latest} of the template is offered, with conflicts to decide: {address}")
    else:
        report.notice(f"Version {latest} of the template is offered: {address}")


@contextmanager
def working_copy() -> Iterator[Path]:
    """Make a second working copy of the last commit, and yield the project in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        below = run("git", "rev-parse", "--show-prefix").strip()
        run("git", "worktree", "add", "--quiet", "--detach", str(copy), "HEAD")
        try:
            yield copy / below
        finally:
            run("git", "worktree", "remove", "--force", str(copy))


def apply(copy: Path) -> Update:
    """Bring the newest version into a working copy, and stage all of it.

    Raises:
        UpdateError: Copier failed.
    """
    run(*COPIER, "update", "--defaults", "--quiet", cwd=copy)  # exits with 0 in spite of conflicts
    unmerged = names("diff", "--relative", "--name-only", "-z", "--diff-filter=U", cwd=copy)
    rejected = names("ls-files", "--others", "-z", "--", "*.rej", cwd=copy)
    changed = names("diff", "--relative", "--name-only", "-z", "HEAD", cwd=copy)
    stale_locks = []
    for lock, (source, command) in LOCKS.items():
        file = copy / lock
        if file.exists() and str(file.with_name(source).relative_to(copy)) in changed:
            try:
                run(*command.split(), cwd=file.parent)
            except UpdateError:
                stale_locks.append(lock)
    run("git", "add", "--all", cwd=copy)
    answers = run("git", "diff", "--cached", "--unified=0", "--", ANSWERS, cwd=copy).splitlines()
    noise = ("+++", "---", "+_commit: ", "-_commit: ")
    shown = [line for line in answers if line.startswith(("+", "-")) and not line.startswith(noise)]
    return Update(sorted(unmerged | rejected), stale_locks, shown)


def push(host: Host, branch: str, *, cwd: Path) -> None:
    """Push the working copy; what an interrupted run left of the branch is replaced.

    Raises:
        HostError: the host refused.
    """
    target = f"HEAD:refs/heads/{branch}"
    try:
        run("git", "push", "--quiet", "--force", host.repository, target, cwd=cwd, more=host.git_environment())
    except UpdateError as error:
        raise HostError(f"{error} {SCOPES}") from None


def names(*arguments: str, cwd: Path) -> set[str]:
    """Return the paths that a command of git lists."""
    return set(filter(None, run("git", *arguments, cwd=cwd).split("\0")))


def remembered(key: str) -> str:
    """Return what Copier has remembered of the template: ``_src_path``, where it is, or ``_commit``, its version.

    Raises:
        UpdateError: the file of the answers does not say it.
    """
    found = re.search(rf"^{key}: (.+)$", (ROOT / ANSWERS).read_text("utf-8"), re.MULTILINE)
    if not found:
        raise UpdateError(f"{ANSWERS} does not say where the template is. Take it back from git.")
    value = found[1]
    # YAML quotes what would be a number, such as a commit without a letter.
    return value[1:-1].replace("''", "'") if value.startswith("'") else value


def run(*command: str, cwd: Path = ROOT, more: Mapping[str, str] | None = None) -> str:
    """Return what a program prints. It is not told the token.

    Raises:
        UpdateError: it is missing or failed; the message ends with its last line.
    """
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | dict(more or {})
    try:
        result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UpdateError(f"{command[0]} cannot be run: {error}") from None
    if result.returncode != 0:
        words = command[len(COPIER) - 1 :] if command[: len(COPIER)] == COPIER else command
        # Copier tells what git said behind a bar, at the end of a traceback.
        said = (result.stderr.strip().splitlines() or ["it did not say why"])[-1].rpartition("| ")[2]
        raise UpdateError(f"{' '.join(words[:2])} failed: {said}")
    return result.stdout


def tasks(files: list[str]) -> str:
    """Return a list to tick off, in Markdown."""
    return "\n".join(f"- [ ] `{file}`" for file in files)


if __name__ == "__main__":
    sys.exit(main())
