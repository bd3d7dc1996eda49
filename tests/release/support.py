"""What the tests of a release share: copies of a build, servers that show one, and commands to look at them with."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness.processes import HOST
from harness.project import Project

DONE, FAILED, OUTAGE = 0, 1, 75
PROJECTS = ["my-app-backend", "my-app-frontend"]
Ended = subprocess.CompletedProcess[str]


def clone(original: Project, destination: Path, *options: str) -> Project:
    original.run("git", "clone", "--quiet", *options, f"file://{original.path}", str(destination))
    shutil.copytree(original.path / "release", destination / "release")
    shutil.copytree(original.path / "frontend/dist", destination / "frontend/dist")
    return Project(destination)


def record(project: Project) -> dict[str, str]:
    found: dict[str, str] = json.loads((project.path / "release/build.json").read_text("utf-8"))
    return found


def rename(project: Project, release: str) -> None:
    """Give a build another release in its record, under which nothing was uploaded yet."""
    build = {**record(project), "release": release}
    (project.path / "release/build.json").write_text(json.dumps(build), "utf-8")


def maps(project: Project) -> list[Path]:
    return list((project.path / "release").rglob("*.map"))


def a_script(project: Project) -> Path:
    return next((project.path / "frontend/dist/assets").glob("index-*.js"))


def append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)


def later_commit(project: Project) -> None:
    (project.path / "CHANGELOG.md").write_text("Changed.\n", "utf-8")
    project.commit("Change")


@dataclass
class Site:
    """A server of a copy of a build.

    Attributes:
        release: what its API says.
        headers: of each answer.
        unknown: what it answers a request for a source map, if anything.
    """

    url: str
    folder: Path
    release: str
    unknown: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def served(project: Project) -> Iterator[Site]:
    folder = Path(shutil.copytree(project.path / "frontend/dist", project.path.parent / "site"))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            content = site.unknown if self.path.endswith(".map") else None
            if self.path == "/health":
                content = json.dumps({"release": site.release}).encode()
            if content is not None:
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            else:
                super().do_GET()

        def end_headers(self) -> None:
            for name, value in site.headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), partial(Handler, directory=str(folder))) as server:
        site = Site(f"http://{HOST}:{server.server_port}", folder, record(project)["release"])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
