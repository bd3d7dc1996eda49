"""Jobs of these tests: they leave traces in a folder, so that a test sees what other processes did."""

import asyncio
import time
from pathlib import Path

from app.extensions.jobs import job


def note(folder: str, text: str) -> None:
    """Leave a line in a file that every run adds to."""
    with (Path(folder) / "runs").open("a") as file:
        file.write(f"{text}\n")


@job()
async def quick(folder: str, word: str) -> None:
    note(folder, f"quick {len(word)}")


@job()
def in_a_thread(folder: str, word: str) -> None:
    note(folder, "thread")
    raise KeyError(len(word))


@job(retries=2, pause_seconds=0.05)
async def fails(folder: str, word: str) -> None:
    note(folder, "fails")
    raise ValueError(f"failed with {len(word)} letters")


@job(retries=2, pause_seconds=0.05)
async def fails_once(folder: str) -> None:
    path = Path(folder) / "failed"
    note(folder, "once")
    if not path.exists():
        path.touch()
        raise ValueError("the first time")


@job(timeout_seconds=0.2)
async def hangs(folder: str, word: str) -> None:
    note(folder, f"hangs {len(word)}")
    await asyncio.sleep(60)


@job(timeout_seconds=120)
async def takes(folder: str, seconds: float) -> None:
    note(folder, "begin")
    deadline = time.monotonic() + seconds
    while not (Path(folder) / "stop").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    note(folder, "end")


@job()
async def counts(folder: str, number: int) -> None:
    note(folder, f"{type(number).__name__} {number}")
