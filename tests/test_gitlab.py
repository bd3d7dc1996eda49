"""The GitLab pipeline of a generated project runs for real, job by job, and what each failure does is what it says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.advisories import Advisories, advising
from harness.browser import chromium_path
from harness.bugsink import bugsink
from harness.containers import Containers
from harness.deploys import insisted
from harness.gitlab import MERGE_REQUEST, PUSH, SCHEDULE, Pipeline, installing_once, pipeline, planned, tag
from harness.issuer import issuing
from harness.machine import machine
from harness.processes import HOST, free_port
from harness.project import Project
from harness.sentry_api import SentryApi, sentry_api
from tests.conftest import Installed

BIN = Path(sys.executable).parent
ORIGIN = "git@gitlab.com:orchard/backoffice/orchard.git"
CHECKS = ["check", "audit", "build"]
RELEASE = ["sentry", "push", "staging", "record"]
UNREACHABLE = 503

Variables = dict[str, dict[str, str]]
Run = Callable[..., Pipeline]


@pytest.fixture(scope="module")
def project(rendered: Installed, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of the answers that choose GitLab, committed, with the address of its repository."""
    project = Project(tmp_path_factory.mktemp("gitlab") / "orchard")
    subprocess.run(["cp", "-R", rendered("full").path, project.path], check=True)
    project.run("uv", "lock", "--quiet", "--directory", "backend")
    project.commit("Start")
    project.run("git", "remote", "add", "origin", ORIGIN)
    return project


@pytest.mark.parametrize(
    ("cause", "jobs"),
    [
        (PUSH, [*CHECKS, "sentry", "push", "staging", "record"]),
        (tag("v0.1.0"), [*CHECKS, "sentry", "push", "production", "record"]),
        (MERGE_REQUEST, [*CHECKS, "images"]),
        (SCHEDULE, ["template-update"]),
        ({**tag("v0.1.0"), **SCHEDULE}, ["template-update"]),
    ],
    ids=["push", "tag", "merge request", "schedule", "schedule of a tag"],
)
def test_each_cause_has_its_jobs(
    cause: dict[str, str | None], jobs: list[str], project: Project, tmp_path: Path
) -> None:
    assert planned(project, tmp_path, cause) == jobs


def test_only_jobs_of_releases_have_an_environment_whose_variables_are_secret(project: Project) -> None:
    jobs: dict[str, Any] = yaml.safe_load((project.path / ".gitlab-ci.yml").read_text("utf-8"))
    environments = {name: job["environment"]["name"] for name, job in jobs.items() if "environment" in job}
    names = {"sentry": "release", "staging": "staging", "production": "production", "record": "release"}
    assert environments == {**names, "template-update": "template-update"}


def test_the_lines_of_the_jobs_pass_shellcheck(project: Project, tmp_path: Path) -> None:
    jobs: dict[str, Any] = yaml.safe_load((project.path / ".gitlab-ci.yml").read_text("utf-8"))
    for name, job in jobs.items():
        if lines := [line for key in ("before_script", "script") if key in job for line in job[key]]:
            (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
    result = subprocess.run(
        [BIN / "shellcheck", "--shell", "sh", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def sentry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentryApi]:
    folder = tmp_path_factory.mktemp("bugsink") / "data"
    with bugsink(folder, backend="ledger-api", frontend="ledger-web") as server, sentry_api(server) as running:
        yield running


@pytest.fixture(scope="module")
def advisories() -> Iterator[Advisories]:
    with advising() as running:
        yield running


@pytest.fixture(scope="module")
def staging(project: Project, docker: Containers) -> Iterator[dict[str, str]]:
    """What the environment is told of a machine that it has, and of what runs there."""
    address = f"{HOST}:{free_port()}"
    dsns = {"SENTRY_DSN": "https://key@sentry.invalid/1", "VITE_SENTRY_DSN": "https://key@sentry.invalid/2"}
    with machine(docker) as reached, issuing(docker) as issuer:
        # Without the issuer's keys the API does not become ready.
        given = {**dsns, **insisted(project), "AUTH_ISSUER": issuer}
        yield {**reached, **given, "WEB_ADDRESS": address, "PUBLIC_URL": f"http://{address}"}


@pytest.fixture(scope="module")
def settings(sentry: SentryApi, advisories: Advisories, staging: dict[str, str]) -> Variables:
    """The variables of the project's settings, by scope; the packages come from this machine's own caches."""
    caches = {
        "UV_CACHE_DIR": subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True),
        "npm_config_cache": subprocess.run(
            ["npm", "config", "get", "cache"], check=True, capture_output=True, text=True
        ),
    }
    machine = {name: result.stdout.strip() for name, result in caches.items()} | {"npm_config_prefer_offline": "true"}
    everywhere = {**machine, **advisories.environment, "SENTRY_URL": sentry.url}
    return {
        **{name: {"*": value} for name, value in everywhere.items()},
        **{name: {"staging": value} for name, value in staging.items()},
        "CI_REGISTRY_USER": {"*": "ci"},
        "CI_REGISTRY_PASSWORD": {"*": "of-this-job"},
        "SENTRY_AUTH_TOKEN": {"release": sentry.token},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole pipeline."""
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def run(project: Project, docker: Containers, settings: Variables, whole: Path) -> Run:
    """A function that runs a pipeline, or some jobs of one, with the servers of this module.

    The job ``build`` of the whole pipeline is the last that really installs the packages of the page.
    """
    installed = whole / "builds/build/frontend/node_modules"
    machine = {**docker.environment, **installing_once(installed, docker.environment["PATH"])}

    def start(
        folder: Path, *jobs: str, cause: dict[str, str | None] | None = None, more: Variables | None = None
    ) -> Pipeline:
        return pipeline(
            project,
            folder,
            cause={"CI_REGISTRY": docker.registry, "CI_PIPELINE_ID": "7", **(PUSH if cause is None else cause)},
            variables={**settings, **(more or {})},
            environment={"CHROMIUM_PATH": chromium_path(), **machine},
            jobs=jobs,
        )

    return start


@pytest.fixture(scope="module")
def pushed(run: Run, sentry: SentryApi, whole: Path) -> tuple[Pipeline, SentryApi]:
    """The whole pipeline of a push, and what Sentry knew after it."""
    finished = run(whole)
    seen = SentryApi(requests=list(sentry.requests), problems=list(sentry.problems))
    seen.releases, seen.deploys = dict(sentry.releases), dict(sentry.deploys)
    return finished, seen


@pytest.fixture
def again(pushed: tuple[Pipeline, SentryApi], sentry: SentryApi, tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a folder in which jobs run after some of that pipeline, while Sentry knows nothing yet."""

    def after(*jobs: str) -> Path:
        for job in jobs:
            shutil.copytree(pushed[0].folder / f"artifacts/{job}", tmp_path / f"state/artifacts/{job}", symlinks=True)
        sentry.reset()
        return tmp_path / "state"

    return after


def test_a_push_is_checked_built_told_to_sentry_packed_and_deployed(pushed: tuple[Pipeline, SentryApi]) -> None:
    finished, seen = pushed
    assert finished.jobs == dict.fromkeys([*CHECKS, *RELEASE], "PASS"), finished.output[-4000:]
    assert finished.code == 0
    assert seen.problems == []
    assert re.search(r"\d+ passed", finished.log("check"))
    assert not re.search(r"\d+ (skipped|flaky|failed)", finished.log("check"))


def test_all_of_a_pipeline_is_one_release(
    pushed: tuple[Pipeline, SentryApi], project: Project, docker: Containers, staging: dict[str, str]
) -> None:
    finished, seen = pushed
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    release = f"orchard@0.1.0+{commit[:12]}"
    assert list(seen.releases) == [release]
    assert sorted(seen.releases[release]["projects"]) == ["ledger-api", "ledger-web"]
    assert seen.releases[release]["dateReleased"]
    folder = finished.copy("push").path / "release"
    record, upload = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("build", "uploaded"))
    assert (record["release"], record["commit"], upload["release"]) == (release, commit, release)
    assert record["digest"] == upload["digest"]
    images = json.loads((folder / "images.json").read_text("utf-8"))
    [deploy] = seen.deploys[release]
    assert (deploy["environment"], deploy["url"]) == ("staging", staging["PUBLIC_URL"])
    assert httpx.get(f"{staging['PUBLIC_URL']}/health", timeout=60).json()["release"] == release
    for part in ("api", "web"):
        name, _, digest = images[part].partition("@")
        assert name == f"{docker.registry}/orchard/backoffice/orchard/app-{part}"
        path = name.removeprefix(f"{docker.registry}/")
        accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        answer = httpx.get(f"http://{docker.registry}/v2/{path}/manifests/{digest}", headers=accept, timeout=60)
        assert answer.status_code == 200, answer.text


def test_the_source_maps_end_with_their_upload(pushed: tuple[Pipeline, SentryApi]) -> None:
    finished, _ = pushed
    assert list((finished.copy("build").path / "release/sourcemaps").rglob("*.map"))
    for job in RELEASE:
        assert not list((finished.copy(job).path / "release").rglob("*.map")), job
        assert not list((finished.copy(job).path / "frontend/dist").rglob("*.map")), job


def test_no_secret_is_printed(pushed: tuple[Pipeline, SentryApi], sentry: SentryApi) -> None:
    assert sentry.token not in pushed[0].output
    assert "of-this-job" not in pushed[0].output


def test_an_outage_of_sentry_is_shown_and_blocks_nothing(
    run: Run, sentry: SentryApi, again: Callable[..., Path]
) -> None:
    folder = again("build")
    sentry.broken = UNREACHABLE
    finished = run(folder, *RELEASE)
    ended = {"sentry": "WARN", "push": "PASS", "staging": "PASS", "record": "WARN"}
    assert finished.jobs == ended, finished.output[-4000:]
    assert finished.code == 0
    assert str(UNREACHABLE) in finished.log("sentry")
    assert 'run the job "sentry" again, then this one' in finished.log("record")
    assert set(sentry.calls) == {"new release"}

    sentry.broken = None
    once_more = run(folder, "sentry", "record")
    assert once_more.jobs == {"sentry": "PASS", "record": "PASS"}, once_more.output[-4000:]
    assert [bool(release["dateReleased"]) for release in sentry.releases.values()] == [True]
    assert [len(deploys) for deploys in sentry.deploys.values()] == [1]


def test_a_record_that_sentry_does_not_take_is_shown_and_can_be_made_later(
    run: Run, sentry: SentryApi, again: Callable[..., Path]
) -> None:
    folder = again("sentry", "staging")
    sentry.broken = UNREACHABLE
    finished = run(folder, "record")
    assert finished.jobs == {"record": "WARN"}, finished.output[-4000:]
    assert finished.code == 0

    sentry.broken = None
    assert run(folder, "record").jobs == {"record": "PASS"}
    assert [len(deploys) for deploys in sentry.deploys.values()] == [1]


def test_a_token_that_is_refused_stops_the_release(run: Run, again: Callable[..., Path]) -> None:
    finished = run(again("build"), *RELEASE, more={"SENTRY_AUTH_TOKEN": {"release": "0" * 64}})
    assert finished.jobs == {"sentry": "FAIL"}, finished.output[-4000:]
    assert finished.code == 1
    assert "401" in finished.log("sentry")
    assert "0" * 64 not in finished.output


def test_a_job_that_runs_again_records_nothing_twice(
    run: Run, pushed: tuple[Pipeline, SentryApi], again: Callable[..., Path], sentry: SentryApi
) -> None:
    folder = again("build", "staging")
    for _ in range(2):
        finished = run(folder, "sentry", "record")
        assert finished.jobs == {"sentry": "PASS", "record": "PASS"}, finished.output[-4000:]
    assert list(sentry.releases) == list(pushed[1].releases)
    assert {version: len(deploys) for version, deploys in sentry.deploys.items()} == dict.fromkeys(sentry.releases, 1)


def test_a_release_without_a_token_says_what_it_leaves_out(
    run: Run, again: Callable[..., Path], sentry: SentryApi
) -> None:
    finished = run(again("build", "staging"), "sentry", "record", more={"SENTRY_AUTH_TOKEN": {}})
    assert finished.jobs == {"sentry": "PASS", "record": "PASS"}, finished.output[-4000:]
    assert "SENTRY_AUTH_TOKEN: not set" in finished.log("sentry")
    assert "nothing is recorded" in finished.log("record")
    assert sentry.requests == []


def test_a_release_without_a_machine_is_out_and_runs_nowhere(
    run: Run, again: Callable[..., Path], sentry: SentryApi
) -> None:
    finished = run(again("sentry", "push"), "staging", "record", more={"DEPLOY_HOST": {}})
    assert finished.jobs == {"staging": "PASS", "record": "PASS"}, finished.output[-4000:]
    assert "nothing was deployed" in finished.log("staging")
    assert [bool(release["dateReleased"]) for release in sentry.releases.values()] == [True]
    assert "new deploy" not in sentry.calls


def test_a_merge_request_builds_the_images_without_any_secret(
    run: Run, again: Callable[..., Path], sentry: SentryApi
) -> None:
    finished = run(again("build"), "images", cause=dict(MERGE_REQUEST))
    assert finished.jobs == {"images": "PASS"}, finished.output[-4000:]
    assert sentry.requests == []


def test_a_tag_without_its_version_is_not_built(run: Run, project: Project, tmp_path: Path) -> None:
    project.run("git", "tag", "v9.9.9")
    try:
        finished = run(tmp_path / "state", "build", cause=dict(tag("v9.9.9")))
    finally:
        project.run("git", "tag", "--delete", "v9.9.9")
    assert finished.jobs == {"build": "FAIL"}, finished.output
    assert "v9.9.9" in finished.log("build")
    assert "0.1.0" in finished.log("build")
