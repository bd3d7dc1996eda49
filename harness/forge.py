"""A loopback server that does what an update of the template needs of GitHub or GitLab: git and pull requests."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.processes import HOST, handling

TOKEN = "forge-" + "f00d" * 8
REPOSITORY = "owner/my-app"
PROJECT = "7"
GITHUB_PULLS = f"/api/repos/{REPOSITORY}/pulls"
GITLAB_REQUESTS = f"/api/v4/projects/{PROJECT}/merge_requests"


@dataclass
class Forge:
    """A running server with one repository.

    Attributes:
        repository: the bare repository that pushes arrive in.
        requests: the fields of each pull or merge request, in the order of their opening.
        has_drafts: false makes drafts an error, as in private repositories of GitHub's free plan.
        instead: what is sent in place of the API's answers, such as the page of a proxy.
    """

    repository: Path
    port: int = 0
    has_drafts: bool = True
    instead: bytes = b""
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://{HOST}:{self.port}"

    @property
    def github(self) -> dict[str, str]:
        """The variables that a workflow on the branch ``main`` finds."""
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": f"{self.url}/api",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": self.url,
        }

    @property
    def gitlab(self) -> dict[str, str]:
        """The variables that a job of a pipeline on the branch ``main`` finds."""
        return {
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_COMMIT_BRANCH": "main",
            "CI_PROJECT_ID": PROJECT,
            "CI_PROJECT_URL": f"{self.url}/{REPOSITORY}",
        }

    def find(self, head: str) -> list[dict[str, Any]]:
        """Return the requests made from a branch, in whatever state."""
        return [request for request in self.requests if head in {request.get("head"), request.get("source_branch")}]


class Handler(BaseHTTPRequestHandler):
    """Answers git and the APIs of both hosts."""

    def __init__(self, forge: Forge, *arguments: Any) -> None:  # noqa: ANN401 - passes everything else on
        """Answer for a forge."""
        self.forge = forge
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """See :meth:`serve`."""
        self.serve(b"")

    def do_POST(self) -> None:
        """See :meth:`serve`."""
        if self.headers.get("transfer-encoding") == "chunked":
            self.serve(b"".join(self.chunks()))
        else:
            self.serve(self.rfile.read(int(self.headers.get("content-length", 0))))

    def chunks(self) -> Iterator[bytes]:
        """Yield the parts of a body of unknown length."""
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def serve(self, body: bytes) -> None:
        """Ask for the token, then answer."""
        if not self.authorized():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="forge"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith(f"/{REPOSITORY}.git/"):
            self.git(body)
        elif urlsplit(self.path).path in {GITHUB_PULLS, GITLAB_REQUESTS}:
            self.api(json.loads(body) if body else None)
        else:
            self.send_error(404)

    def authorized(self) -> bool:
        """Say whether the token came with the request, in any of three ways."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        return TOKEN in (value, self.headers.get("private-token"))

    def api(self, fields: dict[str, Any] | None) -> None:
        """List the requests of a branch, or with ``fields`` open one."""
        if self.forge.instead:
            self.wfile.write(self.forge.instead)
        elif fields is None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            if query.get("state") != "all":
                self.send_error(400, "Closed requests count as well.")
                return
            head = query.get("source_branch") or query["head"].removeprefix(f"{REPOSITORY.partition('/')[0]}:")
            self.answer(200, self.forge.find(head))
        elif fields["draft"] and not self.forge.has_drafts:
            self.answer(422, {"message": "Draft pull requests are not supported in this repository."})
        else:
            address = f"{self.forge.url}/{REPOSITORY}/requests/{len(self.forge.requests) + 1}"
            self.forge.requests.append({**fields, "html_url": address, "web_url": address})
            self.answer(201, self.forge.requests[-1])

    def answer(self, status: int, value: object) -> None:
        """Send JSON."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def git(self, body: bytes) -> None:
        """Hand the request to git's own server, which is a CGI program."""
        place = urlsplit(self.path)
        variables = {
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.forge.repository),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "PATH_INFO": place.path.removeprefix(f"/{REPOSITORY}.git"),
            "QUERY_STRING": place.query,
            "REMOTE_USER": "owner",  # who is named may push
            "REQUEST_METHOD": self.command,
        }
        result = subprocess.run(
            ["git", "http-backend"], input=body, env={**os.environ, **variables}, capture_output=True, check=True
        )
        head, _, content = result.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def forge(repository: Path) -> Iterator[Forge]:
    """Serve a bare repository as ``owner/my-app`` on a free port for the length of a ``with`` block."""
    running = Forge(repository)
    with handling(partial(Handler, running)) as running.port:
        yield running
