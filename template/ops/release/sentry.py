"""What Sentry learns of a release: that it exists, its commits and source maps, when it was released, where it runs."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass

from ops.release import ROOT, OutageError, ReleaseError, report
from ops.release.build import DIST, MAPS, UPLOADED, Build, Upload, page_problems, read_record, read_upload
from ops.release.commit import committed_at
from ops.release.sentry_cli import call


@dataclass(frozen=True)
class Target:
    """Where Sentry is, and what the two projects are called there."""

    variables: dict[str, str]
    backend: str
    frontend: str


def publish() -> None:
    """Create the release for both projects, with its commits and source maps; give the output ``sentry``.

    Raises:
        ReleaseError: Sentry refused it, or there is no build to publish.
        OutageError: Sentry could not be reached.
    """
    target = _target("Sentry learned nothing of this release")
    if not target:
        report.output("sentry", "skipped")
        return
    try:
        build = _intact_build()
        _create(build, target)
        _set_commits(build, target)
        _upload(build, target)
    except OutageError:
        report.output("sentry", "unreachable")
        raise
    except ReleaseError:
        report.output("sentry", "refused")
        raise
    report.output("sentry", "done")


def sourcemaps() -> None:
    """Upload the source maps alone; raises as :func:`publish` does."""
    if target := _target("The source maps were not uploaded"):
        _upload(_intact_build(), target)


def finalize() -> None:
    """Mark the release as released; raises as :func:`publish` does."""
    if target := _target("The release was not finalized"):
        build = read_record()
        _create(build, target)
        # Not the present time: whoever repeats the run of an old release would make it Sentry's newest.
        time = committed_at(build)
        released = ("--released", time) if time else ()
        command = ("releases", "finalize", build.release, *_both(target), *released)
        call(f"Finalizing {build.release}", *command, variables=target.variables)
        report.notice(f"{build.release} is finalized in Sentry.")


def deployed(environment: str) -> None:
    """Record a deploy, once for each run of a pipeline; raises as :func:`publish` does."""
    target = _target("The deploy was not recorded")
    if not target:
        return
    build = read_record()
    _create(build, target)
    what = f"The deploy of {build.release} to {environment}"
    release = ("--release", build.release)
    run = os.environ.get("GITHUB_RUN_ID") or os.environ.get("CI_PIPELINE_ID")
    if run:
        table = call("Listing the deploys", "deploys", "list", *release, variables=target.variables)
        rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
        if any(environment in row and run in row for row in rows):
            report.notice(f"{what} is in Sentry already, for run {run}.")
            return
    url = os.environ.get("PUBLIC_URL")
    options = [*release, "--env", environment, *(["--name", run] if run else []), *(["--url", url] if url else [])]
    call("Recording the deploy", "deploys", "new", *options, variables=target.variables)
    report.notice(f"{what} is recorded in Sentry.")


def _target(consequence: str) -> Target | None:
    """Return where Sentry is, or nothing, after a notice, without a token; a bad address is refused."""
    if not os.environ.get("SENTRY_AUTH_TOKEN"):
        report.notice(f"SENTRY_AUTH_TOKEN: not set. {consequence}.")
        return None
    sentry = json.loads((ROOT / "contracts" / "project.json").read_text(encoding="utf-8"))["sentry"]
    frontend = os.environ.get("SENTRY_PROJECT") or sentry["projects"]["frontend"]
    url = (os.environ.get("SENTRY_URL") or sentry["url"]).rstrip("/")
    if re.match(r"https?://[^\s/]*@", url):
        raise ReleaseError("SENTRY_URL: holds a user name or a password, which would be shown. Set it without")
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ReleaseError("SENTRY_URL: not an address like https://sentry.io")
    variables = {
        "SENTRY_URL": url,
        "SENTRY_ORG": os.environ.get("SENTRY_ORG") or sentry["organization"],
        "SENTRY_PROJECT": frontend,
    }
    return Target(variables, sentry["projects"]["backend"], frontend)


def _both(target: Target) -> tuple[str, ...]:
    return "--project", target.backend, "--project", target.frontend


def _intact_build() -> Build:
    """Return the record of a build whose files are still those that it names."""
    build = read_record()
    if not build.release:
        raise ReleaseError("release/build.json: the build names no release. Set SENTRY_RELEASE, then run: make build")
    if problems := page_problems(build):
        raise ReleaseError(*problems)
    return build


def _create(build: Build, target: Target) -> None:
    """Create the release; one that exists stays as it is."""
    command = ("releases", "new", build.release, *_both(target))
    call(f"Creating the release {build.release}", *command, variables=target.variables)


def _set_commits(build: Build, target: Target) -> None:
    """Tell Sentry which commits are in the release, if git knows them here."""
    question = ["git", "-C", str(ROOT), "rev-parse", "--is-shallow-repository"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False) if shutil.which("git") else None
    if not (answer and answer.returncode == 0 and build.commit):
        report.warning("There is no git repository with a commit here: the release names no commits in Sentry.")
    elif answer.stdout.strip() == "true":
        report.warning(
            "This clone is shallow: the release names no commits in Sentry. "
            "Get the whole history first: git fetch --unshallow, or fetch-depth: 0, or GIT_DEPTH: 0"
        )
    else:
        command = ("releases", "set-commits", build.release, "--auto", "--ignore-missing")
        call("Setting the commits", *command, variables=target.variables)


def _upload(build: Build, target: Target) -> None:
    """Upload what is not uploaded yet, write that down, and delete the maps."""
    server = target.variables["SENTRY_URL"]
    upload = Upload(build.release, build.digest, build.debug_ids, server)
    if not MAPS.is_dir() and read_upload() == upload:
        report.notice(f"The source maps of {build.release} are uploaded already.")
        return
    missing = [name for name in build.debug_ids if not (MAPS / f"{name}.map").is_file()]
    if missing:
        raise ReleaseError(f"release/sourcemaps: the source map of {missing[0]} is not there. Run: make build")
    command = ("sourcemaps", "upload", "--release", build.release, "--strict", str(DIST), str(MAPS))
    try:
        call("Uploading the source maps", *command, variables=target.variables)
    except (OutageError, ReleaseError):
        report.warning(f"The source maps of {build.release} were not uploaded, and are still in release/sourcemaps.")
        raise
    UPLOADED.write_text(json.dumps(asdict(upload), indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(MAPS)
    count = len(build.debug_ids)
    report.notice(f"The source maps of {build.release} are uploaded, of {count} scripts, and deleted here.")
