"""What Sentry costs a generated backend, beside the same application with the SDK's defaults.

Every figure comes from real uvicorn processes of the generated default project, which all run at once and are asked
in turns, so that a busy machine slows all of them alike. ``small_app`` says what they serve. Time is CPU, user and
system, of all threads of a server, delivery in the background included; a turn ends when its server has nothing
left to do. Latency is what one client sees on one connection.

What Sentry adds is a difference: the bare SDK against the plain application, the generated code against itself
with an empty ``SENTRY_DSN``; the first row compares these two. The generated servers run under the production
policy. Profiling is decided once a process, by rate, so it is off but in the row that names it.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from benchmarks.ingest import HEALTHY, LIMITING, SILENT
from benchmarks.load import cpu_of_requests, fresh, latencies, tell
from benchmarks.servers import Client, Variant, running
from benchmarks.table import Row
from harness.processes import HOST, free_port, serving
from harness.project import ROOT, Project, example, render
from harness.releases import candidate

ROUNDS = 7
TURNS = 10
SMALL, FAILING = 50, 6
"""Requests of one turn: fewer than the SDK's queue takes, so that nothing is lost and all is paid for."""

ERRORS_PER_SECOND = 10
MEMORY_REQUESTS, MEMORY_ERRORS = 20_000, 5_000
GROWTH_LIMIT = 4.0
"""Megabytes. Ten kilobytes kept, an event, would be 100 over half of the requests and 25 over half of the errors."""


def measure(folder: Path) -> Iterator[Row]:
    """Yield the rows; ``folder`` is empty and may be filled."""
    tell("generating and installing the default project")
    project = render(candidate(folder / "template"), folder / "project", example("default"))
    project.make("backend/.venv/.ready")
    shutil.copy(Path(__file__).with_name("small_app.py"), project.path / "backend/app/small_app.py")
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = [sys.executable, "-m", "benchmarks.ingest", str(port)]
    with serving(command, url, cwd=ROOT, log=folder / "ingest.log"):
        ingest = Ingest(port)
        yield from measure_cpu(project, ingest, folder)
        yield from measure_errors_of_others(project, ingest, folder)
        yield from measure_delivery(project, ingest, folder)
        yield from measure_memory(project, ingest, folder)


@dataclass(frozen=True)
class Ingest:
    """The ingest on its port."""

    port: int

    def variant(
        self, name: str, variant: str, rate: float, behaviour: int | None = HEALTHY, *, profiles: float = 0
    ) -> Variant:
        """Return a server that sends here; ``None`` as behaviour stands for an ingest that is down."""
        port = self.port if behaviour else free_port()
        dsn = f"http://{key(name)}@{HOST}:{port}/{behaviour or HEALTHY}"
        settings = {
            "SENTRY_DSN": dsn,
            "SENTRY_TRACES_SAMPLE_RATE": str(rate),
            "SENTRY_PROFILES_SAMPLE_RATE": str(profiles),
        }
        return Variant(name, variant, settings)

    def arrived(self, name: str) -> dict[str, int]:
        """Return how many items of each type arrived from a server."""
        found: dict[str, int] = httpx.get(f"http://{HOST}:{self.port}/{key(name)}").json()
        return found


def key(name: str) -> str:
    """Return the public key in the DSN of a server."""
    return "".join(letter for letter in name if letter.isalnum())


def measure_cpu(project: Project, ingest: Ingest, folder: Path) -> Iterator[Row]:
    """Yield what requests and errors cost.

    Raises:
        RuntimeError: errors did not arrive, so that their cost would be too low.
    """
    variants = [
        Variant("plain", "plain", {}),
        Variant("empty", "generated", {"SENTRY_DSN": ""}),
        ingest.variant("bare 0.1", "bare", 0.1),
        ingest.variant("ours 0.1", "generated", 0.1),
        ingest.variant("bare 1.0", "bare", 1.0),
        ingest.variant("ours 1.0", "generated", 1.0),
        ingest.variant("ours profiling", "generated", 0.1, profiles=1),
    ]
    with running(project, variants, folder) as servers:
        small = cpu_of_requests(list(servers.values()), "/small", rounds=ROUNDS, turns=TURNS, requests=SMALL)
        yield ratio_row("empty DSN / no SDK", small, "empty", "plain", 1.05)
        for rate, limit in (("0.1", 1.0), ("1.0", 1.3)):
            name = f"added to a small request, rate {rate}, ours / bare"
            yield added_row(name, small, f"ours {rate}", f"bare {rate}", limit)
        yield added_row("the same in the tenth of processes that profiles", small, "ours profiling", "bare 0.1", None)
        for rate in ("0.1", "1.0"):
            added = 1000 * median(differences(small, f"ours {rate}", "empty"))
            yield Row(f"added to a small request, rate {rate}", added, "ms CPU", 5.0)
        chosen = [servers[name] for name in ("plain", "empty", "bare 0.1", "ours 0.1")]
        before = {server.name: ingest.arrived(server.name).get("event", 0) for server in chosen}
        failing = cpu_of_requests(chosen, "/fail/{}", rounds=ROUNDS, turns=TURNS, requests=FAILING)
        sent = ROUNDS * TURNS * FAILING
        for name in ("bare 0.1", "ours 0.1"):
            captured = ingest.arrived(name)["event"] - before[name]
            if captured < sent:
                raise RuntimeError(f"Of {sent} errors of the server {name} only {captured} arrived.")
        yield added_row("added by a captured error, ours / bare", failing, "ours 0.1", "bare 0.1", 0.5)


def measure_errors_of_others(project: Project, ingest: Ingest, folder: Path) -> Iterator[Row]:
    """Yield how long other requests wait while errors are captured."""
    variants = [ingest.variant(f"{name} p99", kind, 0.1) for name, kind in (("bare", "bare"), ("ours", "generated"))]
    with running(project, variants, folder) as servers:
        found = latencies(list(servers.values()), rounds=9, seconds=3, errors=ERRORS_PER_SECOND)
        yield p99_row(
            f"p99 during {ERRORS_PER_SECOND} errors a second, ours / bare", found, "ours p99", "bare p99", 0.5
        )


def measure_delivery(project: Project, ingest: Ingest, folder: Path) -> Iterator[Row]:
    """Yield how much an ingest that does not do its work slows requests."""
    behaviours = {"healthy": HEALTHY, "silent": SILENT, "at 429": LIMITING, "down": None}
    variants = [ingest.variant(name, "generated", 0.1, behaviour) for name, behaviour in behaviours.items()]
    with running(project, variants, folder) as servers:
        found = latencies(list(servers.values()), rounds=15, seconds=1.5, errors=ERRORS_PER_SECOND)
        for name in list(behaviours)[1:]:
            yield p99_row(f"p99 with the ingest {name} / healthy", found, name, "healthy", 1.05)


def measure_memory(project: Project, ingest: Ingest, folder: Path) -> Iterator[Row]:
    """Yield how much a server grows while it answers the second half of many requests."""
    variants = [ingest.variant("memory", "generated", 0.1), ingest.variant("dead", "generated", 0.1, SILENT)]
    with running(project, variants, folder) as servers:
        plans = (
            ("memory", "/small", MEMORY_REQUESTS, "requests"),
            ("dead", "/fail/{}", MEMORY_ERRORS, "errors, ingest dead"),
        )
        for name, path, total, what in plans:
            server = servers[name]
            sizes = [server.resident]
            with closing(Client(server.port)) as client:
                for half in ("first", "second"):
                    tell(f"memory over {total} {what}, {half} half")
                    for _ in range(total // 2):
                        client.get(fresh(path))
                    sizes.append(server.resident)
            note = f"{sizes[0]:.0f} MB, {sizes[1]:.0f} after half, {sizes[2]:.0f} at the end"
            yield Row(f"growth in the second half of {total:,} {what}", sizes[2] - sizes[1], "MB", GROWTH_LIMIT, note)


def differences(taken: Mapping[str, Sequence[float]], name: str, base: str) -> list[float]:
    """Return what one server took more than another, a figure a round."""
    return [mine - other for mine, other in zip(taken[name], taken[base], strict=True)]


def ratio_row(name: str, taken: Mapping[str, Sequence[float]], mine: str, other: str, limit: float) -> Row:
    """Return the median of the rounds' ratios as a row."""
    ratio = median(a / b for a, b in zip(taken[mine], taken[other], strict=True))
    return Row(name, ratio, "times", limit, f"{milliseconds(taken[mine])} against {milliseconds(taken[other])} ms CPU")


def added_row(name: str, taken: Mapping[str, Sequence[float]], mine: str, other: str, limit: float | None) -> Row:
    """Return what the generated code adds beside what the bare SDK adds."""
    ours, bare = differences(taken, mine, "empty"), differences(taken, other, "plain")
    ratio = median(a / b for a, b in zip(ours, bare, strict=True))
    note = f"{milliseconds(ours)} against {milliseconds(bare)} ms CPU; without Sentry {milliseconds(taken['plain'])}"
    return Row(name, ratio, "times", limit, note)


def p99_row(name: str, found: Mapping[str, Sequence[float]], mine: str, other: str, limit: float) -> Row:
    """Return the median of the rounds' ratios of latencies as a row."""
    ratio = median(a / b for a, b in zip(found[mine], found[other], strict=True))
    return Row(name, ratio, "times", limit, f"{milliseconds(found[mine])} against {milliseconds(found[other])} ms")


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the median for a note."""
    return f"{1000 * median(seconds):.2f}"
