"""Run the GitLab pipeline of a generated project for real: every line of every job, by gitlab-ci-local on this machine.

It follows the rules, stages, artifacts, environments and variables of ``.gitlab-ci.yml`` as GitLab does; a job runs
in a copy of its own, which holds what git knows and the artifacts of the jobs before. Images and services are not used,
so their programs have to be on this machine. https://github.com/firecow/gitlab-ci-local
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.cache import cached
from harness.processes import start, stop
from harness.project import Project

RECIPE = Path(__file__).with_name("gitlab-ci-local")
STANDINS = Path(__file__).with_name("standins")

# GitLab lets the exit codes of allow_failure:exit_codes pass and no other; this program lets all pass, and says FAIL.
# https://docs.gitlab.com/ci/yaml/#allow_failureexit_codes
# It starts the services of a job in containers even where the job itself runs without; they are left out as images are.
REPAIRS = {
    "if(r.allowFailure)return!1;return(r.preScriptsExitCode?r.preScriptsExitCode:0)>0": 'return r.jobStatus==="failed"',
    "return e}set ciProjectDir": "return[]}set ciProjectDir",
    "!t.allowFailure&&(t.preScriptsExitCode??0)>0": 't.jobStatus==="failed"',
}

PUSH: Mapping[str, str | None] = {}
MERGE_REQUEST: Mapping[str, str | None] = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": None}
SCHEDULE: Mapping[str, str | None] = {"CI_PIPELINE_SOURCE": "schedule"}


def tag(name: str) -> Mapping[str, str | None]:
    """Return what GitLab sets in the pipeline of a tag."""
    return {"CI_COMMIT_TAG": name, "CI_COMMIT_REF_NAME": name, "CI_COMMIT_BRANCH": None}


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that has ended.

    Attributes:
        code: 0 if GitLab would call it passed, with or without warnings.
        jobs: how each job that ran has ended: ``PASS``, ``WARN`` (a failure that is allowed) or ``FAIL``.
    """

    code: int
    output: str
    jobs: Mapping[str, str]
    folder: Path

    def log(self, job: str) -> str:
        """Return what a job printed."""
        return (self.folder / "output" / f"{job}.log").read_text("utf-8")

    def copy(self, job: str) -> Project:
        """Return the working copy that a job ran in."""
        return Project(self.folder / "builds" / job)


def pipeline(
    project: Project,
    folder: Path,
    *,
    cause: Mapping[str, str | None] = PUSH,
    variables: Mapping[str, Mapping[str, str]] | None = None,
    environment: Mapping[str, str] | None = None,
    jobs: Sequence[str] = (),
) -> Pipeline:
    """Run the pipeline of the last commit.

    Args:
        project: committed, and with the address of its repository as remote ``origin``.
        folder: takes the copies, outputs and artifacts of the jobs; it may hold artifacts of earlier ones.
        cause: predefined variables; ``None`` takes one away.
        variables: those of Settings > CI/CD, as name to value by scope: ``{"TOKEN": {"staging": "x", "*": "y"}}``.
        environment: what the machine brings, such as ``PATH``.
        jobs: run only these.
    """
    remote = project.run("git", "remote", "get-url", "origin").stdout.strip()
    settings = {name: {"values": dict(scopes)} for name, scopes in (variables or {}).items()}
    place = re.sub(r"^git@([^:]+):", r"\1/", remote)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "variables.yml").write_text(yaml.safe_dump({"project": {place: settings}}), "utf-8")
    options = ["--force-shell-executor", "--shell-isolation", "--no-artifacts-to-source", *jobs]
    path = (environment or {}).get("PATH", os.environ["PATH"])
    machine = {**(environment or {}), "PATH": f"{STANDINS / 'packages'}{os.pathsep}{path}"}
    log = folder / "pipeline.log"
    process = start(_command(project, folder, cause, *options), cwd=project.path, log=log, environment=machine)
    try:
        process.wait()
    finally:
        stop(process)
    output = log.read_text("utf-8")
    ended = re.findall(r"^ (PASS|WARN|FAIL) +(\S+)", output, re.MULTILINE)
    return Pipeline(process.returncode, output, {job: status for status, job in ended}, folder)


def installing_once(modules: Path, path: str) -> dict[str, str]:
    """Return the variables with which ``npm ci`` gives what has been installed elsewhere, as soon as that is done.

    Args:
        modules: a folder ``node_modules`` of the same lock file.
        path: the ``PATH`` of everything else.
    """
    npm = shutil.which("npm", path=path) or "npm"
    return {"STANDIN_MODULES": str(modules), "STANDIN_NPM": npm, "PATH": f"{STANDINS / 'installed'}{os.pathsep}{path}"}


def planned(project: Project, folder: Path, cause: Mapping[str, str | None]) -> list[str]:
    """Return the names of the jobs that a pipeline would have, without running them; see :func:`pipeline`."""
    listed = project.run(*_command(project, folder, cause, "--list-json")).stdout
    return [job["name"] for job in json.loads(listed) if job["when"] != "never"]


def _command(project: Project, folder: Path, cause: Mapping[str, str | None], *options: str) -> list[str]:
    # It looks for variables in <home>/<state folder>, and names the state folder from the project.
    places = ["--home", str(project.path), "--state-dir", os.path.relpath(folder, project.path)]
    command = [*_installed(), *options, "--no-color", *places, "--ignore-predefined-vars", ",".join(cause)]
    for name, value in cause.items():
        command += ["--unset-variable", name] if value is None else ["--variable", f"{name}={value}"]
    return command


def _installed() -> list[str]:
    """Return the command that starts the program, which is installed on first use with the Node 22 that it needs."""
    lock = (RECIPE / "package-lock.json").read_text("utf-8")
    place = cached("gitlab-ci-local", f"{lock}{REPAIRS}", _install)
    machine = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return [str(place / f"node_modules/node-{sys.platform}-{machine}/bin/node"), str(_program(place))]


def _install(folder: Path) -> Path:
    made = folder / "made"
    shutil.copytree(RECIPE, made)
    install = ["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=made, stdin=subprocess.DEVNULL, check=True)
    _repair(_program(made))
    return made


def _program(place: Path) -> Path:
    return place / "node_modules/gitlab-ci-local/dist/index.js"


def _repair(program: Path) -> None:
    text = program.read_text("utf-8")
    for wrong, right in REPAIRS.items():
        if text.count(wrong) != 1:
            raise AssertionError(f"{program} has {text.count(wrong)} places like {wrong!r} to repair instead of one.")
        text = text.replace(wrong, right)
    program.write_text(text, "utf-8")
