"""Both images of this very build: ``make images``.

The page's image gets the build that was recorded, and whose source maps were uploaded, instead of making another.
"""

import json
import os
import re
import subprocess

from ops import conflicts
from ops.release import FOLDER, ROOT, ReleaseError, report
from ops.release.build import DIST, Build, page_problems, read_record
from ops.release.checks import check, script_problems
from ops.release.served import LABELS, image_problems

DOCKERFILES = {"api": "backend/Dockerfile", "web": "frontend/Dockerfile"}

PUSHED = FOLDER / "images.json"
"""The images that were pushed, by part: ``<name>@sha256:<digest>``."""

# https://docs.docker.com/build/metadata/attestations/
ATTESTED = ("--provenance=mode=max", "--sbom=true")
BUILDER = "release"
MISSING = "docker was not found. Install it: https://docs.docker.com/engine/install/"


def images(*, push: bool) -> None:
    """Build and check both images.

    Args:
        push: whether ``$REGISTRY-api`` and ``$REGISTRY-web`` are pushed then, which takes a commit that all of the
            build is of.

    Raises:
        ReleaseError: a conflict is undecided, or the build is not as it was recorded, or an image is not of it, or
            docker failed.
    """
    registry = os.environ.get("REGISTRY", "").lower()
    if push and not registry:
        raise ReleaseError("REGISTRY: not set. Set it to what the images' names begin with: ghcr.io/owner/my-app")
    if undecided := conflicts.problems():
        raise ReleaseError(*undecided)
    build = read_record()
    if push:
        check(image=None, url=None)
    elif problems := [*page_problems(build), *script_problems(build)]:
        raise ReleaseError(*problems)
    names = {part: f"{registry or about('slug')}-{part}" for part in DOCKERFILES}
    builder = _attesting_builder() if push else ()
    for part, name in names.items():
        _build(build, part, name, "--load", *builder)
    _look_into(build, *(_tagged(name, build) for name in names.values()))
    if push:
        pushed = {part: f"{name}@{_pushed(build, part, name, *builder)}" for part, name in names.items()}
        for reference in pushed.values():
            _docker("pull", "--quiet", reference)
        _look_into(build, *pushed.values())
        facts = {"release": build.release, "digest": build.digest, **pushed}
        PUSHED.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        for part, reference in pushed.items():
            name, _, digest = reference.partition("@")
            report.output(f"{part}-name", name)
            report.output(f"{part}-digest", digest)
    done = "Built, checked and pushed" if push else "Built and checked"
    report.notice(f"{done}: {' and '.join(_tagged(name, build) for name in names.values())}")


def read_pushed(build: Build) -> dict[str, str]:
    """Return the images of a build that were pushed, by part.

    Raises:
        ReleaseError: none were, or those of another build, or something else is in the file.
    """
    try:
        facts = json.loads(PUSHED.read_text(encoding="utf-8"))
        release, digest = facts["release"], facts["digest"]
        pushed = {part: str(facts[part]) for part in DOCKERFILES}
    except FileNotFoundError:
        raise ReleaseError("release/images.json: there is none, so push first. Run: make images PUSH=1") from None
    except (ValueError, TypeError, KeyError):
        raise ReleaseError("release/images.json: not as a push writes it. Run: make images PUSH=1") from None
    if (release, digest) != (build.release, build.digest):
        raise ReleaseError(
            f"release/images.json: the images are of {release}, but since then {build.release} was built. "
            "Run: make images PUSH=1"
        )
    return pushed


def about(fact: str) -> str:
    """Return what ``contracts/project.json`` says about the project, such as its slug."""
    project = json.loads((ROOT / "contracts" / "project.json").read_text(encoding="utf-8"))
    return str(project[fact])


def _build(build: Build, part: str, name: str, *options: str) -> None:
    labels = {"version": build.release, "revision": build.commit, "source": about("repository")}
    command = ["docker", "buildx", "build", "--file", DOCKERFILES[part], "--tag", _tagged(name, build), *options]
    command += ["--build-arg", f"SENTRY_RELEASE={build.release}"]
    for label, value in labels.items():
        command += ["--label", f"{LABELS}{label}={value}"]
    if part == "web":
        command += ["--build-context", f"page={DIST}"]
    try:
        code = subprocess.run([*command, "."], cwd=ROOT, check=False).returncode
    except OSError:
        raise ReleaseError(MISSING) from None
    if code != 0:
        raise ReleaseError(f"{name}: docker could not {'push' if '--push' in options else 'build'} it, see above why")


def _attesting_builder() -> tuple[str, ...]:
    """Return the options for a builder that can attest; Docker's own can only where containerd keeps the images.

    https://docs.docker.com/build/builders/drivers/
    """
    present = _docker("buildx", "inspect")
    if not re.search(r"^Driver:\s+docker$", present, re.MULTILINE):
        return ()
    if "io.containerd" in _docker("info", "--format", "{{json .DriverStatus}}"):
        return ()
    if not re.search(rf"^{BUILDER}\b", _docker("buildx", "ls"), re.MULTILINE):
        _docker("buildx", "create", "--name", BUILDER, "--driver", "docker-container")
    return "--builder", BUILDER


def _docker(*arguments: str) -> str:
    """Return what docker prints."""
    try:
        result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        raise ReleaseError(MISSING) from None
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise ReleaseError(f"docker {' '.join(arguments)}: {last}")
    return result.stdout


def _look_into(build: Build, *images: str) -> None:
    if problems := [problem for image in images for problem in image_problems(build, image)]:
        raise ReleaseError(*problems)


def _pushed(build: Build, part: str, name: str, *options: str) -> str:
    """Push an image that was built, from the layers that are still there, and return its digest."""
    metadata = FOLDER / f"pushed-{part}.json"
    _build(build, part, name, "--push", *ATTESTED, "--metadata-file", str(metadata), *options)
    facts = json.loads(metadata.read_text(encoding="utf-8"))
    metadata.unlink()
    return str(facts["containerimage.digest"])


def _tagged(name: str, build: Build) -> str:
    """Return the image with the release as its tag, where no plus sign and at most 128 characters are allowed."""
    return f"{name}:{re.sub(r'[^A-Za-z0-9_.-]', '-', build.release.rpartition('@')[2])[:128]}"
