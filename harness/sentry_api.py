"""A loopback server that keeps and checks every call of sentry-cli, answers as Sentry does, and fails on demand.

Source maps go on to a real Bugsink, which stores and applies them; releases and deploys it does not know.
"""

import json
import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from harness.bugsink import Bugsink
from harness.processes import HOST
from harness.sentry_requests import complaints, recognise

CUT = 0
"""The status of a failure that is no answer."""

PASSED_ON = frozenset({"upload options", "upload", "assemble"})
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Request:
    """A request that arrived: which call it is (empty if none), the release of its path, its JSON body."""

    call: str
    version: str
    body: Any


@dataclass
class SentryApi:
    """What was asked so far, what is stored, and how the next requests fail.

    Attributes:
        url: the ``SENTRY_URL`` of clients.
        token: the only one that is valid.
        requests: that arrived, also those that failed.
        problems: what was wrong with them; a test expects none.
        releases: what Sentry would store, by version: projects, commits, dateReleased.
        deploys: by version.
        failures: statuses of the next answers, one each; ``CUT`` ends the connection in the middle of the request.
        failing_call: the only call that ``failures`` and ``broken`` are for; empty means each.
        broken: the status of every answer after those, until it is 0 again.
        delay: seconds before each answer; it ends early when the server stops.
    """

    url: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    releases: dict[str, dict[str, Any]] = field(default_factory=dict)
    deploys: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    failing_call: str = ""
    broken: int | None = None
    delay: float = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def calls(self) -> list[str]:
        """The calls in the order in which they arrived."""
        return [request.call for request in self.requests]

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a project finds this server."""
        return {"SENTRY_URL": self.url, "SENTRY_AUTH_TOKEN": self.token}

    def reset(self) -> None:
        """Forget what was asked and stored, and fail no more."""
        fresh = SentryApi(url=self.url, token=self.token, stopping=self.stopping)
        self.__dict__.update(fresh.__dict__)

    def failure(self, call: str) -> int | None:
        """Return the status that this request fails with, or nothing."""
        if self.failing_call not in {"", call}:
            return None
        return self.failures.pop(0) if self.failures else self.broken

    def answer(self, request: Request) -> Answer:
        """Answer a call about releases or deploys as Sentry does."""
        if request.call == "repositories":
            return HTTPStatus.OK, []
        if request.call == "new release":
            return self._create(request.body)
        if request.version not in self.releases:
            return HTTPStatus.NOT_FOUND, {"detail": "The requested resource does not exist"}
        return self._answer_known(request)

    def _answer_known(self, request: Request) -> Answer:
        deploys = self.deploys.setdefault(request.version, [])
        if request.call == "previous commits":
            return HTTPStatus.OK, {}
        if request.call == "deploys":
            return HTTPStatus.OK, deploys
        if request.call == "new deploy":
            deploys.append({"id": str(len(deploys) + 1), **request.body})
            return HTTPStatus.CREATED, deploys[-1]
        self.releases[request.version] |= request.body
        return HTTPStatus.OK, self._shown(request.version)

    def _create(self, body: dict[str, Any]) -> Answer:
        version = body["version"]
        known = version in self.releases
        release = self.releases.setdefault(version, {**body, "projects": []})
        added = [slug for slug in body["projects"] if slug not in release["projects"]]
        release["projects"] = release["projects"] + added
        # https://docs.sentry.io/api/releases/create-a-new-release-for-an-organization/
        status = HTTPStatus.ALREADY_REPORTED if known and not added else HTTPStatus.CREATED
        return status, self._shown(version)

    def _shown(self, version: str) -> dict[str, Any]:
        release = self.releases[version]
        now = datetime.now(UTC).isoformat()
        projects = [{"slug": slug, "name": slug} for slug in release["projects"]]
        shown = {"version": version, "dateCreated": now, "dateReleased": release.get("dateReleased")}
        return {**shown, "url": None, "lastEvent": None, "newGroups": 0, "projects": projects}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: Bugsink) -> None:
        super().__init__((HOST, 0), _Handler)
        self.upstream = upstream
        self.api = SentryApi(url=f"http://{HOST}:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.take()

    def do_POST(self) -> None:
        self.take()

    def do_PUT(self) -> None:
        self.take()

    def take(self) -> None:
        """Keep a request, then fail it or answer it."""
        api = self.server.api
        address = urlsplit(self.path)
        call, version = recognise(self.command, address.path, address.query)
        length = int(self.headers.get("content-length", 0))
        failure = api.failure(call)
        raw = self.rfile.read(length // 2 if failure == CUT else length)
        body = json.loads(raw) if raw and failure != CUT and call != "upload" else None
        request = Request(call, unquote(version), body)
        api.requests.append(request)
        api.stopping.wait(api.delay)
        problems = complaints(call, body) if call else [f"unknown call: {self.command} {self.path}"]
        if failure == CUT:
            self.cut()
        elif failure:
            self.send(failure, {"detail": HTTPStatus(failure).phrase})
        elif self.headers.get("authorization") != f"Bearer {api.token}":
            self.send(HTTPStatus.UNAUTHORIZED, {"detail": "Invalid token"})
        elif problems:
            api.problems.extend(problems)
            self.send(HTTPStatus.BAD_REQUEST, {"detail": "; ".join(problems)})
        elif call in PASSED_ON:
            self.pass_on(raw)
        else:
            self.send(*api.answer(request))

    def cut(self) -> None:
        """Close the connection without a word, which the client sees as a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def pass_on(self, raw: bytes) -> None:
        """Let Bugsink answer."""
        api, upstream = self.server.api, self.server.upstream
        kept = {name: value for name, value in self.headers.items() if name.lower() in {"content-type", "accept"}}
        headers = {**kept, "Authorization": f"Bearer {upstream.token}"}
        got = httpx.request(self.command, upstream.url + self.path, content=raw, headers=headers, timeout=60)
        # Bugsink names itself as the place to upload to; the uploads are to come by here as well.
        text = got.text.replace(upstream.url, api.url)
        self.send(got.status_code, json.loads(text) if text else {})

    def send(self, status: int, body: object) -> None:
        """Answer with JSON."""
        content = json.dumps(body).encode()
        with suppress(ConnectionError):  # the client may have lost patience
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def sentry_api(upstream: Bugsink) -> Iterator[SentryApi]:
    """Run the server on a free port for the length of a ``with`` block."""
    with _Server(upstream) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.api
        finally:
            server.api.stopping.set()
            server.shutdown()
            thread.join()
