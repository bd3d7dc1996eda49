"""Run a real Bugsink: a server of the Sentry protocol that stores error events and resolves source maps.

Its licence (PolyForm Shield) allows that; nothing that is generated depends on it or knows about it. It lives in
a virtual environment of its own below ``.cache``, beside a database that is migrated once and copied at each start.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.processes import HOST, free_port, serving
from harness.project import ROOT

CACHE = ROOT / ".cache"
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
    "BASE_URL": os.environ.get("BUGSINK_URL", ""),
    "INGEST_STORE_BASE_DIR": "ingestion",
    "PHONEHOME": False,  # by default it tells its makers about the installation
    "ALERTS_WEBHOOK_OUTBOUND_MODE": "allowlist_only",  # and no webhook is on the list
}
"""
GRANT = f"from bsmain.models import AuthToken; AuthToken.create_full_access(token={TOKEN!r})"
SETTINGS_MODULE = {"DJANGO_SETTINGS_MODULE": "bugsink_conf"}


@dataclass(frozen=True)
class BugsinkProject:
    """A project of the server: where events are sent to."""

    id: int
    slug: str
    dsn: str


@dataclass(frozen=True)
class StoredEvent:
    """An event as the server keeps it."""

    id: str
    """The id its sender gave it: 32 hexadecimal digits."""
    data: dict[str, Any]
    """The whole event in Sentry's JSON, as it came in."""
    stacktrace: str
    """Markdown, source maps applied: a heading ``### <file>:<line> in `<function>` [in-app]`` for each frame."""


@dataclass(frozen=True)
class Bugsink:
    """A running server."""

    url: str
    token: str
    folder: Path
    """Holds everything the server stores."""
    backend: BugsinkProject
    frontend: BugsinkProject

    def events(self, project: BugsinkProject) -> list[StoredEvent]:
        """Return the events of a project, the newest of each issue first."""
        with _api(self.url) as api:
            issues = _listed(api, "issues/", project=project.id)
            rows = [row for issue in issues for row in _listed(api, "events/", issue=issue["id"])]
            details = [api.get(f"events/{row['id']}/").raise_for_status().json() for row in rows]
        return [
            StoredEvent(detail["data"]["event_id"].replace("-", ""), detail["data"], detail["stacktrace_md"])
            for detail in details
        ]


@contextmanager
def bugsink(folder: Path, *, backend: str = "backend", frontend: str = "frontend") -> Iterator[Bugsink]:
    """Run a server for the length of a ``with`` block.

    Args:
        folder: a new folder for everything the server stores.
        backend: the slug of one project.
        frontend: the slug of the other.

    Raises:
        DeadlineError: the server did not start; the message ends with its output.
    """
    installed = _installed()
    shutil.copytree(installed / "empty", folder)
    port = free_port()
    url = f"http://{HOST}:{port}"
    gunicorn = [str(installed / "venv/bin/gunicorn"), "bugsink.wsgi", f"--bind={HOST}:{port}", "--threads=4"]
    environment = {**SETTINGS_MODULE, "BUGSINK_URL": url}
    with serving(
        [*gunicorn, "--no-control-socket"],
        f"{url}/health/ready",
        cwd=folder,
        log=folder / "server.log",
        environment=environment,
    ):
        yield Bugsink(url, TOKEN, folder, *_new_projects(url, backend, frontend))


def _new_projects(url: str, *slugs: str) -> tuple[BugsinkProject, ...]:
    with _api(url) as api:
        team = api.post("teams/", json={"name": "Team"}).raise_for_status().json()["id"]
        for slug in slugs:
            # The server makes the slug from the name, and a slug is its own.
            api.post("projects/", json={"team": team, "name": slug}).raise_for_status()
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
    place = CACHE / f"bugsink-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not place.exists():
        CACHE.mkdir(exist_ok=True)
        # A rename puts the finished folder in place, so an interrupted or a simultaneous start does no harm.
        with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as unfinished:
            _install(Path(unfinished) / "bugsink")
            try:
                (Path(unfinished) / "bugsink").rename(place)
            except OSError:
                if not place.exists():
                    raise
    return place


def _install(place: Path) -> None:
    environment, empty = place / "venv", place / "empty"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    _run(*uv, "venv", "--relocatable", "--python", sys.executable, str(environment))
    # What the file lists is all there is: a new resolution would ask for the certifi the override leaves out.
    exactly = ["--no-deps", "--require-hashes", "--requirements", str(REQUIREMENTS)]
    _run(*uv, "pip", "install", "--python", str(environment), *exactly)
    empty.mkdir()
    (empty / "bugsink_conf.py").write_text(SETTINGS, "utf-8")
    manage = [str(environment / "bin/python"), "-m", "django"]
    _run(*manage, "migrate", "--verbosity=0", cwd=empty)
    _run(*manage, "migrate", "--verbosity=0", "--database=snappea", cwd=empty)
    _run(*manage, "shell", "--verbosity=0", "--command", GRANT, cwd=empty)


def _run(*command: str, cwd: Path = ROOT) -> None:
    subprocess.run(command, cwd=cwd, env={**os.environ, **SETTINGS_MODULE}, stdin=subprocess.DEVNULL, check=True)
