"""Makes slow statements visible, and statements that a request repeats."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core import sentry

SLOW_TAG, REPEATED_TAG = "db.slow", "db.repeated"

_BEGAN = "statement_began"

_counts: ContextVar["Counter[str] | None"] = ContextVar("statement_counts", default=None)

logger = logging.getLogger(__name__)


@contextmanager
def counting_statements() -> Iterator[None]:
    """Count the statements of the block; a block within another one belongs to that."""
    if _counts.get() is not None:
        yield
        return
    token = _counts.set(Counter())
    try:
        yield
    finally:
        _counts.reset(token)


def watch_statements(engine: AsyncEngine, *, slow: float, repeated: int) -> None:
    """Log each slow statement, and one repeated statement for each request, and tag what Sentry gets of it.

    Args:
        engine: Whose statements.
        slow: Seconds from which on a statement is slow.
        repeated: How often makes a repetition.
    """

    def begin(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        connection.info[_BEGAN] = time.perf_counter()
        counts = _counts.get()
        if counts is None:
            return
        counts[statement] += 1
        if counts[statement] == repeated and not counts.get(""):
            # The empty statement stands for what was told.
            counts[""] = 1
            sentry.set_tag(REPEATED_TAG, "true")
            shape = sentry.statement_shape(statement)
            logger.warning("The same statement ran %d times or more in one request: %s", repeated, shape)

    def end(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        began = connection.info.pop(_BEGAN, None)
        seconds = time.perf_counter() - began if began is not None else 0
        if seconds >= slow:
            sentry.set_tag(SLOW_TAG, "true")
            logger.warning("A statement took %.2f s: %s", seconds, sentry.statement_shape(statement))

    def fail(context: ExceptionContext) -> None:
        if context.connection and context.statement:
            end(context.connection, None, context.statement)

    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    # First, because what comes after it may raise another error.
    event.listen(engine.sync_engine, "handle_error", fail, insert=True)
