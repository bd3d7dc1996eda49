"""Let git ask ``ops/hooks`` before a commit: part of ``make setup``.

Only where nobody else decides about hooks: not in a pipeline, not in a folder of a larger repository, and not where a
person has hooks, or a folder for them, of their own.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "ops/hooks"


def main() -> int:
    """Switch the hooks on, once.

    Returns:
        0: a hook that could not be set is no reason to stop.
    """
    if may_set() and git("config", "core.hooksPath", FOLDER) is not None:
        print(f"git asks {FOLDER} before a commit from now on; git config core.hooksPath .git/hooks ends that.")
    return 0


def may_set() -> bool:
    """Say whether git has no hooks here and a person works here."""
    if os.environ.get("CI") or git("rev-parse", "--show-prefix") != "":
        return False
    if git("config", "core.hooksPath") is not None:
        return False
    own = git("rev-parse", "--git-path", "hooks")
    return own is not None and not [path for path in (ROOT / own).glob("*") if path.suffix != ".sample"]


def git(*arguments: str) -> str | None:
    """Return what git says about the project, or nothing where it failed or is missing."""
    try:
        result = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
