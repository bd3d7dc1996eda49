"""An example: a value that is slow to compute, and is kept for some seconds."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.extensions.redis.cache import cached

SECONDS_KEPT = 10
SECONDS_OF_WORK = 0.2

router = APIRouter(tags=["redis"])


class CachedTime(BaseModel):
    """A time that is the same for a while."""

    time: datetime = Field(description="When this was computed.")
    seconds_kept: int = Field(description="How long it is kept, if Redis is there.")


@router.get("/cached-time")
async def cached_time() -> CachedTime:
    """Return a time from the cache; without Redis it is a new one each time."""
    return await cached("time", SECONDS_KEPT, _compute, CachedTime)


async def _compute() -> CachedTime:
    await asyncio.sleep(SECONDS_OF_WORK)
    return CachedTime(time=datetime.now(UTC), seconds_kept=SECONDS_KEPT)
