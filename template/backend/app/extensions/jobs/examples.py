"""Two examples: a job that a route asks for, and one that is due every night."""

import asyncio
import logging

from app.extensions.jobs.job import job

logger = logging.getLogger(__name__)


@job(retries=3)
async def example_report(rows: int) -> None:
    """Pretend to write a report."""
    await asyncio.sleep(0.001 * rows)
    logger.info("Wrote a report of %s rows", rows)


@job(cron="0 3 * * *")
async def example_cleanup() -> None:
    """Pretend to tidy up, at three in the night, UTC."""
    logger.info("Tidied up")
