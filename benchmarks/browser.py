"""What Sentry costs a visitor of the generated page: bytes, and the time until something is seen and can be used.

Three builds of the default project are served as nginx serves them and loaded in turns by a Chromium whose CPU is
slowed down: without Sentry, as generated, and with the snippet of Sentry's documentation in place of ours
(https://docs.sentry.io/platforms/javascript/guides/react/).
"""

import gzip
import mimetypes
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import NamedTuple

from playwright.sync_api import Browser

from benchmarks.table import Row
from harness.browser import chromium
from harness.processes import HOST
from harness.project import Project, example, render
from harness.releases import candidate

ROUNDS = 15
SLOWER = 4  # a phone of the middle class beside a developer's machine, as Lighthouse slows it
QUIET = 2500  # milliseconds after loading, in which the SDK comes

SNIPPET = """\
import * as Sentry from "@sentry/react";
Sentry.init({{ dsn: "{dsn}", integrations: [Sentry.browserTracingIntegration()], tracesSampleRate: 1 }});
"""

# https://web.dev/articles/tbt: of each long task after the first paint, what is longer than 50 milliseconds.
OBSERVE = """
window.tasks = [];
const observer = new PerformanceObserver((list) => window.tasks.push(...list.getEntries()));
observer.observe({ type: "longtask", buffered: true });
"""
LOADED = """(quiet) => {
  const [navigation] = performance.getEntriesByType("navigation");
  return navigation?.loadEventEnd > 0 && performance.now() > navigation.loadEventEnd + quiet;
}"""
TIMES = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const after = window.tasks.filter((task) => task.startTime + task.duration > paint);
  return [paint, after.reduce((sum, { duration }) => sum + Math.max(0, duration - 50), 0)];
}"""


class Load(NamedTuple):
    """One visit, in milliseconds."""

    first_paint: float
    blocking: float


def measure(folder: Path) -> Iterator[Row]:
    """Yield the rows; ``folder`` is empty and may be filled."""
    project = render(candidate(folder / "template"), folder / "project", example("default"))
    project.make("setup", environment={"npm_config_prefer_offline": "true"})
    yield from bytes_of(project)
    with serving() as server, chromium() as browser:
        dsn = f"http://key@{HOST}:{server.server_port}/1"
        builds = built(project, folder, dsn)
        loads: dict[str, list[Load]] = {name: [] for name in builds}
        for _ in range(ROUNDS):
            for name, files in builds.items():
                server.folder = files
                loads[name].append(visit(browser, f"http://{HOST}:{server.server_port}/"))
    yield from compared(loads)


def bytes_of(project: Project) -> Iterator[Row]:
    """Yield what the project's own check says; it prints its budgets beside the figures."""
    output = project.make("size", check=False).stdout
    for name, size, budget in re.findall(r"^(\S.*?) +(\d+)(?: of (\d+))?$", output, re.MULTILINE):
        yield Row(f"Sentry, {name}", float(size), "bytes", float(budget) if budget else None, "gzip -9")


def built(project: Project, folder: Path, dsn: str) -> dict[str, Path]:
    """Build the page three times."""
    frontend = project.path / "frontend"
    environment = {"VITE_SENTRY_DSN": dsn, "VITE_SENTRY_TRACES_SAMPLE_RATE": "1"}
    builds: dict[str, Path] = {}

    def build(name: str) -> None:
        # Without "tsc": the types of what stands in for Sentry fit the real thing, not each other.
        project.run("npm", "--prefix", "frontend", "exec", "vite", "build", "frontend", environment=environment)
        builds[name] = Path(shutil.copytree(frontend / "dist", folder / name))

    build("ours")
    sentry, main = frontend / "src/lib/sentry", frontend / "src/main.tsx"
    (sentry / "index.ts").write_text('export * from "../../../scripts/without-sentry";\n', "utf-8")
    (sentry / "boot.ts").write_text("export {};\n", "utf-8")
    (sentry / "early.js").write_text("", "utf-8")
    build("without")
    main.write_text(SNIPPET.format(dsn=dsn) + main.read_text("utf-8"), "utf-8")
    build("snippet")
    return builds


class Site(ThreadingHTTPServer):
    """Serves the files of a folder compressed, takes envelopes, and has no API."""

    daemon_threads = True
    folder = Path()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        path = self.server.folder / (self.path.partition("?")[0].lstrip("/") or "index.html")
        self._answer(path.read_bytes() if path.is_file() else None, mimetypes.guess_type(path.name)[0])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._answer(b"", "text/plain")

    def _answer(self, content: bytes | None, kind: str | None) -> None:
        # nginx compresses at level 1 unless told otherwise.
        body = gzip.compress(content or b"", 1)
        self.send_response(404 if content is None else 200)
        headers = {"Content-Type": kind or "text/plain", "Content-Encoding": "gzip", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the page is closed while something is under way
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving() -> Iterator[Site]:
    """Run the server for the length of a ``with`` block."""
    server = Site((HOST, 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def visit(browser: Browser, url: str) -> Load:
    """Load the page with an empty cache and wait until it is quiet."""
    context = browser.new_context()
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script(OBSERVE)
    page.goto(url)
    page.wait_for_function(LOADED, arg=QUIET)
    times = Load(*page.evaluate(TIMES))
    context.close()
    return times


def compared(loads: dict[str, list[Load]]) -> Iterator[Row]:
    """Yield medians of what the same round gave for two builds: what the machine does meanwhile hits both."""
    without = loads["without"]
    plain = median(load.first_paint for load in without)
    for name, what, limit in (("ours", "as generated", 1.1), ("snippet", "Sentry's snippet", None)):
        pairs = list(zip(loads[name], without, strict=True))
        note = f"{median(load.first_paint for load in loads[name]):.0f} ms against {plain:.0f} ms"
        ratio = median(one.first_paint / other.first_paint for one, other in pairs)
        yield Row(f"first contentful paint, {what} / without Sentry", ratio, "times", limit, note)
    plain = median(load.blocking for load in without)
    for name, what in (("ours", "as generated"), ("snippet", "Sentry's snippet")):
        pairs = list(zip(loads[name], without, strict=True))
        note = f"{median(load.blocking for load in loads[name]):.0f} ms against {plain:.0f} ms"
        difference = median(one.blocking - other.blocking for one, other in pairs)
        yield Row(f"total blocking time, {what} - without Sentry", difference, "ms", None, note)
