"""The release: one name for a build, the same in the API, the browser, source maps and images.

``<slug>@<version>+<commit>``, or without git ``<slug>@<version>``. Standard library only, because build
scripts run this file by itself, before anything is installed: ``python3 backend/app/core/sentry/release.py``.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
COMMIT_LENGTH = 12
GIT_TIMEOUT_SECONDS = 5


def find_release(root: Path = ROOT) -> str:
    """Return ``SENTRY_RELEASE``, or the release of the code in ``root``."""
    return os.environ.get("SENTRY_RELEASE") or compose_release(root, find_commit(root))


def compose_release(root: Path, commit: str | None) -> str:
    """Return slug and version, which two files of the repository hold, with the commit if there is one."""
    slug = json.loads((root / "contracts" / "project.json").read_text(encoding="utf-8"))["slug"]
    version = tomllib.loads((root / "backend" / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return f"{slug}@{version}" + (f"+{commit}" if commit else "")


def find_commit(root: Path) -> str | None:
    """Return the first characters of the checked-out commit, or ``None`` without git, repository or commit."""
    command = ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()[:COMMIT_LENGTH] or None


if __name__ == "__main__":
    sys.stdout.write(f"{find_release()}\n")
