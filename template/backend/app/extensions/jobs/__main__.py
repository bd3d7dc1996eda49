"""The processes beside the API: ``python -m app.extensions.jobs worker``, and the same with ``scheduler``."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys

from fastapi import FastAPI
from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from app.core import sentry
from app.core.config import ConfigurationError, Settings
from app.core.process import start_process
from app.extensions import EXTENSIONS
from app.extensions.jobs.broker import make_broker
from app.extensions.jobs.lifespan import using
from app.extensions.jobs.redis_broker import RedisBroker
from app.extensions.jobs.schedule import run_schedules
from app.extensions.jobs.settings import JobsSettings

SEND_SECONDS = 5.0
"""How long the end may take, in seconds: a worker puts what it interrupted back into the queue, and a scheduler sends
what is due."""

logger = logging.getLogger(__name__)


async def work(broker: RedisBroker, settings: JobsSettings, stop: asyncio.Event) -> None:
    """Run jobs until told to stop, then let them end, and put back what is not ready."""
    receiver = Receiver(
        broker,
        max_async_tasks=settings.concurrency,
        wait_tasks_timeout=settings.stop_seconds,
        ack_type=AcknowledgeType.WHEN_SAVED,
        run_startup=False,
    )
    others = asyncio.all_tasks()
    logger.info("The worker waits for jobs")
    await receiver.listen(stop)
    unfinished = asyncio.all_tasks() - others
    for task in unfinished:
        task.cancel()
    if unfinished:
        await asyncio.wait(unfinished, timeout=SEND_SECONDS)


async def schedule(broker: RedisBroker, stop: asyncio.Event) -> None:
    """Send what is due until told to stop."""
    others = asyncio.all_tasks()
    schedules = asyncio.create_task(run_schedules(broker, skip_first_minute=False))
    stopped = asyncio.create_task(stop.wait())
    logger.info("The scheduler waits for the time")
    await asyncio.wait({schedules, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if schedules.done():
        stopped.cancel()
        await schedules
    schedules.cancel()
    # What it has claimed is sent by nobody else.
    if sending := asyncio.all_tasks() - others - {schedules, stopped}:
        await asyncio.wait(sending, timeout=SEND_SECONDS)


def describe_process(settings: Settings, release: str) -> FastAPI:
    """Return what extensions look at when they start: an application that serves nothing, with the state of the API."""
    app = FastAPI()
    app.state.settings = settings
    app.state.release = release
    return app


async def run(command: str, app: FastAPI) -> None:
    """Run one of the processes until SIGTERM or SIGINT."""
    settings = JobsSettings()
    try:
        broker = make_broker(settings)
    except ConfigurationError as error:
        sys.exit(str(error))
    if not isinstance(broker, RedisBroker):
        sys.exit("JOBS_BROKER_URL: without it jobs run inside the API's process, and there is nothing to do here")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        # Jobs use what the API uses: each extension keeps it open here too. The scheduler only sends.
        for extension in EXTENSIONS if command == "worker" else ():
            if extension.lifespan and extension.name != "jobs":
                await stack.enter_async_context(extension.lifespan(app))
        await stack.enter_async_context(using(broker))
        await (work(broker, settings, stop) if command == "worker" else schedule(broker, stop))
    logger.info("Stopped")


def main() -> None:
    """Start what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m app.extensions.jobs", description="Run jobs, or send them on time."
    )
    parser.add_argument("command", choices=["worker", "scheduler"])
    command = parser.parse_args().command
    app = describe_process(*start_process(EXTENSIONS))
    try:
        asyncio.run(run(command, app))
    finally:
        sentry.flush()


if __name__ == "__main__":
    main()
