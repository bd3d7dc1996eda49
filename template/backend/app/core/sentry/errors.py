"""Counts every error once, by its class and by whether something handled it, also while Sentry is off.

What the filters call noise is no error. The limiter and the sampler have no part in it: these counts are complete.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from logging import LogRecord
from typing import Any

from app.core.sentry.filters import NOISE, SERVER_LOGGERS, IsExpected, expected_failure, matching_filter
from app.core.sentry.requests import current_request

MAX_TYPES = 100
"""How many classes are told apart. They come from code and are few; this keeps a mistake from using memory."""

MESSAGE = "message"
"""What stands for the class of something that is no exception, such as ``logger.error("…")``."""

OTHER = "other"

logger = logging.getLogger(__name__)

_COUNTED = "__counted__"
_SAME_ERROR_SECONDS = 5.0
# Their records are about the delivery of other errors.
_IGNORED_LOGGERS = frozenset({"sentry_sdk.errors", "urllib3.connection", "urllib3.connectionpool"})
_UNHANDLED_LOGGERS = SERVER_LOGGERS | {"asyncio"}


class ErrorCounts:
    """Counts errors. Safe to use from any thread, with bounded memory."""

    def __init__(self) -> None:
        self._noise = NOISE
        self.reset()

    def leave_out(self, expected: Iterable[IsExpected]) -> None:
        """Take for noise what one of these recognises, besides the filters that every process has."""
        self._noise = (*NOISE, *map(expected_failure, expected))

    def reset(self) -> None:
        """Begin again at zero, as a forked process does, in which nobody will ever give back a lock that was taken."""
        # Not a plain lock: collecting garbage may log an error in the midst of counting one.
        self._lock = threading.RLock()
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._types: set[str] = set()

    def count(self, error: BaseException, *, handled: bool) -> None:
        """Count an exception, unless it was counted for this request already or is noise."""
        try:
            if _was_counted(error) or self._is_noise(error):
                return
            request = current_request()
            # Into the dictionary, because an exception class may refuse attributes.
            error.__dict__[_COUNTED] = (request.number if request else None, time.monotonic())
        except Exception:  # noqa: BLE001 counting must not make matters worse, whatever the error is like
            logger.warning("An error may be counted twice: %s", type(error).__name__)
        self._add(type(error).__name__, handled=handled)

    def count_message(self) -> None:
        """Count an error that is no exception."""
        self._add(MESSAGE, handled=True)

    def count_record(self, record: LogRecord) -> None:
        """Count what a log record of level ``ERROR`` or above is about."""
        if record.name in _IGNORED_LOGGERS:
            return
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.count(error, handled=record.name not in _UNHANDLED_LOGGERS)
        elif not _is_echo(record):
            self.count_message()

    def report(self) -> dict[tuple[str, bool], int]:
        """Return the counts since the process started, by the name of the class and whether it was handled."""
        with self._lock:
            return dict(self._counts)

    def _is_noise(self, error: BaseException) -> bool:
        return matching_filter("event", {}, {"exc_info": (type(error), error, None)}, self._noise) is not None

    def _add(self, name: str, *, handled: bool) -> None:
        with self._lock:
            if name not in self._types and len(self._types) >= MAX_TYPES:
                name = OTHER
            self._types.add(name)
            self._counts[name, handled] += 1


errors = ErrorCounts()
"""The process's own."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=errors.reset)


@contextmanager
def counting_logs() -> Iterator[None]:
    """Count what is logged as an error too, for the length of a ``with`` block.

    A handler would not see loggers that pass nothing on, as those of servers do.
    """
    make = logging.getLogRecordFactory()

    def make_counted(*args: Any, **kwargs: Any) -> LogRecord:
        record = make(*args, **kwargs)
        if record.levelno >= logging.ERROR:
            errors.count_record(record)
        return record

    logging.setLogRecordFactory(make_counted)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)


def _was_counted(error: BaseException) -> bool:
    """Say whether it was counted in this request, or a moment ago where there is none."""
    if _COUNTED not in error.__dict__:
        return False
    number, moment = error.__dict__[_COUNTED]
    request = current_request()
    return bool(number == request.number) if request else time.monotonic() - moment < _SAME_ERROR_SECONDS


def _is_echo(record: LogRecord) -> bool:
    if record.name not in SERVER_LOGGERS:
        return False
    payload = {"logger": record.name, "logentry": {"formatted": str(record.msg)}}
    return matching_filter("event", payload, {}, NOISE) is not None
