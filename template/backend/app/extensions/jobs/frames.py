"""The frames of an error that are the job's own: the variables of those below it are the job's arguments."""

import inspect
from types import TracebackType
from typing import Any

from app.extensions.jobs.job import Job

_PACKAGE = f"{__package__}."


def from_job_on(error: Exception, job: Job[Any]) -> Exception:
    """Leave the frames of the queue out of an error and of what caused it."""
    code = getattr(inspect.unwrap(job.function), "__code__", None)
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _cut(one.__traceback__, code)
        pending += [one.__cause__, one.__context__]
    return error


def _cut(traceback: TracebackType | None, code: object) -> TracebackType | None:
    frames = traceback
    while frames and frames.tb_frame.f_code is not code:
        frames = frames.tb_next
    if frames:
        return frames
    return None if _passes_queue(traceback) else traceback


def _passes_queue(traceback: TracebackType | None) -> bool:
    while traceback:
        if str(traceback.tb_frame.f_globals.get("__name__")).startswith(_PACKAGE):
            return True
        traceback = traceback.tb_next
    return False
