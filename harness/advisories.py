"""A loopback server that knows the weaknesses of packages, as OSV and npm's registry do, for ``make audit``.

https://google.github.io/osv.dev/api/ and https://api-docs.npmjs.com/#tag/Audit describe them.
"""

import gzip
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from harness.processes import HOST, handling


@dataclass
class Advisories:
    """The weaknesses that are known, and what was asked for.

    Attributes:
        registry: npm's real one, where whoever asks for a package is sent.
        python: what is wrong with a package, by its name.
        npm: likewise.
        asked: the names of all packages that somebody wanted to know of.
    """

    registry: str
    port: int = 0
    python: dict[str, str] = field(default_factory=dict)
    npm: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which ``make audit`` asks here."""
        url = f"http://{HOST}:{self.port}"
        return {"OSV_URL": url, "npm_config_registry": f"{url}/"}

    def known(self, path: str) -> dict[str, str] | None:
        """Return what OSV tells of a weakness."""
        name = path.removeprefix("/v1/vulns/TEST-")
        if name not in self.python:
            return None
        return {"id": f"TEST-{name}", "modified": "2026-01-01T00:00:00Z", "summary": self.python[name]}

    def search(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """Return which of many packages have weaknesses, in the words of OSV or of npm's registry."""
        if path == "/v1/querybatch":
            names = [query["package"]["name"] for query in question["queries"]]
            self.asked.update(names)
            return {"results": [{"vulns": [{"id": f"TEST-{name}"}]} if name in self.python else {} for name in names]}
        self.asked.update(question)
        about = {"id": 1, "url": f"http://{HOST}/1", "severity": "low", "vulnerable_versions": "*"}
        return {name: [{**about, "title": self.npm[name]}] for name in question if name in self.npm}


@contextmanager
def advising() -> Iterator[Advisories]:
    """Run the server on a free port for the length of a ``with`` block."""
    question = ["npm", "config", "get", "registry"]
    registry = subprocess.run(question, check=True, capture_output=True, text=True).stdout.strip()
    advisories = Advisories(f"{registry.rstrip('/')}/")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answer := advisories.known(self.path):
                self.send(answer)
            else:
                self.send_response(307)
                self.send_header("location", f"{advisories.registry}{self.path.removeprefix('/')}")
                self.send_header("content-length", "0")
                self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            self.send(advisories.search(self.path, json.loads(body)))

        def send(self, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Keep the output of the tests clean."""

    with handling(Handler) as advisories.port:
        yield advisories
