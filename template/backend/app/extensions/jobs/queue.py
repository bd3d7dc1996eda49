"""The queue: takes jobs from the code that wants them done."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic_core import to_jsonable_python
from redis.exceptions import RedisError
from taskiq import AsyncBroker
from taskiq.message import TaskiqMessage

from app.core import sentry
from app.extensions.jobs.errors import JobsUnavailableError

SEND_SECONDS = 3.0
"""How long the broker may take to accept a job, in seconds: somebody waits."""

State = Literal["pending", "done", "failed"]


class Queue:
    """Sends jobs to the broker that the process has."""

    def __init__(self) -> None:
        self.broker: AsyncBroker | None = None

    def use(self, broker: AsyncBroker | None) -> None:
        """Send to this broker from now on."""
        self.broker = broker

    async def send(
        self,
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        labels: Mapping[str, Any] | None = None,
        job_id: str | None = None,
    ) -> str:
        """Put a job into the queue. Arguments go to the broker and nowhere else.

        Args:
            name: The job's name.
            args: Its arguments: whatever pydantic writes as JSON.
            kwargs: Its arguments by name.
            labels: What the queue itself has to know.
            job_id: The id, of a job that is sent again.

        Returns:
            The job's id, 32 hexadecimal digits.

        Raises:
            JobsUnavailableError: the broker did not accept it in time. Rarely it has it all the same.
        """
        broker = self._broker_in_use()
        job_id = job_id or uuid.uuid4().hex
        with sentry.start_span("queue.publish", name) as span:
            span.set_data("messaging.destination.name", name)
            span.set_data("messaging.message.id", job_id)
            message = TaskiqMessage(
                task_id=job_id,
                task_name=name,
                labels={"trace": sentry.trace_headers(), **(labels or {}), "sent_at": time.time()},
                args=to_jsonable_python(list(args)),
                kwargs=to_jsonable_python(dict(kwargs or {})),
            )
            packed = broker.formatter.dumps(message)
            span.set_data("messaging.message.body.size", len(packed.message))
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await broker.kick(packed)
            except (RedisError, OSError) as error:
                raise JobsUnavailableError("Jobs cannot be accepted at the moment. Try again later.") from error
        return job_id

    async def state(self, job_id: str) -> State:
        """Say how far a job is: ``pending`` while it waits or runs, and also when nobody knows it (any more).

        Raises:
            JobsUnavailableError: the broker does not answer.
        """
        results = self._broker_in_use().result_backend
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if not await results.is_result_ready(job_id):
                    return "pending"
                return "failed" if (await results.get_result(job_id)).is_err else "done"
        except (RedisError, OSError) as error:
            raise JobsUnavailableError("The state of jobs is not known at the moment. Try again later.") from error

    def _broker_in_use(self) -> AsyncBroker:
        if self.broker is None:
            raise JobsUnavailableError("Jobs are accepted while the application runs.")
        return self.broker


queue = Queue()
"""The process's own."""
