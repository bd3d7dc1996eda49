"""What a job is: a function with a name, that may be tried again and may have a schedule."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, ParamSpec

import pycron  # type: ignore[import-untyped]

from app.extensions.jobs.queue import queue

LONGEST_SECONDS = 480
"""The longest time that a job may ask for, in seconds. Together with the pause before another attempt it is less than
the time after which the broker gives a job to another worker, so that no job runs twice at once."""

LONGEST_PAUSE_SECONDS = 60

_NAME = re.compile(r"[a-z][a-z0-9-]{0,49}")

P = ParamSpec("P")


@dataclass(frozen=True)
class Job(Generic[P]):
    """A function that a worker runs.

    Attributes:
        name: Its name in the queue and in Sentry.
        function: What is done; ``async``, or else run in a thread.
        retries: How often it is tried again after a failure.
        pause_seconds: How long to wait before the second attempt, in seconds; each further pause is twice as long.
        timeout_seconds: How long one attempt may take, in seconds.
        cron: When it is due without being asked for: five fields, in UTC.
    """

    name: str
    function: Callable[P, Any]
    retries: int
    pause_seconds: float
    timeout_seconds: float
    cron: str | None

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Have it done soon, by a worker, and return the job's id at once.

        Arguments travel as JSON and arrive as the types that the function is annotated with. Pass ids, not secrets.

        Raises:
            JobsUnavailableError: the broker does not answer: 503 for the caller of a route.
        """
        return await queue.send(self.name, args, kwargs)

    def pause_after(self, attempt: int) -> float:
        """Return how long to wait after a failed attempt, in seconds."""
        return min(self.pause_seconds * 2.0 ** min(attempt - 1, 16), LONGEST_PAUSE_SECONDS)


JOBS: dict[str, Job[Any]] = {}
"""Every job of the modules that were imported, by name."""


def job(
    *,
    retries: int = 0,
    pause_seconds: float = 2,
    timeout_seconds: float = 60,
    cron: str | None = None,
) -> Callable[[Callable[P, Any]], Job[P]]:
    """Make a job of a function; its name is the function's, with hyphens. The arguments are as in ``Job``.

    A job may run more than once, whatever ``retries`` says: write it so that this does no harm.

    Raises:
        ValueError: the name is taken or unsuited, the schedule is none, or a number is out of its range.
    """

    def made(function: Callable[P, Any]) -> Job[P]:
        name = getattr(function, "__name__", "").replace("_", "-").strip("-")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a job: a-z, 0-9 and _, at most 50 characters")
        known = JOBS.get(name)
        if known and _place(known.function) != _place(function):
            raise ValueError(f"Two jobs are called {name}: in {_place(known.function)} and {_place(function)}")
        if not 0 < timeout_seconds <= LONGEST_SECONDS or retries < 0 or pause_seconds < 0:
            raise ValueError(f"{name}: timeout_seconds is above 0 and at most {LONGEST_SECONDS}, no number is negative")
        if cron is not None:
            _check_cron(name, cron, function)
        JOBS[name] = Job(name, function, retries, pause_seconds, timeout_seconds, cron)
        return JOBS[name]

    return made


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', '')}"


def _check_cron(name: str, cron: str, function: Callable[..., Any]) -> None:
    if len(cron.split()) != len(("minute", "hour", "day", "month", "weekday")):
        raise ValueError(f"{name}: {cron!r} is no schedule like '0 3 * * *'")
    pycron.is_now(cron, datetime.now(UTC))
    if any(
        parameter.default is parameter.empty and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        for parameter in inspect.signature(function).parameters.values()
    ):
        raise ValueError(f"{name}: nobody gives arguments to a scheduled job, so it needs defaults")
