"""A client whose spans name commands and nothing else.

The SDK's own integration writes the keys into spans and breadcrumbs, which are user data as soon as a key holds an id
or an e-mail address. It also never ends the span of a command that fails, so that the rest of the trace hangs below it.
"""

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from app.core import sentry

OPERATION = "db"


class TracedPipeline(Pipeline):
    """A pipeline whose commands are one span, and whose errors repeat no arguments."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 the library's own
        """Send the commands."""
        with sentry.start_span(OPERATION, "PIPELINE") as span:
            span.set_data("db.system", "redis")
            span.set_data("db.redis.commands", len(self))
            answers: list[Any] = await super().execute(raise_on_error)
            return answers

    def annotate_exception(self, exception: Exception, number: int, command: Iterable[object]) -> None:
        """Say which command it was. The library's own text repeats keys and values."""
        name = str(next(iter(command), "")).partition(" ")[0]
        reason = str(exception).partition(", with args")[0]
        exception.args = (f"Command {number} of the pipeline, {name}: {reason}", *exception.args[1:])


class TracedRedis(Redis):
    """The library's client; each command is a span."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 as in the library
        """Send a command."""
        with sentry.start_span(OPERATION, str(args[0])) as span:
            span.set_data("db.system", "redis")
            span.set_data("db.operation", str(args[0]))
            try:
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except ResponseError as error:
                # About a command that it does not know, Redis repeats the arguments.
                error.args = (str(error).partition(", with args")[0],)
                raise

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> TracedPipeline:  # noqa: FBT001, FBT002 the library's own
        """Return a pipeline."""
        return TracedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
