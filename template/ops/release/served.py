"""Whether an image or an address has the very build that was recorded."""

import hashlib
import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from ops.release.build import DIST, Build, differences, listed

# What one answer, and one look at all files, may take.
TIMEOUT_SECONDS = 20
LOOK_SECONDS = 60
LABELS = "org.opencontainers.image."

# What frontend/configure.sh writes into the page.
VARIABLE = re.compile(r'(<meta name="(?:VITE_)?SENTRY_[A-Z_]+" content=")[^"]*')
REACHABLE = re.compile(r"(connect-src )[^;\"]*")


def image_problems(build: Build, image: str) -> list[str]:
    """Say in what an image of the page or of the API is not of this build.

    The page's image is the one whose variable ``PAGE`` says where its ``index.html`` is.
    """
    config, complaint = _docker("image", "inspect", "--format", "{{json .Config}}", image)
    if complaint:
        return [f"{image}: cannot be looked into: {complaint}. Build or pull it first"]
    about = json.loads(config)
    labels = about.get("Labels") or {}
    environment = dict(entry.split("=", 1) for entry in about.get("Env") or [])
    problems = [
        f"{image}: its label {LABELS}{name} is {labels.get(LABELS + name) or 'missing'}, "
        f"but the build is {expected}. Run: make images"
        for name, expected in (("version", build.release), ("revision", build.commit))
        if labels.get(LABELS + name, "") != expected
    ]
    if page := environment.get("PAGE"):
        problems += _folder_problems(build, image, str(PurePosixPath(page).parent))
    elif environment.get("SENTRY_RELEASE") != build.release:
        problems.append(
            f"{image}: its SENTRY_RELEASE is {environment.get('SENTRY_RELEASE') or 'missing'}, "
            f"but the build is {build.release}. Run: make images"
        )
    return problems


def _folder_problems(build: Build, image: str, folder: str) -> list[str]:
    container, complaint = _docker("create", image)
    if complaint:
        return [f"{image}: no container can be made of it: {complaint}"]
    try:
        with tempfile.TemporaryDirectory() as place:
            _, complaint = _docker("cp", f"{container}:{folder}/.", place)
            if complaint:
                return [f"{image}: its page cannot be copied out: {complaint}"]
            maps = sorted(path.name for path in Path(place).rglob("*.map"))
            problems = [f"{image}: holds the source map {name}, which visitors could read" for name in maps]
            if changed := [name for name in differences(build, Path(place)) if not name.endswith(".map")]:
                problems.append(f"{image}: its page is not what was built: {listed(changed)}. Run: make images")
            return problems
    finally:
        _docker("rm", container)


def _docker(*arguments: str) -> tuple[str, str]:
    """Return what docker prints and, if it failed, its last line."""
    try:
        result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return "", "docker was not found"
    complaint = (result.stderr.strip().splitlines() or ["it did not say why"])[-1]
    return result.stdout.strip(), complaint if result.returncode else ""


def url_problems(build: Build, url: str) -> list[str]:
    """Say in what an address serves something else than this build; ends with the first file that nobody answers."""
    address = url.rstrip("/")
    if re.match(r"https?://[^\s/]*@", address):
        return ["The address holds a user name or a password, which would be shown. Give it without"]
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", address):
        return [f"{url}: not an address like https://app.example.com"]
    problems: list[str] = []
    end = time.monotonic() + LOOK_SECONDS
    for name, digest in build.files.items():
        place = f"{address}/{'' if name == 'index.html' else urllib.parse.quote(name)}"
        status, headers, body = _fetch(place)
        if not status or time.monotonic() > end:
            said = "too slow to be compared with" if status else "answered nothing instead of"
            return [*problems, f"{place}: {said} the file that was built"]
        if status != 200:
            problems.append(f"{place}: answered {status} instead of the file that was built")
            continue
        if headers.get("SourceMap") or headers.get("X-SourceMap"):
            problems.append(f"{place}: its header SourceMap names a source map. Take the header out of the server")
        same = _same_page(body) if name == "index.html" else hashlib.sha256(body).hexdigest() == digest
        if not same:
            problems.append(f"{place}: not the file that was built. Deploy this very build")
        # A host may have the page for every address that it does not know.
        if name in build.debug_ids and "mappings" in _facts(_fetch(f"{place}.map")[2]):
            problems.append(f"{place}.map: is a source map, which visitors can read. Serve frontend/dist and no more")
    status, release = release_at(address)
    if release != build.release:
        said = f"names the release {release}" if release else f"answered {status or 'nothing'} and names no release"
        problems.append(f"{address}/health: {said}, but the build is {build.release}. Deploy the API of this release")
    return problems


def _same_page(body: bytes) -> bool:
    """Compare a page with the built one, but for what ``configure.sh`` wrote into it."""
    return _blanked(body) == _blanked((DIST / "index.html").read_bytes())


def _blanked(page: bytes) -> str:
    text = VARIABLE.sub(r"\1", page.decode(errors="replace"))
    return REACHABLE.sub(r"\1", text).rstrip()


def release_at(address: str) -> tuple[int, str]:
    """Return what ``/health`` of an address answers: the status, 0 when nobody does, and the release or nothing."""
    status, _, body = _fetch(f"{address.rstrip('/')}/health")
    return status, str(_facts(body).get("release", ""))


def _facts(body: bytes) -> dict[str, object]:
    """Return the object that a body is in JSON, or an empty one."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fetch(address: str) -> tuple[int, Message, bytes]:
    """Return status, headers and body; the status is 0 when nobody answered."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, b""
    except (OSError, HTTPException, ValueError):  # the last for what can be nobody's name
        return 0, Message(), b""
