"""Start the pushed images on one machine, by docker compose over SSH: ``make deploy ENVIRONMENT=staging``."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.release import ROOT, ReleaseError, report
from ops.release.build import Build, read_record
from ops.release.commit import is_newer
from ops.release.images import MISSING, about, read_pushed
from ops.release.served import release_at, url_problems

GOING_BACK = "To have an older release again, revert what came after it, or deploy it by hand"
HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")
NEEDED = {"SENTRY_DSN": "where the API reports to", "VITE_SENTRY_DSN": "where the page reports to"}
SECRETS = (*NEEDED, "DEPLOY_SSH_KEY", "SENTRY_DIAGNOSTICS_TOKEN")
SHORTEST_SECRET = 8
VARIABLE = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)")

# Until the health checks of all containers succeed, for so many seconds at most.
WAITING = ("--wait", "--wait-timeout", "120")

# A proxy in front of the page may need some seconds until it knows the new containers.
SERVED_WITHIN_SECONDS, PAUSE_SECONDS = 60, 3


def deploy(environment: str) -> None:
    """Start the images of ``release/images.json`` on ``DEPLOY_HOST`` and look whether they are what is served.

    Args:
        environment: staging or production; one machine can have both.

    Raises:
        ReleaseError: a variable is missing, the machine did not start the images, or something else is served.
    """
    host = os.environ.get("DEPLOY_HOST", "")
    if not host:
        if environment == "production":
            report.warning(
                "DEPLOY_HOST is not set: nothing was deployed to production. Set it there, "
                "and in GitLab protect the tags too, because protected variables reach no others."
            )
        else:
            report.notice("DEPLOY_HOST is not set: nothing was deployed.")
        report.output("deployed", "false")
        return
    if problems := _variable_problems(host):
        raise ReleaseError(*problems)
    build = read_record()
    pushed = read_pushed(build)
    if _is_superseded(build):
        report.output("deployed", "false")
        return
    project = f"{about('slug')}-{environment}"
    given = {**_more_variables(), "API_IMAGE": pushed["api"], "WEB_IMAGE": pushed["web"], "ENVIRONMENT": environment}
    with _ssh() as path:
        variables = {**os.environ, **given, "DOCKER_HOST": f"ssh://{host}", "PATH": path}
        _compose(project, variables, "pull", "--quiet")
        _compose(project, variables, "up", "--detach", "--no-build", "--remove-orphans", *WAITING)
    report.output("deployed", "true")
    runs = f"{build.release} runs in {environment}"
    if address := os.environ.get("PUBLIC_URL"):
        _look(build, address)
        report.notice(f"{runs}: {address}")
    else:
        report.notice(f"{runs}. PUBLIC_URL is not set, so nobody looked at what is served.")


def _look(build: Build, address: str) -> None:
    end = time.monotonic() + SERVED_WITHIN_SECONDS
    while problems := url_problems(build, address):
        if time.monotonic() + PAUSE_SECONDS >= end:
            raise ReleaseError(*problems)
        time.sleep(PAUSE_SECONDS)


def _is_superseded(build: Build) -> bool:
    """Say, after a warning, whether a pipeline is about to put an old release in the place of a newer one.

    A job that is run again, or waited long, may be of an older commit than what runs by now. Where nobody can tell,
    only the first attempt deploys. A person's own deploy is never held back.
    """
    in_pipeline = os.environ.get("CI") == "true"
    is_repeated = os.environ.get("GITHUB_RUN_ATTEMPT", "1") != "1"
    address = os.environ.get("PUBLIC_URL")
    if not address:
        if is_repeated:
            report.warning("PUBLIC_URL is not set, so nobody saw whether this repeated deploy replaces a newer one.")
        return False
    _, running = release_at(address)
    if not running or running == build.release:
        return False
    newer = is_newer(running, build)
    serves = f"{address} serves {running}"
    if newer is None and is_repeated:
        report.warning(
            f"{serves}, and git does not know here whether that is newer than {build.release}: this repeated attempt "
            f"deployed nothing. Let it have the whole history: fetch-depth: 0. {GOING_BACK}"
        )
        return True
    if newer and in_pipeline:
        report.warning(f"{serves}, which is newer than {build.release}: nothing was deployed. {GOING_BACK}")
        return True
    if newer:
        report.warning(f"{serves}, which is newer than {build.release} and is replaced.")
    return False


def _variable_problems(host: str) -> list[str]:
    problems = [f"{name}: not set. Set it to {what}" for name, what in NEEDED.items() if not os.environ.get(name)]
    if not HOST.fullmatch(host):
        problems.append("DEPLOY_HOST: not like deploy@app.example.com. Set it to user and host of the machine")
    if os.environ.get("DEPLOY_SSH_KEY") and not os.environ.get("DEPLOY_KNOWN_HOSTS"):
        problems.append(
            "DEPLOY_KNOWN_HOSTS: not set, so nobody could tell the machine from another. "
            "Set it to what ssh-keyscan prints, after comparing that with the machine's own keys"
        )
    return problems


def _more_variables() -> dict[str, str]:
    """Return what ``DEPLOY_VARIABLES`` holds: a line ``NAME=value`` for each variable that the pipeline does not name.

    Raises:
        ReleaseError: a line is something else; the message has its number and not its text, which may be a secret.
    """
    variables = {}
    for number, line in enumerate(os.environ.get("DEPLOY_VARIABLES", "").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = VARIABLE.fullmatch(line.strip())
        if not found:
            raise ReleaseError(f"DEPLOY_VARIABLES: line {number} is not like NAME=value")
        variables[found[1]] = found[2]
    return variables


@contextmanager
def _ssh() -> Iterator[str]:
    """Give a PATH whose ssh uses ``DEPLOY_SSH_KEY`` and trusts ``DEPLOY_KNOWN_HOSTS`` alone, if they are set.

    Docker calls ssh by itself and takes no options for it, and the person's own settings stay as they are.
    """
    path = os.environ.get("PATH", os.defpath)
    key = os.environ.get("DEPLOY_SSH_KEY", "")
    if not key:
        yield path
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"key": key, "known_hosts": os.environ["DEPLOY_KNOWN_HOSTS"]}
        for file, content in files.items():
            (folder / file).touch(mode=0o600)
            (folder / file).write_text(f"{content.strip()}\n", encoding="utf-8")
        options = {
            "IdentityFile": folder / "key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": folder / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
        }
        words = [shutil.which("ssh") or "ssh", "-F", "none"]
        for option, value in options.items():
            words += ["-o", f"{option}={value}"]
        script = folder / "ssh"
        script.touch(mode=0o700)
        script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        yield f"{folder}{os.pathsep}{path}"


def _compose(project: str, variables: dict[str, str], *arguments: str) -> None:
    # The file .env holds the settings of this machine, which are not those of the other.
    command = ["docker", "compose", "--env-file", os.devnull, "--project-name", project]
    command += ["--file", "compose.yaml", "--file", "compose.production.yaml", *arguments]
    try:
        result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    except OSError:
        raise ReleaseError(MISSING) from None
    said = (result.stdout + result.stderr).strip()
    secrets = [*map(os.environ.get, SECRETS), *_more_variables().values()]
    # What is short is no secret, and would tear the words apart.
    for secret in (text for text in secrets if text and len(text) >= SHORTEST_SECRET):
        said = said.replace(secret, "***")
    print(said, flush=True)
    if result.returncode != 0:
        raise ReleaseError(
            f"docker compose {arguments[0]}: it failed on {variables['DOCKER_HOST']}, see above why. {GOING_BACK}"
        )
