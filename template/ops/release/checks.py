"""Whether commit, build, upload, image and address are of one and the same release: ``make release-check``."""

import os
import re

from ops.release import ROOT, ReleaseError, report
from ops.release.build import DIST, Build, debug_id, page_problems, present_release, read_record, read_upload
from ops.release.commit import commit_problems
from ops.release.served import image_problems, url_problems

REFERENCE = re.compile(r"(//|/\*)[#@]\s*sourceMappingURL=")


def check(image: str | None, url: str | None) -> None:
    """Look at everything.

    Args:
        image: an image of this project as well, of the page or of the API.
        url: where this build should be served, as well.

    Raises:
        ReleaseError: with a sentence about each thing that is not as it should be.
    """
    build = read_record()
    problems = [
        *commit_problems(build),
        *release_problems(build),
        *page_problems(build),
        *script_problems(build),
        *upload_problems(build),
        *(image_problems(build, image) if image else []),
        *(url_problems(build, url) if url else []),
    ]
    if problems:
        raise ReleaseError(*problems)
    report.notice(f"{build.release}: everything belongs together.")


def release_problems(build: Build) -> list[str]:
    """Say which parts name another release than the API does."""
    release = present_release()
    problems = []
    variable = os.environ.get("VITE_SENTRY_RELEASE")
    if variable and variable != release:
        problems.append(
            f"VITE_SENTRY_RELEASE: {variable}, but the release of the API is {release}. Unset it, or set SENTRY_RELEASE"
        )
    if build.release != release:
        problems.append(
            f"release/build.json: built as {build.release or 'no release'}, but the release of the API is {release}. "
            "Set SENTRY_RELEASE for both or for none, also in .env, then run: make build"
        )
    scripts = [DIST / name for name in build.debug_ids if (DIST / name).is_file()]
    if build.release and not any(build.release.encode() in script.read_bytes() for script in scripts):
        problems.append(f"frontend/dist: no script names the release {build.release}. Run: make build")
    return problems


def script_problems(build: Build) -> list[str]:
    """Say what would show source code to visitors, or keep Sentry from finding it."""
    problems = []
    for path in sorted(path for path in DIST.rglob("*") if path.is_file()):
        name = path.relative_to(DIST).as_posix()
        shown = f"frontend/dist/{name}"
        if path.suffix == ".map":
            problems.append(f"{shown}: a source map that visitors could read. Run: make build, which takes it out")
        if path.suffix not in {".js", ".css"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if REFERENCE.search(text):
            problems.append(f"{shown}: names a source map (sourceMappingURL). Keep build.sourcemap at hidden")
        # What lies in public/ is served as it is, and has no map.
        if path.suffix == ".css" or (ROOT / "frontend" / "public" / name).is_file():
            continue
        found = debug_id(text)
        if not found:
            problems.append(f"{shown}: has no debug id, so Sentry cannot find its source map. Run: make build")
        elif found != build.debug_ids.get(name):
            problems.append(f"{shown}: its debug id {found} is not that of the build. Run: make build")
    return problems


def upload_problems(build: Build) -> list[str]:
    """Say why what was uploaded under this release is not what was built; nothing may be uploaded yet."""
    upload = read_upload()
    if not upload or upload.release != build.release:
        return []
    problems = []
    if upload.digest != build.digest:
        problems.append(
            f"release/uploaded.json: frontend/dist was built again after the source maps of {upload.release} were "
            "uploaded. Run: make sentry-release"
        )
    problems += [
        f"frontend/dist/{name}: its debug id {found} was not uploaded. Run: make sentry-release"
        for name, found in build.debug_ids.items()
        if upload.debug_ids.get(name) != found
    ]
    return problems
