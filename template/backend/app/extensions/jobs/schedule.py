"""The scheduler: puts jobs into the queue when they are due."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from redis.exceptions import RedisError
from taskiq import AsyncBroker, ScheduledTask, ScheduleSource, TaskiqScheduler
from taskiq.cli.scheduler.run import SchedulerLoop

from app.extensions.jobs.errors import JobsUnavailableError
from app.extensions.jobs.job import JOBS
from app.extensions.jobs.queue import queue
from app.extensions.jobs.redis_broker import RedisBroker

PATIENCE_SECONDS = 240.0
"""How long the scheduler tries to get a job into the queue while the broker is away, in seconds. Less than the time
after which Sentry calls the run missed."""

logger = logging.getLogger(__name__)


class DeclaredSchedules(ScheduleSource):
    """The schedules that stand in the code."""

    async def get_schedules(self) -> list[ScheduledTask]:
        """Return the schedule of each job that has one."""
        return [
            ScheduledTask(task_name=job.name, labels={}, args=[], kwargs={}, schedule_id=job.name, cron=job.cron)
            for job in JOBS.values()
            if job.cron
        ]


class Scheduler(TaskiqScheduler):
    """Sends what is due, once, also where several schedulers run."""

    def __init__(self, broker: AsyncBroker) -> None:
        super().__init__(broker, [DeclaredSchedules()])

    async def on_ready(self, source: ScheduleSource, task: ScheduledTask) -> None:
        """Send a job that is due now."""
        del source
        minute = datetime.now(UTC).strftime("%Y%m%d%H%M")
        is_ours = False
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                is_ours = is_ours or await self._claim(f"{task.task_name}:{minute}")
                if is_ours:
                    await queue.send(task.task_name, labels={"scheduled": True})
            except (RedisError, OSError, JobsUnavailableError) as error:
                if time.monotonic() > deadline:
                    # Sentry misses the check-in and says so.
                    logger.warning(
                        "Job %s was due, and the broker did not take it: %s", task.task_name, type(error).__name__
                    )
                    return
                await asyncio.sleep(1)
                continue
            return

    async def _claim(self, name: str) -> bool:
        return not isinstance(self.broker, RedisBroker) or await self.broker.claim(name, seconds=3600)


async def run_schedules(broker: AsyncBroker, *, skip_first_minute: bool) -> None:
    """Send jobs as they become due, for ever.

    Args:
        broker: Where to.
        skip_first_minute: Leave out what is due in the present minute: where nobody knows whether it ran already.
    """
    await SchedulerLoop(Scheduler(broker)).run(skip_first_run=skip_first_minute)
