"""Jobs of these tests that end in ways of their own."""

import asyncio
import sys
import time

from app.extensions.jobs import job
from tests.extensions.jobs.planted_jobs import note

SECRET = "brown cow of Berta"


@job()
async def cancels_itself(folder: str) -> None:
    note(folder, "cancels-itself")
    part = asyncio.create_task(asyncio.sleep(60))
    part.cancel()
    await part


@job()
async def leaves(folder: str) -> None:
    note(folder, "leaves")
    sys.exit(SECRET)


@job()
def leaves_a_thread(folder: str) -> None:
    note(folder, "leaves-a-thread")
    sys.exit(SECRET)


@job()
def blocks_a_thread(folder: str) -> None:
    note(folder, "blocks-a-thread")
    time.sleep(600)
