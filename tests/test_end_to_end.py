"""A production build on real servers is broken in a real browser, and a Sentry server is asked what it knows."""

import base64
import json
import os
import re
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

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
    """A run of ``make sourcemaps``, and the source maps there were afterwards."""

    code: int
    output: str
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
def build(default_project: Project, server: Bugsink) -> Iterator[Build]:
    default_project.make(
        "build",
        environment={"VITE_SENTRY_DSN": server.frontend.dsn, "VITE_SENTRY_ENVIRONMENT": ENVIRONMENT},
    )

    def upload(url: str, token: str) -> Upload:
        environment = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token}
        process = default_project.make("sourcemaps", environment=environment, check=False)
        return Upload(process.returncode, process.stdout + process.stderr, source_maps(default_project))

    yield Build(
        built_maps=source_maps(default_project),
        refused=upload(server.url, "0" * 40),
        unreachable=upload(f"http://{HOST}:{free_port()}", server.token),
        accepted=upload(server.url, server.token),
    )
    # The next tests build the project anew, which is then no longer what was uploaded.
    (default_project.path / "release/uploaded.json").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def visit(default_project: Project, server: Bugsink, build: Build, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    assert build.accepted.code == 0, build.accepted.output
    logs = tmp_path_factory.mktemp("logs")
    api, web = (f"http://{HOST}:{free_port()}" for _ in range(2))
    with (
        serving(
            [".venv/bin/python", "-m", "uvicorn", "app.main:app", "--host", HOST, "--port", port_of(api)],
            f"{api}/health/live",
            cwd=default_project.path / "backend",
            log=logs / "api.log",
            environment={
                "SENTRY_DSN": server.backend.dsn,
                "VITE_SENTRY_DSN": server.frontend.dsn,
                "ENVIRONMENT": ENVIRONMENT,
            },
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
        page.get_by_role("button", name=f"Break the {side}", exact=True).click(timeout=LOADING)
        expect(sent).to_have_count(number, timeout=LOADING)
        shown[side] = entry_about(sent, side)
    context.close()
    return shown


def entry_about(sent: Locator, side: str) -> str:
    return sent.filter(has_text=re.compile(f"{side} error", re.IGNORECASE)).inner_text()


def await_event(server: Bugsink, project: BugsinkProject) -> None:
    poll(lambda: server.events(project), awaiting=f"an event in {project.slug}, see {server.folder}")


def contract(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.path / "contracts/project.json").read_text("utf-8"))
    return found


def source_maps(project: Project) -> list[str]:
    folders = (project.path / "release", project.path / "frontend/dist")
    return sorted(str(path.relative_to(project.path)) for folder in folders for path in folder.rglob("*.map"))


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


def the_only(events: list[StoredEvent]) -> StoredEvent:
    found = [f"{event.id}: {event.data.get('exception') or event.data.get('logentry')}" for event in events]
    assert len(events) == 1, f"{len(events)} events are stored instead of one:\n" + "\n".join(found)
    return events[0]


def trace_of(event: StoredEvent) -> str:
    trace_id: str = event.data["contexts"]["trace"]["trace_id"]
    return trace_id


def line_that(does: str, files: Iterable[Path]) -> tuple[Path, int, str]:
    found = [
        (file, number, line.strip())
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if does in line
    ]
    assert len(found) == 1, f"One line of the project should have {does!r}, these do: {found}"
    return found[0]


@pytest.mark.parametrize(("kind", "reason"), [("refused", "401"), ("unreachable", "connect")])
def test_upload_that_fails_says_so_and_keeps_the_source_maps(build: Build, kind: str, reason: str) -> None:
    upload: Upload = getattr(build, kind)
    sentence = r"^The source maps of \S+ were not uploaded, and are still in release/sourcemaps\.$"
    assert upload.code != 0, upload.output
    assert re.search(sentence, upload.output, re.MULTILINE), upload.output
    assert reason in upload.output
    assert "Stack backtrace" not in upload.output
    assert upload.maps == build.built_maps != []


def test_source_maps_are_nowhere_in_what_is_served(default_project: Project, build: Build) -> None:
    assert build.accepted.code == 0, build.accepted.output
    assert build.accepted.maps == []
    files = [path for path in (default_project.path / "frontend/dist").rglob("*") if path.is_file()]
    assert [str(path) for path in files if b"sourceMappingURL" in path.read_bytes()] == []


def test_each_error_is_stored_once_in_the_project_of_its_side(visit: Visit) -> None:
    assert the_only(visit.backend).data["platform"] == "python"
    assert the_only(visit.frontend).data["platform"] == "javascript"


def test_both_events_name_the_environment_and_the_same_release(default_project: Project, visit: Visit) -> None:
    version = tomllib.loads((default_project.path / "backend/pyproject.toml").read_text("utf-8"))["project"]["version"]
    commit = default_project.run("git", "rev-parse", "HEAD").stdout[:12]
    expected = {"environment": ENVIRONMENT, "release": f"{contract(default_project)['slug']}@{version}+{commit}"}
    for event in (the_only(visit.backend), the_only(visit.frontend)):
        assert {name: event.data.get(name) for name in expected} == expected


def test_browser_stack_resolves_to_the_line_of_the_component(default_project: Project, visit: Visit) -> None:
    diagnostics = default_project.path / "frontend/src/features/diagnostics"
    file, number, line = line_that('throw new Error("Diagnostics: the browser broke', diagnostics.glob("*.tsx"))
    stack = the_only(visit.frontend).stacktrace
    # The newest call comes first.
    frame = re.search(r"^### (?P<place>\S+).*?^▶ +\d+ \| (?P<line>.*?)$", stack, re.MULTILINE | re.DOTALL)
    assert frame, f"No frame shows its source:\n{stack}"
    assert frame["place"].endswith(f"src/features/diagnostics/{file.name}:{number}"), stack
    assert frame["line"].strip() == line


def test_backend_stack_ends_at_the_line_of_the_route(default_project: Project, visit: Visit) -> None:
    route = default_project.path / "backend/app/api/routes/diagnostics.py"
    _, number, line = line_that('raise RuntimeError("Diagnostics: the backend broke', [route])
    frame = the_only(visit.backend).data["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert frame["filename"].endswith("app/api/routes/diagnostics.py")
    assert (frame["lineno"], frame["context_line"].strip(), frame["in_app"]) == (number, line, True)


def test_both_errors_of_a_visit_are_in_one_trace(visit: Visit) -> None:
    assert trace_of(the_only(visit.backend)) == trace_of(the_only(visit.frontend))


def test_page_shows_the_ids_under_which_the_events_are_stored(visit: Visit) -> None:
    for side, events in (("backend", visit.backend), ("browser", visit.frontend)):
        event = the_only(events)
        assert set(re.findall(r"\b[0-9a-f]{32}\b", visit.shown[side])) == {event.id, trace_of(event)}, visit.shown[side]


def test_secret_of_a_visit_is_stored_nowhere(server: Bugsink, visit: Visit) -> None:
    for event in (the_only(visit.backend), the_only(visit.frontend)):
        text = json.dumps(event.data)
        assert [secret for secret in (SECRET, CLAIMS) if secret in text] == []
        assert "[Filtered:jwt]" in text, f"The token should reach the event, and be masked there:\n{text}"
    with closing(sqlite3.connect(server.folder / "db.sqlite3")) as database:
        # A text may be split over pages of the file, so rows are searched as well as bytes.
        stored = {"rows": "\n".join(database.iterdump()).encode()}
    stored |= {path.name: path.read_bytes() for path in server.folder.rglob("*") if path.is_file()}
    assert b"broke on purpose" in stored["rows"], "The events themselves should be found like this."
    assert [
        (name, secret) for name, data in stored.items() for secret in (SECRET, CLAIMS) if secret.encode() in data
    ] == []
