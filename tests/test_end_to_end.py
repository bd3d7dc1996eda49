"""A production build on real servers is broken in a real browser, and a Sentry server is asked what it knows."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_hex

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from harness.browser import chromium
from harness.bugsink import Bugsink, BugsinkProject, StoredEvent, bugsink
from harness.processes import HOST, free_port, poll, serving
from harness.project import Project

ENVIRONMENT = "staging"
LOADING = 30_000  # milliseconds

# Something that nobody may ever see again, as it is and as the payload of a token.
SECRET = token_hex(16)
CLAIMS = base64.urlsafe_b64encode(json.dumps({"sub": SECRET}).encode()).decode().rstrip("=")
JWT = f"eyJhbGciOiJIUzI1NiJ9.{CLAIMS}.{SECRET}"


@dataclass(frozen=True)
class Upload:
    """A run of ``make sourcemaps`` and the source maps there were afterwards."""

    process: "subprocess.CompletedProcess[str]"
    maps: list[str]


@dataclass(frozen=True)
class Build:
    """What ``make build`` made, and how uploading its source maps went."""

    built_maps: list[str]
    refused: Upload
    unreachable: Upload
    accepted: Upload


@dataclass(frozen=True)
class Visit:
    """What a visit of the page left on the page and on the Sentry server."""

    shown: dict[str, str]
    backend: list[StoredEvent]
    frontend: list[StoredEvent]


@pytest.fixture(scope="module", autouse=True)
def _no_sentry_settings_of_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if "SENTRY" in name or name == "ENVIRONMENT"]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def server(default_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    slugs = contract(default_project)["sentry"]["projects"]
    with bugsink(tmp_path_factory.mktemp("bugsink") / "data", **slugs) as running:
        yield running


@pytest.fixture(scope="module")
def build(default_project: Project, server: Bugsink) -> Build:
    default_project.make(
        "build",
        environment={"VITE_SENTRY_DSN": server.frontend.dsn, "VITE_SENTRY_ENVIRONMENT": ENVIRONMENT},
    )

    def upload(url: str, token: str) -> Upload:
        environment = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token}
        process = default_project.make("sourcemaps", environment=environment, check=False)
        return Upload(process, source_maps(default_project))

    return Build(
        built_maps=source_maps(default_project),
        refused=upload(server.url, "0" * 40),
        unreachable=upload(f"http://{HOST}:{free_port()}", server.token),
        accepted=upload(server.url, server.token),
    )


@pytest.fixture(scope="module")
def visit(default_project: Project, server: Bugsink, build: Build, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    assert build.accepted.process.returncode == 0, output_of(build.accepted)
    logs = tmp_path_factory.mktemp("logs")
    api, web = (f"http://{HOST}:{free_port()}" for _ in range(2))
    with (
        serving(
            [".venv/bin/python", "-m", "uvicorn", "app.main:app", "--host", HOST, "--port", port_of(api)],
            f"{api}/health/live",
            cwd=default_project.path / "backend",
            log=logs / "api.log",
            environment={"SENTRY_DSN": server.backend.dsn, "ENVIRONMENT": ENVIRONMENT},
        ),
        serving(
            ["node_modules/.bin/vite", "preview", "--host", HOST, "--port", port_of(web), "--strictPort"],
            web,
            cwd=default_project.path / "frontend",
            log=logs / "web.log",
            environment={"API_URL": api},
        ),
        chromium() as browser,
    ):
        shown = break_both_sides(browser, web)
        for project in (server.backend, server.frontend):
            await_event(server, project)
    # The servers have sent what they still had, so these are all.
    return Visit(shown, server.events(server.backend), server.events(server.frontend))


def break_both_sides(browser: Browser, web: str) -> dict[str, str]:
    """Click both buttons, with the secret wherever one may be, and return what the page says was sent, by kind."""
    # The name of the browser is kept in events, so this one brings the token into both.
    context = browser.new_context(user_agent=f"Mozilla/5.0 (made by {JWT})")
    context.add_cookies([{"name": "session", "value": SECRET, "url": web}])
    page = context.new_page()

    def with_secret(route: Route) -> None:
        headers = {**route.request.headers, "Authorization": f"Bearer {JWT}", "X-Api-Key": SECRET}
        route.continue_(url=f"{route.request.url}?access_token={SECRET}&note={JWT}", headers=headers)

    page.route(f"{web}/api/v1/sentry-test/**", with_secret)
    page.goto(f"{web}/?access_token={SECRET}&note={JWT}#id_token={SECRET}")
    sent = page.get_by_role("log").get_by_role("listitem")
    shown: dict[str, str] = {}
    for number, side in enumerate(("backend", "browser"), start=1):
        page.get_by_role("button", name=f"Break the {side}").click(timeout=LOADING)
        expect(sent).to_have_count(number, timeout=LOADING)
        shown[side] = entry_about(sent, side)
    context.close()
    return shown


def entry_about(sent: Locator, side: str) -> str:
    return sent.filter(has_text=re.compile(f"{side} error", re.IGNORECASE)).inner_text()


def await_event(server: Bugsink, project: BugsinkProject) -> None:
    poll(lambda: server.events(project), awaiting=f"an event in {project.slug}, see {server.folder}")


def contract(project: Project) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = json.loads((project.path / "contracts/project.json").read_text())
    return found


def source_maps(project: Project) -> list[str]:
    dist = project.path / "frontend/dist"
    return sorted(str(path.relative_to(dist)) for path in dist.rglob("*.map"))
