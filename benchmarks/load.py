"""Load on the servers of the benchmark, and what is measured meanwhile: their CPU, and how long answers took."""

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import count
from statistics import quantiles

from benchmarks.servers import Client, Server

NUMBERS = count()


def cpu_of_requests(
    servers: Sequence[Server], path: str, *, rounds: int, turns: int, requests: int
) -> dict[str, list[float]]:
    """Return the seconds of CPU that a request to each server took, a figure a round.

    Args:
        servers: asked in turns.
        path: what they are asked for; ``{}`` becomes a fresh number.
        rounds: how many figures there are.
        turns: how often each server has its turn in a round.
        requests: how many there are in a turn.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(Client(server.port))) for server in servers]

        def turn() -> None:
            for server, client in zip(servers, clients, strict=True):
                for _ in range(requests):
                    client.get(fresh(path))
                server.settle()

        turn()
        taken: dict[str, list[float]] = {server.name: [] for server in servers}
        for round_ in range(rounds):
            tell(f"CPU of {path}, round {round_ + 1} of {rounds}")
            before = [server.cpu for server in servers]
            for _ in range(turns):
                turn()
            for server, used in zip(servers, before, strict=True):
                taken[server.name].append((server.cpu - used) / (turns * requests))
        return taken


def latencies(servers: Sequence[Server], *, rounds: int, seconds: float, errors: float) -> dict[str, list[float]]:
    """Return the 99th percentile of the seconds that small requests took, a figure a round.

    Args:
        servers: asked in turns.
        rounds: how often each has its turn.
        seconds: how long a turn is.
        errors: how many errors a second another connection causes meanwhile.
    """
    found: dict[str, list[float]] = {server.name: [] for server in servers}
    for round_ in range(rounds + 1):
        tell(f"latency of {len(servers)} servers, round {round_} of {rounds}")
        for server in servers:
            taken = during(seconds, errors, server)
            if round_:
                found[server.name].append(quantiles(taken, n=100)[98])
    return found


def during(seconds: float, errors: float, server: Server) -> list[float]:
    """Return how long small requests took, one after the other with short breaks, while errors happen."""
    over = threading.Event()

    def fail() -> None:
        with closing(Client(server.port)) as client:
            while not over.wait(1 / errors):
                client.get(fresh("/fail/{}"))

    failing = threading.Thread(target=fail)
    failing.start()
    taken = []
    end = time.perf_counter() + seconds
    try:
        with closing(Client(server.port)) as client:
            while (began := time.perf_counter()) < end:
                client.get("/small")
                taken.append(time.perf_counter() - began)
                time.sleep(0.001)
    finally:
        over.set()
        failing.join()
    return taken


def fresh(path: str) -> str:
    """Return the path with a number that was not used before in the place of ``{}``."""
    return path.format(next(NUMBERS)) if "{}" in path else path


def tell(text: str) -> None:
    """Say on the terminal what is going on."""
    print(f"benchmark: {text}", file=sys.stderr, flush=True)
