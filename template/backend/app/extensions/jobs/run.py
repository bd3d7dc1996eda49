"""One run of a job: traced, limited in time, tried again, reported once, and checked in if it was scheduled."""

import asyncio
import functools
import inspect
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from taskiq import TaskiqMessage, TaskiqMiddleware
from taskiq.exceptions import NoResultError

from app.core import sentry
from app.extensions.jobs.errors import JobAbandonedError, JobFailedError, JobsUnavailableError
from app.extensions.jobs.frames import from_job_on
from app.extensions.jobs.job import Job
from app.extensions.jobs.queue import queue
from app.extensions.jobs.threads import in_a_thread

SEND_AGAIN_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""How long to wait for a broker that does not take a job back, in seconds."""

LABELS = frozenset({"attempt", "check_in_id", "scheduled", "sent_at", "trace"})
"""What the queue notes on a message."""

_ORIGIN = "taskiq"

logger = logging.getLogger(__name__)


@dataclass
class Delivery:
    """A message while it is worked on.

    Attributes:
        message: What the broker gave.
        is_owed: Whether the broker must keep it, because it could not be sent again.
    """

    message: TaskiqMessage
    is_owed: bool = False

    def label(self, name: str, kind: type[Any], default: Any = None) -> Any:  # noqa: ANN401 of that kind
        """Return what the queue noted on the message, if it is of the kind it should be."""
        value = self.message.labels.get(name, default)
        return value if isinstance(value, kind) else default

    @property
    def attempt(self) -> int:
        """How many times this was tried, with this time."""
        return max(1, int(self.label("attempt", int, 1)))


current_delivery: ContextVar[Delivery | None] = ContextVar("current_delivery", default=None)


class NoteDelivery(TaskiqMiddleware):
    """Remembers which message the present task works on."""

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Remember it. Of its labels those of the queue stay: some others would change what taskiq does."""
        message.labels = {name: value for name, value in message.labels.items() if name in LABELS}
        current_delivery.set(Delivery(message))
        return message


def is_cancelled() -> bool:
    """Say whether somebody cancelled the task itself, and not something that it waited for.

    Also where nothing was raised: until Python 3.12 ``asyncio.wait_for``, which the client of Redis sends with, drops a
    cancellation that comes in the moment in which what it waits for is done.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def runner(job: Job[Any]) -> Callable[..., Awaitable[None]]:
    """Return what taskiq runs in place of the job's function, with the same signature."""

    @functools.wraps(job.function)
    async def run(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 as of the function
        delivery = current_delivery.get()
        assert delivery is not None  # noqa: S101 the middleware is always there
        try:
            await _run(job, delivery, functools.partial(_start, job, args, kwargs))
        except _TryAgainError as failure:
            await _send_again(job, delivery, failure)
            raise NoResultError from None

    return run


class _TryAgainError(Exception):
    """The job goes back into the queue."""

    def __init__(self, attempt: int, pause_seconds: float, check_in_id: str | None) -> None:
        super().__init__()
        self.pause_seconds = pause_seconds
        self.labels = {"attempt": attempt, "check_in_id": check_in_id, "trace": sentry.trace_headers()}


async def _start(job: Job[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if inspect.iscoroutinefunction(job.function):
        await job.function(*args, **kwargs)
    else:
        await in_a_thread(job.function, *args, **kwargs)


async def _run(job: Job[Any], delivery: Delivery, start: Callable[[], Awaitable[None]]) -> None:
    attempt = delivery.attempt
    with sentry.continue_transaction(job.name, "task.run", _headers(delivery)) as span:
        span.set_data("messaging.destination.name", job.name)
        span.set_data("messaging.message.id", delivery.message.task_id)
        span.set_data("messaging.message.retry.count", attempt - 1)
        span.set_data("messaging.message.receive.latency", _latency_ms(delivery))
        sentry.set_tag("job", job.name)
        sentry.set_tag("job.attempt", attempt)
        check_in_id = _begin(job, delivery)
        try:
            async with asyncio.timeout(job.timeout_seconds) as limit:
                await start()
        except (Exception, asyncio.CancelledError, SystemExit) as failure:  # noqa: BLE001 the job ends, not the worker
            if isinstance(failure, asyncio.CancelledError) and is_cancelled():
                # The worker stops, and this was not ready in time.
                span.set_status("cancelled")
                logger.warning("Job %s was interrupted and goes back into the queue", job.name)
                raise _TryAgainError(attempt, 0, check_in_id) from None
            span.set_status("internal_error")
            error = _cause(job, failure, is_late=limit.expired())
            if attempt <= job.retries:
                # A warning names the kind only: texts of errors repeat values.
                logger.warning(
                    "Job %s failed in attempt %s and is tried again: %s", job.name, attempt, type(error).__name__
                )
                raise _TryAgainError(attempt + 1, job.pause_after(attempt), check_in_id) from None
            logger.warning("Job %s failed for good in attempt %s: %s", job.name, attempt, type(error).__name__)
            sentry.capture_unhandled(from_job_on(error, job), _ORIGIN)
            _end(job, delivery, check_in_id, failed=True)
            raise JobFailedError from None
        _end(job, delivery, check_in_id, failed=False)


def _cause(job: Job[Any], failure: BaseException, *, is_late: bool) -> Exception:
    """Return what is reported. What is no ``Exception`` would count as somebody's wish to stop, and vanish."""
    if is_late and isinstance(failure, TimeoutError):
        return TimeoutError(f"{job.name} took longer than {job.timeout_seconds:g} s")
    if isinstance(failure, Exception):
        return failure
    # Without its text, which may hold anything.
    return JobAbandonedError(f"{job.name} ended with {type(failure).__name__}").with_traceback(failure.__traceback__)


async def _send_again(job: Job[Any], delivery: Delivery, failure: _TryAgainError) -> None:
    message = delivery.message
    labels = {**message.labels, **failure.labels}
    for pause in (failure.pause_seconds, *SEND_AGAIN_PAUSES):
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            logger.info("Job %s does not wait any longer: the worker stops", job.name)
        try:
            await queue.send(job.name, message.args, message.kwargs, labels, message.task_id)
        except JobsUnavailableError:
            continue
        return
    logger.warning("The broker does not take job %s back; it will deliver it once more", job.name)
    delivery.is_owed = True


def _begin(job: Job[Any], delivery: Delivery) -> str | None:
    earlier: str | None = delivery.label("check_in_id", str)
    if earlier or not delivery.label("scheduled", bool, default=False):
        return earlier
    # All attempts and the pauses between them.
    pauses = sum(job.pause_after(attempt) for attempt in range(1, job.retries + 1))
    longest = math.ceil(((job.retries + 1) * job.timeout_seconds + pauses) / 60) + 1
    return sentry.check_in(job.name, "in_progress", crontab=job.cron, longest_minutes=longest)


def _end(job: Job[Any], delivery: Delivery, check_in_id: str | None, *, failed: bool) -> None:
    if check_in_id and delivery.label("scheduled", bool, default=False):
        sentry.check_in(job.name, "error" if failed else "ok", check_in_id=check_in_id)


def _headers(delivery: Delivery) -> dict[str, str]:
    headers: dict[object, object] = delivery.label("trace", dict, {})
    return {str(name): str(value) for name, value in headers.items()}


def _latency_ms(delivery: Delivery) -> int:
    sent_at = float(delivery.label("sent_at", float, time.time()))
    return max(0, round((time.time() - sent_at) * 1000))
