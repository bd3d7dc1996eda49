"""The application that the benchmark serves: it is copied into the package ``app`` of the generated project.

``BENCHMARK_VARIANT`` says how much of the generated code takes part:

- ``plain``: the generated routers in a FastAPI application without the SDK and without the error handlers.
- ``bare``: the same, after ``sentry_sdk.init(dsn, traces_sample_rate=...)`` with the SDK's defaults.
- ``generated``: the generated ``app.main``, whole.

All serve the same two routes besides, and the SDK takes exactly its share of their requests: chance would be
most of the difference between two servers that trace one request in ten.
"""

import logging
import os
from itertools import count
from random import Random
from types import FunctionType
from typing import Any

import sentry_sdk
import sentry_sdk.tracing_utils
from fastapi import FastAPI

PLACES = 5_000
GOLDEN_RATIO = 0.618033988749895
"""Its multiples, without their whole parts, fill the space between 0 and 1 evenly, and so does every second of them."""


class _EvenRandom(Random):
    _drawn = count()

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Draw, for what that costs, and return the next of evenly spread numbers between 0 and a million."""
        super().randrange(start, stop, step)
        return int(next(self._drawn) * GOLDEN_RATIO % 1 * 1_000_000)


sentry_sdk.tracing_utils.Random = _EvenRandom


class _Order:
    def __init__(self, number: int) -> None:
        self.number = number
        self.lines = [{"article": f"A-{index}", "quantity": index, "price": 9.99} for index in range(20)]


async def small() -> dict[str, Any]:
    """Answer with a small object."""
    return {"id": 4711, "name": "A small answer", "tags": ["one", "two", "three"], "active": True}


async def fail(number: int) -> dict[str, Any]:
    """Fail three calls deep, as an ordinary route does."""
    order = _Order(number)
    customer = {"id": number, "name": "Somebody", "address": {"street": "A street", "town": "A town"}}
    return _reserve(order, customer)


def _reserve(order: _Order, customer: dict[str, Any]) -> dict[str, Any]:
    take = _TAKERS[order.number % PLACES]
    reserved = [take(line, order, customer["id"]) for line in order.lines]
    return {"reserved": reserved}


def _take(line: dict[str, Any], order: _Order, customer: int) -> int:
    wanted, available = line["quantity"], 3
    if wanted > available:
        raise RuntimeError(f"order {order.number}: customer {customer} wants {wanted} and {available} are left")
    return int(wanted)


def _named(name: str) -> FunctionType:
    return FunctionType(_take.__code__.replace(co_name=name, co_qualname=name), globals())


# Functions of their own, so that no limiter takes one error for another.
_TAKERS = [_named(f"_take_{number}") for number in range(PLACES)]


def _plain() -> FastAPI:
    from app.api.router import router  # noqa: PLC0415 - the SDK instruments what is imported after its start
    from app.core.config import load_settings  # noqa: PLC0415 - as above

    logging.basicConfig(level=logging.INFO)
    application = FastAPI()
    application.state.settings = load_settings()
    application.state.release = "benchmark"
    application.include_router(router)
    return application


def _bare() -> FastAPI:
    sentry_sdk.init(os.environ["SENTRY_DSN"], traces_sample_rate=float(os.environ["SENTRY_TRACES_SAMPLE_RATE"]))
    return _plain()


def _generated() -> FastAPI:
    from app.main import app as generated  # noqa: PLC0415 - importing it starts Sentry

    return generated


app = {"plain": _plain, "bare": _bare, "generated": _generated}[os.environ["BENCHMARK_VARIANT"]]()
app.add_api_route("/small", small)
app.add_api_route("/fail/{number}", fail)
