"""What git says about the commit that is released."""

import os
import re
import subprocess
import tomllib

from ops.release import ROOT, ReleaseError
from ops.release.build import Build, listed

VERSION_TAG = re.compile(r"v[0-9]")
COMMIT = re.compile(r"\+([0-9a-f]{7,40})$")
LOCK = "backend/uv.lock"
NO_COMMIT = "There is no commit, so nobody could tell what this release is of. Run: git init, then commit"


def commit_problems(build: Build) -> list[str]:
    """Say why no commit is what was built."""
    try:
        return [*_tree_problems(build), *_tag_problems()] if _head() else [NO_COMMIT]
    except ReleaseError as failure:
        return list(failure.args)


def is_newer(release: str, build: Build) -> bool | None:
    """Say whether a release is of a commit that came after the build's; ``None`` where git does not know that here."""
    found = COMMIT.search(release)
    if not (found and build.commit):
        return None
    if build.commit.startswith(found[1]):
        return False
    try:
        other = git("rev-parse", "--verify", "--quiet", f"{found[1]}^{{commit}}").strip()
        return git("merge-base", build.commit, other).strip() == build.commit
    except ReleaseError:
        return None


def committed_at(build: Build) -> str:
    """Return when the build's commit was made, in seconds since 1970, or nothing where git does not know it here."""
    if not build.commit:
        return ""
    try:
        return git("show", "--no-patch", "--no-show-signature", "--format=%ct", build.commit).strip()
    except ReleaseError:
        return ""


def git(*arguments: str) -> str:
    """Return what git prints.

    Raises:
        ReleaseError: it is missing, or failed.
    """
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        result = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    except OSError:
        raise ReleaseError("git was not found, so nobody could tell what this release is of. Install it") from None
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise ReleaseError(f"git {arguments[0]}: {last}. Mend that, so that git can tell what is committed")
    return result.stdout


def _head() -> str:
    """Return the checked-out commit, or nothing without a repository or a commit."""
    try:
        return git("rev-parse", "--verify", "--quiet", "HEAD").strip()
    except ReleaseError as failure:
        if re.search("not a git repository|it did not say why", str(failure)):
            return ""
        raise


def _tree_problems(build: Build) -> list[str]:
    # The project may be a folder of a larger repository, whose other files are none of its business.
    folder = git("rev-parse", "--show-prefix").strip()
    entries = git("status", "--porcelain", "--no-renames", "--untracked-files=normal", "-z", "--", ".").split("\0")
    changed = [entry[3:].removeprefix(folder) for entry in entries if entry]
    problems = []
    if LOCK in changed:
        problems.append(
            f"{LOCK}: not committed, though it decides which packages are released. "
            "Run: make setup, commit it, then: make build"
        )
    if others := [name for name in changed if name != LOCK]:
        problems.append(f"Not committed: {listed(others)}. Commit it, or take it back, then run: make build")
    if build.uncommitted and not changed:
        names = listed(build.uncommitted)
        problems.append(f"release/build.json: built when this was not committed: {names}. Run: make build")
    head = _head()
    if build.commit != head:
        was = build.commit[:12] or "no commit"
        problems.append(f"release/build.json: built of {was}, but HEAD is {head[:12]}. Run: make build")
    return problems


def _tag_problems() -> list[str]:
    """Say which tag is not that of the version: the one that started the pipeline, or else those of the commit."""
    pyproject = tomllib.loads((ROOT / "backend" / "pyproject.toml").read_text(encoding="utf-8"))
    version = f"v{pyproject['project']['version']}"
    is_tag = os.environ.get("GITHUB_REF_TYPE") == "tag"
    if started_by := os.environ.get("GITHUB_REF_NAME" if is_tag else "CI_COMMIT_TAG"):
        tags = [started_by]
    else:
        tags = [tag for tag in git("tag", "--points-at", "HEAD").split() if VERSION_TAG.match(tag)]
    if not tags or version in tags:
        return []
    wrong = f"The tag {listed(tags)} is not the version {version[1:]} of backend/pyproject.toml"
    return [f"{wrong}. Change the version, commit, and tag that commit; or tag this one {version}"]
