"""Secrets are planted in every place of a running backend, and none of them reaches the server."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from harness.processes import HOST, free_port, serving
from harness.project import Project
from harness.sink import Delivery, receiving
from tests.planted.canaries import LITERALS, NUMBERS, PIECE, Canary, canary, pieces, survivors
from tests.planted.visit import visit

PLANTED = Path(__file__).parent / "planted"
ENVIRONMENTS = ("development", "staging", "production")
SERVERS = {
    "uvicorn": "uvicorn --ws wsproto --host {host} --port {port}",
    # It puts the headers at the front of the scope, where the SDK still looks.
    "hypercorn": "hypercorn --bind {host}:{port}",
}
# hypercorn brings wsproto along; forms need the other.
PACKAGES = ("--with", "hypercorn>=0.18,<1", "--with", "python-multipart>=0.0.20,<1")
KEY = "d5n4k3y0f7h1s5erver2"
EVERYTHING_ON = {
    "SENTRY_LOCAL_VARIABLES": "true",
    "SENTRY_REQUEST_BODIES": "true",
    "SENTRY_TRACES_SAMPLE_RATE": "1",
    "SENTRY_PROFILES_SAMPLE_RATE": "1",
    "SENTRY_DEBUG": "true",
}
PERSONAL_ON = {"SENTRY_SEND_DEFAULT_PII": "true"}
FULL: dict[str, Any] = {"add_full_stack": True, "max_request_body_size": "always"}
CUT: dict[str, Any] = {"max_value_length": 1024}
STREAMED: dict[str, Any] = {"trace_lifecycle": "stream"}
# The SDK without any protection: what does not arrive here was planted in vain.
OPEN: dict[str, Any] = {
    "data_collection": {},
    "enable_logs": True,
    "profile_session_sample_rate": 1.0,
    "profile_lifecycle": "trace",
    "max_request_body_size": "always",
    "attach_stacktrace": True,
}


@dataclass(frozen=True)
class Way:
    """A way to run the planted application."""

    name: str
    watcher: str
    server: str
    environment: Mapping[str, str]
    options: Mapping[str, Any]

    @property
    def personal(self) -> bool:
        """Whether personal data may leave."""
        return "SENTRY_SEND_DEFAULT_PII" in self.environment

    @property
    def profiled(self) -> bool:
        """Whether every transaction is profiled."""
        return "SENTRY_PROFILES_SAMPLE_RATE" in self.environment or "profile_session_sample_rate" in self.options


def ways() -> Iterator[Way]:
    for server, environment in [*product(["uvicorn"], ENVIRONMENTS), ("hypercorn", "production")]:
        yield Way(f"defaults, {environment}, {server}", "ours", server, {"ENVIRONMENT": environment}, {})
    for server, environment in [*product(["uvicorn"], ENVIRONMENTS), ("hypercorn", "development")]:
        where = {"ENVIRONMENT": environment}
        yield Way(f"everything, {environment}, {server}", "ours", server, where | EVERYTHING_ON, FULL)
    on = {"ENVIRONMENT": "production"} | EVERYTHING_ON
    yield Way("streamed", "ours", "hypercorn", on, FULL | STREAMED)
    yield Way("cut", "ours", "uvicorn", on, FULL | CUT)
    yield Way("personal data", "ours", "uvicorn", on | PERSONAL_ON, FULL)


# Everything happens within seconds, and nothing may get lost.
QUEUE = {"transport_queue_size": 10_000, "shutdown_timeout": 30}

OURS = {way.name: way for way in ways()}
BARE = Way("the SDK's defaults", "bare", "uvicorn", {}, {})
UNPROTECTED = [
    Way("unprotected", "open", "uvicorn", {}, OPEN),
    Way("unprotected, streamed", "open", "hypercorn", {}, OPEN | STREAMED),
]


@dataclass(frozen=True)
class Run:
    """What was planted and what arrived."""

    way: Way
    planted: list[Canary]
    deliveries: list[Delivery]
    output: str

    @cached_property
    def raw(self) -> str:
        """Everything that arrived."""
        return "\n".join(
            f"{delivery.path}\n{json.dumps(dict(delivery.headers))}\n{plain(delivery.body)}"
            for delivery in self.deliveries
        )

    @cached_property
    def leaked(self) -> set[Canary]:
        """The planted values of which a piece arrived."""
        return Search(self.planted).find(self.raw)

    @cached_property
    def places(self) -> set[str]:
        """The places whose harmless neighbour arrived."""
        return set(re.findall(r"place(?:=|%3D)([a-z_]+\.[a-z_.]*[a-z_])", self.raw))


def plain(data: bytes) -> str:
    """Return the text of bytes; of UTF-16 too, as long as it is ASCII."""
    return data.replace(b"\0", b"").decode("utf-8", "replace")


class Search:
    """Finds planted values in texts by their pieces."""

    def __init__(self, planted: Iterable[Canary]) -> None:
        planted = list(planted)
        self._pieces = {piece: each for each in planted if each.kind not in NUMBERS for piece in pieces(each)}
        self._numbers = {piece: each for each in planted if each.kind in NUMBERS for piece in pieces(each)}

    def find(self, text: str) -> set[Canary]:
        """Return the values of which a piece is in the text."""
        words = set(re.findall(r"[A-Za-z0-9+/=!._-]{8,}", text))
        windows = {word[start : start + PIECE] for word in words for start in range(len(word) - PIECE + 1)}
        numbers = "\n".join(set(re.findall(r"(?:[A-Z]{2}|\+)?[0-9a-f][0-9a-f .-]{8,}", text)))
        return {
            *(self._pieces[piece] for piece in windows & self._pieces.keys()),
            *(each for piece, each in self._numbers.items() if piece in numbers),
        }


@pytest.fixture(scope="module")
def backend(default_project: Project) -> Iterator[Path]:
    """The backend with the planted application in it."""
    folder = default_project.path / "backend"
    shutil.copytree(PLANTED, folder / "app/planted", ignore=shutil.ignore_patterns("__pycache__", "visit.py"))
    yield folder
    shutil.rmtree(folder / "app/planted")


@pytest.fixture(scope="module")
def runs(backend: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Every way, run once."""
    logs = tmp_path_factory.mktemp("logs")
    everything = [*OURS.values(), BARE, *UNPROTECTED]
    with ThreadPoolExecutor(2) as pool:
        return {done.way.name: done for done in pool.map(lambda way: run(way, backend, logs), everything)}


def run(way: Way, backend: Path, logs: Path) -> Run:
    """Run the planted application one way, and visit all of it."""
    port = free_port()
    log = logs / f"{way.name}.log"
    command = ["uv", "run", "--quiet", *PACKAGES, *SERVERS[way.server].format(host=HOST, port=port).split()]
    with receiving() as sink:
        environment = {
            **way.environment,
            "SENTRY_DSN": sink.dsn().replace("public", KEY),
            "PLANTED": way.watcher,
            "PLANTED_OPTIONS": json.dumps({**QUEUE, **way.options}),
            "PLANTED_SINK": f"{HOST}:{sink.port}",
        }
        url = f"http://{HOST}:{port}"
        with serving(
            [*command, "app.planted.app:app"], f"{url}/planted/scenes", cwd=backend, log=log, environment=environment
        ):
            plant = visit(url)
            if way.profiled:
                # The profiler's own thread hands a profile over when it next looks, which a server may not wait for.
                sink.wait_for("profile_chunk")
        planted = [canary(*name) for name in sorted(plant.planted)]
        return Run(way, [*planted, *LITERALS], list(sink.deliveries), log.read_text("utf-8", errors="replace"))


def table(leaked: set[Canary], deliveries: list[Delivery]) -> str:
    """Say where the values are: canary, type of item, JSON path."""
    rows: dict[str, set[str]] = {each.name: set() for each in leaked}
    search = Search(leaked)
    for kind, path, text in texts(deliveries):
        for each in search.find(text):
            rows[each.name].add(f"{kind}: {path}")
    return "\n".join(f"{name} -> {place}" for name, places in sorted(rows.items()) for place in sorted(places))


def texts(deliveries: list[Delivery]) -> Iterator[tuple[str, str, str]]:
    """Give each text that arrived, with the type of its item and its JSON path."""
    for delivery in deliveries:
        yield "request", "headers", json.dumps(dict(delivery.headers))
        yield "envelope", "headers", delivery.body.partition(b"\n")[0].decode()
        for header, payload in delivery.items:
            yield header["type"], "item headers", json.dumps(header)
            try:
                yield from ((header["type"], path, text) for path, text in leaves(json.loads(payload), "$"))
            except ValueError:
                yield header["type"], "bytes", plain(payload)


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 any JSON
    """Give keys and values, with their JSON path; indexes are left out."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield f"{path}.(key)", key
            yield from leaves(below, f"{path}.{key[:40]}")
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below, f"{path}[]")
    else:
        yield path, str(value)


def count(canaries: set[Canary]) -> str:
    """Say how many there are of each category."""
    counts = Counter(each.category for each in canaries)
    return f"{len(canaries)} ({', '.join(f'{counts[name]} {name}' for name in ('secret', 'pattern', 'personal'))})"


DEFAULTS = [name for name, way in OURS.items() if not way.options]
# Whatever is switched off and not sampled.
ALWAYS_SENT = ("breadcrumb.", "check_in.", "event.", "exception.", "feedback.", "log.", "metric.", "scope.", "user.")
UNCUT = [name for name, way in OURS.items() if way.options and "max_value_length" not in way.options]
# Nothing of these arrives, whatever is switched on, so neither does what stands beside the value.
NOT_SENT = frozenset(
    {
        # Bytes, and text in other encodings, cannot be looked into.
        *("attachment.binary", "attachment.csv", "attachment.json", "attachment.json.note", "attachment.wide"),
        # Queries are dropped or masked as a whole, parameters of logs where they have no name.
        *("client.query", "client.query.note", "client.query_text", "event.query", "event.params"),
        # In one line of text, whatever follows the name of a secret may belong to it.
        *("exception.data.text", "log.record.text", "sentry_log.data.text", "span.data.text"),
    }
)

# Views of mappings are hidden as a whole: they may show a request.
HIDDEN = frozenset({"local.values"})


@pytest.mark.parametrize("name", OURS)
def test_no_planted_value_leaves(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    leaked = {each for each in run.leaked if not (run.way.personal and each.category == "personal")}
    assert not leaked, f"{count(leaked)} leaked:\n{table(leaked, run.deliveries)}"


def test_every_planted_value_leaves_where_nothing_protects_it(runs: dict[str, Run]) -> None:
    unprotected = [runs[way.name] for way in UNPROTECTED]
    planted = {each for run in unprotected for each in run.planted}
    assert sorted(each.name for each in planted - set().union(*(run.leaked for run in unprotected))) == []


@pytest.mark.parametrize("name", [*DEFAULTS, *UNCUT])
def test_what_stands_beside_a_planted_value_arrives(name: str, runs: dict[str, Run]) -> None:
    expected = set().union(*(runs[way.name].places for way in UNPROTECTED)) - NOT_SENT
    if name in DEFAULTS:
        expected = {place for place in expected if place.startswith(ALWAYS_SENT)}
    assert sorted(expected - runs[name].places) == []


@pytest.mark.parametrize("name", UNCUT)
def test_ordinary_values_arrive_as_they_are(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    texts = {each.place for each in run.planted if each.kind == "redis_url"} & run.places - HIDDEN
    assert sorted(place for place in texts if survivors(place) not in run.raw) == []
    assert "user-4711" in run.raw


def test_personal_data_leaves_where_it_may(runs: dict[str, Run]) -> None:
    for run in runs.values():
        arrived = canary("user.email", "email") in run.leaked
        assert arrived == (run.way.watcher != "ours" or run.way.personal), run.way.name


def test_output_never_shows_the_key(runs: dict[str, Run]) -> None:
    debugging = [name for name in OURS if "[sentry] DEBUG" in runs[name].output]
    assert debugging == [name for name, way in OURS.items() if "SENTRY_DEBUG" in way.environment]
    assert [name for name in OURS if KEY in runs[name].output] == []


def test_without_protection_most_would_leave(runs: dict[str, Run], capsys: pytest.CaptureFixture[str]) -> None:
    bare = runs[BARE.name]
    protected = set().union(
        *(run.leaked for run in runs.values() if run.way.watcher == "ours" and not run.way.personal)
    )
    with capsys.disabled():
        for who, values in (("planted", bare.planted), ("the SDK alone lets leave", bare.leaked), ("ours", protected)):
            print(f"\n{who}: {count(set(values))}", end="")
    assert len(bare.leaked) > len(bare.planted) / 2
