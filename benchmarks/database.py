"""What Sentry costs a request that asks the database, on SQLite and on PostgreSQL.

Both kinds run the same generated project, with Sentry off and on, at once and in turns; ``backend`` says how CPU is
taken. What is asked for is the list of the example, two statements. Requests per second are those of one client on
one connection, so they tell latency and no limit.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.backend import Ingest, milliseconds
from benchmarks.load import cpu_of_requests, tell
from benchmarks.servers import Client, Server, Variant, running
from benchmarks.table import Row
from harness.processes import HOST, free_port, serving
from harness.project import ROOT, Project, example, render
from harness.releases import candidate

PATH = "/api/v1/items"
ROUNDS, TURNS, REQUESTS = 5, 6, 40
RATES = ("0.1", "1.0")
PATIENCE_SECONDS = 30.0


def measure(folder: Path) -> Iterator[Row]:
    """Yield the rows; ``folder`` is empty and may be filled."""
    tell("generating and installing a project with a database")
    answers = {**example("default"), "extensions": ["database"]}
    project = render(candidate(folder / "template"), folder / "project", answers)
    project.make("backend/.venv/.ready")
    shutil.copy(Path(__file__).with_name("small_app.py"), project.path / "backend/app/small_app.py")
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.ingest", str(port)]
    with (
        serving(command, f"http://{HOST}:{port}", cwd=ROOT, log=folder / "ingest.log"),
        postgresql() as postgresql_url,
    ):
        for kind, url in (("SQLite", f"sqlite:///{folder}/items.sqlite3"), ("PostgreSQL", postgresql_url)):
            yield from measure_kind(project, Ingest(port), folder, kind, url)


def measure_kind(project: Project, ingest: Ingest, folder: Path, kind: str, url: str) -> Iterator[Row]:
    """Yield the rows of one kind of database."""
    prepare(project, url)
    own = {"DATABASE_URL": url}
    variants = [Variant(f"{kind} off", "generated", {"SENTRY_DSN": "", **own})]
    for rate in RATES:
        sending = ingest.variant(f"{kind} {rate}", "generated", float(rate))
        variants.append(Variant(sending.name, sending.application, {**sending.environment, **own}))
    with running(project, variants, folder) as servers:
        taken = cpu_of_requests(list(servers.values()), PATH, rounds=ROUNDS, turns=TURNS, requests=REQUESTS)
        speeds = requests_per_second(list(servers.values()))
    off = f"{kind} off"
    for rate in RATES:
        on = f"{kind} {rate}"
        note = f"{milliseconds(taken[on])} against {milliseconds(taken[off])} ms CPU"
        yield Row(f"list on {kind}, rate {rate}, Sentry on / off", ratio(taken, on, off), "times", None, note)
        note = f"{median(speeds[on]):.0f} against {median(speeds[off]):.0f} requests per second"
        yield Row(f"the same in requests per second, rate {rate}", ratio(speeds, on, off), "times", None, note)


def prepare(project: Project, url: str) -> None:
    """Make the tables, and twenty rows."""
    backend = project.path / "backend"
    rows = (
        "import asyncio\n"
        "from app.extensions.database import database, session\n"
        "from app.extensions.database.connections import address_of\n"
        "from app.extensions.database.models import Item\n"
        "from app.extensions.database.settings import DatabaseSettings\n"
        "async def main():\n"
        "    await database.open(DatabaseSettings(), address_of(DatabaseSettings()))\n"
        "    async with session() as opened:\n"
        "        opened.add_all([Item(name=f'item {number}') for number in range(20)])\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    python = backend / ".venv/bin/python"
    migrate = ["-m", "alembic", "-c", "app/extensions/database/alembic.ini", "upgrade", "head"]
    for arguments in (migrate, ["-c", rows]):
        environment = {**os.environ, "DATABASE_URL": url}
        subprocess.run([python, *arguments], cwd=backend, env=environment, check=True, capture_output=True)


def requests_per_second(servers: Sequence[Server]) -> dict[str, list[float]]:
    """Return how many requests one client got answered in a second, a figure a round."""
    found: dict[str, list[float]] = {server.name: [] for server in servers}
    for round_ in range(ROUNDS):
        tell(f"requests per second, round {round_ + 1} of {ROUNDS}")
        for server in servers:
            with closing(Client(server.port)) as client:
                client.get(PATH)
                began = time.perf_counter()
                for _ in range(TURNS * REQUESTS):
                    client.get(PATH)
                found[server.name].append(TURNS * REQUESTS / (time.perf_counter() - began))
            server.settle()
    return found


def ratio(figures: Mapping[str, Sequence[float]], mine: str, other: str) -> float:
    """Return the median of the rounds' ratios."""
    return median(a / b for a, b in zip(figures[mine], figures[other], strict=True))


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL of this machine for the length of a ``with`` block, and yield its address.

    Raises:
        FileNotFoundError: none is installed.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        raise FileNotFoundError("PostgreSQL is missing: sudo apt-get install postgresql")
    # It refuses root, and root's folders are closed to others.
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []

    def run(*command: str | Path) -> str:
        result = subprocess.run([*drop, *command], cwd="/", check=True, capture_output=True, text=True)
        return result.stdout.strip()

    folder, port = Path(run("mktemp", "--directory")), free_port()
    control = programs[-1] / "pg_ctl"
    options = f"-c listen_addresses={HOST} -c port={port} -c unix_socket_directories="
    try:
        run(programs[-1] / "initdb", "--pgdata", folder / "data", "--username=app", "--auth=trust", "--no-sync")
        wait = f"--timeout={PATIENCE_SECONDS:.0f}"
        run(
            control, "start", "--wait", wait, "--pgdata", folder / "data", "--log", folder / "log", "--options", options
        )
        try:
            yield f"postgresql://app@{HOST}:{port}/postgres"
        finally:
            run(control, "stop", "--mode=fast", "--pgdata", folder / "data")
    finally:
        shutil.rmtree(folder)
