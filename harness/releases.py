"""Find every release in the history and make a clone of the template in which they are tagged.

A release is the first commit whose CHANGELOG.md has its heading, ``## 1.2.3``, so the tests need no tags.
"""

import re
import subprocess
from pathlib import Path

from harness.project import ROOT

HEADING = re.compile(r"^## \[?v?(\d+\.\d+\.\d+)\]?", re.MULTILINE)
IDENTITY = ("-c", "user.name=Template", "-c", "user.email=template@example.com", "-c", "commit.gpgsign=false")


class ShallowHistoryError(Exception):
    """The clone lacks the history that the releases are found in."""


def git(*arguments: str, cwd: Path) -> str:
    """Run git and return what it prints."""
    result = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return result.stdout.strip()


def releases(repository: Path = ROOT) -> dict[str, str]:
    """Return the commit of each release by version, oldest first.

    Raises:
        ShallowHistoryError: the clone is shallow.
    """
    if git("rev-parse", "--is-shallow-repository", cwd=repository) == "true":
        raise ShallowHistoryError("The update tests need the whole history: git fetch --unshallow.")
    found: dict[str, str] = {}
    history = git("log", "--first-parent", "--reverse", "--format=%H", "HEAD", "--", "CHANGELOG.md", cwd=repository)
    for commit in history.split():
        for version in HEADING.findall(git("show", f"{commit}:CHANGELOG.md", cwd=repository)):
            found.setdefault(version, commit)
    return found


def candidate(destination: Path) -> Path:
    """Clone this repository with its uncommitted work, tag every release, and tag the present state newest.

    Returns:
        ``destination``, a git repository to use as the template.
    """
    git("clone", "--quiet", "--no-tags", str(ROOT), str(destination), cwd=ROOT)
    tagged = releases()
    for version, commit in tagged.items():
        git("tag", f"v{version}", commit, cwd=destination)
    for name in git("diff", "--name-only", "--diff-filter=D", "HEAD", cwd=ROOT).splitlines():
        (destination / name).unlink()
    for name in git("ls-files", "-z", "--modified", "--others", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).exists():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            (destination / name).write_bytes((ROOT / name).read_bytes())
            (destination / name).chmod((ROOT / name).stat().st_mode)
    git("add", "--all", cwd=destination)
    git(*IDENTITY, "commit", "--quiet", "--allow-empty", "--message", "Candidate", cwd=destination)
    newest = next(reversed(tagged), "0.0.0")
    git("tag", f"v{newest}.post1", cwd=destination)
    return destination
