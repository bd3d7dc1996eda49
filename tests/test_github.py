"""The workflows of GitHub, run step by step: a release from the push to the page in a browser, and its troubles."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from harness.advisories import advising
from harness.browser import chromium, chromium_path
from harness.bugsink import Bugsink, bugsink
from harness.containers import Containers
from harness.deploys import as_lines, insisted
from harness.gitlab import installing_once
from harness.machine import machine
from harness.pipelines import Github, GithubRun
from harness.processes import HOST, free_port, poll
from harness.project import Project
from harness.relay import relayed
from harness.releases import git
from harness.sentry_api import SentryApi, sentry_api
from tests.conftest import Installed

LOADING = 30_000  # milliseconds
UNREACHABLE = 503
BUILT = ["check", "build once"]
CHECKED = ["build the images", "known weaknesses of dependencies", "lint, test, build, browser tests"]
TOLD, PUSHED, DEPLOYED = "release and source maps in Sentry", "push the images", "deploy"
RECORDED = "finalize the release, record the deploy"


@dataclass
class World:
    """A repository with everything that its release needs, on loopback; ``modules`` are the page's packages."""

    project: Project
    modules: Path
    github: Github
    sentry: SentryApi
    bugsink: Bugsink
    docker: Containers
    page: str

    def release(self, run_id: int = 1, *, ref: str = "main", checked: bool = True) -> GithubRun:
        """Run the release of a push; secrets may not appear in what it prints.

        Only the job ``check``, in a run that is not checked before, really installs the page's packages.
        """
        run = self.github.run("push", "release.yml", ref=ref, run_id=run_id, checked=checked, environment=self.linked)
        for name, secret in {**self.github.secrets, **insisted(self.project)}.items():
            assert secret not in run.output(), name
        assert self.sentry.problems == []
        return run

    @property
    def linked(self) -> dict[str, str]:
        """The variables with which jobs other than ``check`` link the page's packages."""
        return installing_once(self.modules, self.github.environment["PATH"])

    @property
    def name(self) -> str:
        """What the release is called."""
        return self.project.make("release").stdout.strip()

    @property
    def deploys(self) -> list[str]:
        """The environments of the recorded deploys."""
        return [deploy["environment"] for deploy in self.sentry.deploys.get(self.name, [])]


def committed(original: Project, destination: Path) -> tuple[Project, Path]:
    """Return a clone with one more file, of the kind that is easily lost on the way, and the original's packages."""
    original.run("git", "clone", "--quiet", str(original.path), str(destination))
    project = Project(destination)
    (destination / "frontend/public/.well-known").mkdir(parents=True)
    (destination / "frontend/public/.well-known/security.txt").write_text("Contact: https://my-app.example\n", "utf-8")
    project.commit("A hidden file")
    return project, original.path / "frontend/node_modules"


@pytest.fixture(scope="module")
def world(installed: Installed, docker: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("github")
    project, modules = committed(installed("default"), folder / "project")
    slugs = json.loads((project.path / "contracts/project.json").read_text("utf-8"))["sentry"]["projects"]
    github = Github.of(project, folder / "github")
    page = f"{HOST}:{free_port()}"
    with (
        bugsink(folder / "bugsink", **slugs) as server,
        relayed(docker.host, int(server.url.rpartition(":")[2])),
        sentry_api(server) as api,
        advising() as advisories,
        machine(docker) as target,
    ):
        github.secrets = {
            "DEPLOY_SSH_KEY": target["DEPLOY_SSH_KEY"],
            "DEPLOY_VARIABLES": as_lines(insisted(project)),
            "GITHUB_TOKEN": "token-of-this-run",
            "SENTRY_AUTH_TOKEN": api.token,
            "SENTRY_DSN": server.backend.dsn.replace(HOST, docker.host),
            "VITE_SENTRY_DSN": server.frontend.dsn.replace(HOST, docker.host),
        }
        github.variables = {
            "DEPLOY_HOST": target["DEPLOY_HOST"],
            "DEPLOY_KNOWN_HOSTS": target["DEPLOY_KNOWN_HOSTS"],
            "PUBLIC_URL": f"http://{page}",
            "REGISTRY": f"{docker.registry}/owner/my-app",
            "SENTRY_URL": api.url,
            "WEB_ADDRESS": page,
        }
        github.environment = {
            **docker.environment,
            **advisories.environment,
            "CHROMIUM_PATH": chromium_path(),
            "npm_config_prefer_offline": "true",
        }
        yield World(project, modules, github, api, server, docker, f"http://{page}")


@pytest.fixture(scope="module")
def released(world: World) -> GithubRun:
    """A push to main, from the checks to the deploy."""
    return world.release(checked=False)


def results(run: GithubRun) -> dict[str, list[str]]:
    """Return the jobs by how they ended."""
    found: dict[str, list[str]] = {}
    for name, result in run.results.items():
        found.setdefault(result, []).append(name.rpartition("/")[2])
    return {result: sorted(names) for result, names in found.items()}


def test_a_push_to_main_is_checked_built_uploaded_pushed_deployed_and_recorded(
    released: GithubRun, world: World
) -> None:
    jobs = [*CHECKED, "build once", TOLD, PUSHED, DEPLOYED, RECORDED]
    assert results(released) == {"success": sorted(jobs)}, released.output()[-8000:]
    assert re.search(r"\d+ passed", released.output())
    assert not re.search(r"\d+ (skipped|flaky|failed)", released.output())
    assert list(world.sentry.releases) == [world.name]
    stored = world.sentry.releases[world.name]
    assert len(stored["projects"]) == 2
    assert stored["dateReleased"]
    assert world.deploys == ["staging"]


def test_only_the_job_that_uploads_them_gets_the_source_maps(released: GithubRun) -> None:
    artifacts = released.state / "artifacts"
    assert {path.parts[len(artifacts.parts)] for path in artifacts.rglob("*.map")} == {"sourcemaps"}
    assert sorted(path.name for path in artifacts.iterdir()) == ["images", "page", "sourcemaps", "uploaded"]


def test_a_hidden_file_of_the_page_is_deployed(released: GithubRun, world: World) -> None:
    assert released.code == 0
    assert httpx.get(f"{world.page}/.well-known/security.txt", timeout=60).text == "Contact: https://my-app.example\n"


def test_both_images_are_attested_under_the_digests_that_are_deployed(released: GithubRun, world: World) -> None:
    pushed = json.loads((released.state / "artifacts/images/images.json").read_text("utf-8"))
    assert (released.state / "attested").read_text("utf-8").split() == [pushed["api"], pushed["web"]]
    running = world.docker.docker("ps", "--format", "{{.Image}}").stdout.split()
    assert {pushed["api"], pushed["web"]} <= set(running)


@pytest.mark.usefixtures("released")
def test_an_error_of_the_deployed_page_shows_its_line_of_source(world: World) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(world.page)
        page.get_by_role("button", name="Break the browser", exact=True).click(timeout=LOADING)
        (event,) = poll(lambda: world.bugsink.events(world.bugsink.frontend), awaiting="the error of the page")
    assert event.data["release"] == world.name
    assert event.data["environment"] == "staging"
    frame = re.search(r"^### (?P<place>\S+).*?^▶ +\d+ \| (?P<line>.*?)$", event.stacktrace, re.MULTILINE | re.DOTALL)
    assert frame, event.stacktrace
    assert "src/features/diagnostics/" in frame["place"]
    assert 'throw new Error("Diagnostics: the browser broke' in frame["line"]


@pytest.mark.usefixtures("released")
def test_an_outage_of_sentry_leaves_a_run_red_that_deploys_and_its_repetition_records_nothing_twice(
    world: World,
) -> None:
    before = world.sentry.releases[world.name]["projects"]
    world.sentry.broken = UNREACHABLE
    try:
        run = world.release()
    finally:
        world.sentry.broken = None
    assert run.code != 0
    jobs = {"failure": [TOLD], "success": sorted([*BUILT, PUSHED, DEPLOYED])}
    assert results(run) == jobs, run.output(f"release/{DEPLOYED}")[-8000:]
    assert str(UNREACHABLE) in run.output(f"release/{TOLD}")

    again = world.release()
    assert again.code == 0, again.output()[-8000:]
    assert world.sentry.releases[world.name]["projects"] == before
    assert world.deploys == ["staging"]
    assert "is in Sentry already" in again.output()


def test_a_refused_token_stops_the_release_before_the_images(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.github.secrets, "SENTRY_AUTH_TOKEN", "0" * 64)
    run = world.release(2)
    assert run.code != 0
    assert results(run) == {"failure": [TOLD], "success": sorted(BUILT)}
    assert "401" in run.output(f"release/{TOLD}")


def test_without_secrets_a_copy_of_the_repository_builds_and_says_what_it_leaves_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sentry.reset()
    monkeypatch.setattr(world.github, "secrets", {"GITHUB_TOKEN": "token-of-this-run"})
    monkeypatch.setattr(world.github, "variables", {"REGISTRY": world.github.variables["REGISTRY"]})
    run = world.release(3)
    assert results(run) == {"success": sorted([*BUILT, TOLD, PUSHED, DEPLOYED])}, run.output()[-8000:]
    assert "SENTRY_AUTH_TOKEN: not set" in run.output(f"release/{TOLD}")
    assert "DEPLOY_HOST is not set: nothing was deployed" in run.output(f"release/{DEPLOYED}")
    assert world.sentry.requests == []


def test_a_tag_goes_to_production(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sentry.reset()
    # Beside staging on the same machine.
    page = f"{HOST}:{free_port()}"
    variables = {**world.github.variables, "WEB_ADDRESS": page, "PUBLIC_URL": f"http://{page}"}
    monkeypatch.setattr(world.github, "variables", variables)
    git("tag", "v0.1.0", "main", cwd=world.github.origin)
    run = world.release(4, ref="v0.1.0")
    assert run.code == 0, run.output()[-8000:]
    assert world.deploys == ["production"]


def test_a_pull_request_of_a_fork_is_checked_without_any_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sentry.reset()
    monkeypatch.setattr(world.github, "secrets", {"GITHUB_TOKEN": "token-of-this-run"})
    monkeypatch.setattr(world.github, "variables", {})
    fork = {"repo": {"full_name": "stranger/my-app", "fork": True}, "ref": "idea"}
    request = {"number": 1, "pull_request": {"head": fork, "base": {"ref": "main"}}}
    for job, name in (("images", CHECKED[0]), ("audit", CHECKED[1])):
        run = world.github.run("pull_request", "ci.yml", payload=request, run_id=5, job=job, environment=world.linked)
        assert results(run) == {"success": [name]}, run.output()[-8000:]
    assert world.sentry.requests == []


def test_each_job_of_a_release_sees_what_is_set_where_the_guide_says(rendered: Installed) -> None:
    project = rendered("default").path
    places: dict[str, str] = {}
    place = ""
    rows = re.findall(
        r"^\| ([^|]*)\| (`[A-Z_`, ]+`) \|", (project / "docs/release.md").read_text("utf-8"), re.MULTILINE
    )
    for cell, names in rows:
        place = cell.strip() or place
        places |= dict.fromkeys(re.findall(r"\w+", names), place)
    jobs = yaml.safe_load((project / ".github/workflows/release.yml").read_text("utf-8"))["jobs"]
    used = {name: set(re.findall(r"(?:vars|secrets)\.(\w+)", str(job))) & places.keys() for name, job in jobs.items()}
    assert {"SENTRY_AUTH_TOKEN", "DEPLOY_HOST", "REGISTRY"} <= set().union(*used.values())
    for name, variables in used.items():
        environments = re.findall("release|staging|production", jobs[name].get("environment", "")) or ["none"]
        for variable in variables:
            assert set(environments) <= set(re.findall(r"\w+", places[variable])), (name, variable)
