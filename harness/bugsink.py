"""Run a real Bugsink: a server of the Sentry protocol that stores error events and resolves source maps.

Its licence (PolyForm Shield) allows that; nothing that is generated depends on it or knows about it. It lives in
a virtual environment of its own below ``.cache``, beside a database that is migrated once and copied at each start.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.cache import cached
from harness.processes import HOST, free_port, serving

REQUIREMENTS = Path(__file__).with_name("bugsink-requirements.txt")

# The server is new at each start and heard on the loopback interface only, so its token is no secret.
TOKEN = "c0ffee" * 6 + "cafe"

# https://www.bugsink.com/docs/settings/
SETTINGS = """\
import os
from bugsink.settings.default import *

SECRET_KEY = "new at each start and heard on the loopback interface only"
SNAPPEA = {"TASK_ALWAYS_EAGER": True}  # an event is stored before its sender has the answer
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {
    "BASE_URL": os.environ.get("BUGSINK_URL", "http://localhost"),
    "INGEST_STORE_BASE_DIR": "ingestion",
    "PHONEHOME": False,  # by default it tells its makers about the installation
    "ALERTS_WEBHOOK_OUTBOUND_MODE": "allowlist_only",  # and no webhook is on the list
}
"""
DJANGO = {"DJANGO_SETTINGS_MODULE": "bugsink_conf"}
GRANT = f"from bsmain.models import AuthToken; AuthToken.create_full_access(token={TOKEN!r})"


@dataclass(frozen=True)
class BugsinkProject:
    """Where the events of one side of an application are sent to."""

    id: int
    slug: str
    dsn: str


@dataclass(frozen=True)
class StoredEvent:
    """An event: the id its sender gave it, its whole JSON, and its stack as Markdown with source maps applied."""

    id: str
    data: dict[str, Any]
    stacktrace: str  # above each frame stands "### <file>:<line> in `<function>` [in-app]"


@dataclass(frozen=True)
class Bugsink:
    """A running server; ``folder`` holds everything it stores, ``token`` allows everything."""

    url: str
    token: str
    folder: Path
    backend: BugsinkProject
    frontend: BugsinkProject

    def events(self, project: BugsinkProject) -> list[StoredEvent]:
        """Return the events of a project, the newest of each issue first."""
        with _api(self.url) as api:
            issues = _listed(api, "issues/", project=project.id)
            rows = [row for issue in issues for row in _listed(api, "events/", issue=issue["id"])]
            details = [api.get(f"events/{row['id']}/").raise_for_status().json() for row in rows]
        return [StoredEvent(row["event_id"].replace("-", ""), row["data"], row["stacktrace_md"]) for row in details]


@contextmanager
def bugsink(folder: Path, *, backend: str = "backend", frontend: str = "frontend") -> Iterator[Bugsink]:
    """Run a server with two projects of these slugs, all it stores in the new ``folder``, for a ``with`` block.

    Raises:
        DeadlineError: the server did not start; the message ends with its output.
    """
    installed = _installed()
    shutil.copytree(installed / "empty", folder)
    address = f"{HOST}:{free_port()}"
    url = f"http://{address}"
    command = [str(installed / "venv/bin/gunicorn"), "bugsink.wsgi"]
    options = f"--bind={address} --threads=4 --no-control-socket"
    environment = {**DJANGO, "BUGSINK_URL": url, "GUNICORN_CMD_ARGS": options}
    log = folder / "server.log"
    with serving(command, f"{url}/health/ready", cwd=folder, log=log, environment=environment):
        yield Bugsink(url, TOKEN, folder, *_new_projects(url, backend, frontend))


def _new_projects(url: str, *slugs: str) -> tuple[BugsinkProject, ...]:
    with _api(url) as api:
        team = api.post("teams/", json={"name": "Team"}).raise_for_status().json()["id"]
        for slug in slugs:
            api.post("projects/", json={"team": team, "name": slug}).raise_for_status()  # a slug as name stays as it is
        rows = {row["slug"]: row for row in _listed(api, "projects/")}
    return tuple(BugsinkProject(rows[slug]["id"], slug, rows[slug]["dsn"]) for slug in slugs)


def _api(url: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/api/canonical/0/", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)


def _listed(api: httpx.Client, path: str, **query: str | int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api.get(path, params=query).raise_for_status().json()["results"]
    return rows


def _installed() -> Path:
    """Return the folder of the environment and the empty database, made on first use."""
    recipe = REQUIREMENTS.read_text("utf-8") + SETTINGS + GRANT + sys.version
    return cached("bugsink", recipe, _install)


def _install(folder: Path) -> Path:
    made = folder / "bugsink"
    environment, empty = made / "venv", made / "empty"
    empty.mkdir(parents=True)
    (empty / "bugsink_conf.py").write_text(SETTINGS, "utf-8")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    python = str(environment / "bin/python")
    for command in (
        [*uv, "venv", "--relocatable", "--python", sys.executable, str(environment)],
        # Without --no-deps uv would ask for the certifi that the requirements override.
        [*uv, "pip", "install", "--python", python, "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)],
        [python, "-m", "django", "migrate", "--verbosity=0"],
        [python, "-m", "django", "migrate", "--verbosity=0", "--database=snappea"],
        [python, "-m", "django", "shell", "--verbosity=0", "--command", GRANT],
    ):
        subprocess.run(command, cwd=empty, env={**os.environ, **DJANGO}, stdin=subprocess.DEVNULL, check=True)
    return made
