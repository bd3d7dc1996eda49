"""The build of the page as it was recorded, and as it is now.

``frontend/scripts/sourcemaps.mjs`` writes the record at the end of each build.
"""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ops.release import FOLDER, ROOT, ReleaseError

DIST = ROOT / "frontend" / "dist"
MAPS = FOLDER / "sourcemaps"
RECORD = FOLDER / "build.json"
UPLOADED = FOLDER / "uploaded.json"

DEBUG_ID = re.compile(r"^//# debugId=([0-9a-f-]{36})$", re.MULTILINE)


@dataclass(frozen=True)
class Build:
    """What ``release/build.json`` says.

    Attributes:
        release: the name that the page sends.
        commit: the whole commit, or empty without git.
        uncommitted: files that were changed and not committed when the page was built.
        digest: of all files, see :func:`digest_of`.
        files: SHA-256 by path below ``frontend/dist``.
        debug_ids: UUID by path of each script.
    """

    release: str
    commit: str
    uncommitted: list[str]
    digest: str
    files: dict[str, str]
    debug_ids: dict[str, str]


@dataclass(frozen=True)
class Upload:
    """What ``release/uploaded.json`` says: whose source maps are on which server."""

    release: str
    digest: str
    debug_ids: dict[str, str]
    server: str


def read_record() -> Build:
    """Return the record of the last build.

    Raises:
        ReleaseError: there is none, or something else is in its file.
    """
    try:
        return Build(**json.loads(RECORD.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ReleaseError("release/build.json: there is none, so nothing was built yet. Run: make build") from None
    except (ValueError, TypeError):
        raise ReleaseError("release/build.json: not as a build writes it. Run: make build") from None


def read_upload() -> Upload | None:
    """Return whose source maps were uploaded, or nothing if none were; raises as :func:`read_record` does."""
    try:
        return Upload(**json.loads(UPLOADED.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise ReleaseError("release/uploaded.json: not as an upload writes it. Run: make build") from None


def page_problems(build: Build) -> list[str]:
    """Say which files of ``frontend/dist`` are not what was built."""
    if digest_of(digests(DIST)) == build.digest:
        return []
    changed = listed(differences(build, DIST))
    return [f"frontend/dist: changed, or built again, since the build was recorded: {changed}. Run: make build"]


def differences(build: Build, folder: Path) -> list[str]:
    """Return which files are not the same in a folder and in the build, or are only in one of them."""
    found = digests(folder)
    return sorted(path for path in found.keys() | build.files.keys() if found.get(path) != build.files.get(path))


def listed(names: list[str], most: int = 5) -> str:
    """Return the first names, and how many there are besides."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its path below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def digest_of(files: dict[str, str]) -> str:
    """Return one SHA-256 for all of them: of the sorted lines ``<sha256>  <path>``."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def debug_id(script: str) -> str | None:
    """Return the debug id that the text of a script names, by which Sentry finds its source map."""
    found = DEBUG_ID.search(script)
    return found.group(1) if found else None


def present_release() -> str:
    """Return the release of the working copy, by the script that names it for every part of the project.

    Raises:
        ReleaseError: the script could not tell it.
    """
    script = ROOT / "backend" / "app" / "core" / "sentry" / "release.py"
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise ReleaseError(f"backend/app/core/sentry/release.py could not tell the release: {last}")
    return result.stdout.strip()
