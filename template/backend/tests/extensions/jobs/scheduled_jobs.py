"""Scheduled jobs of these tests, due every minute."""

from app.extensions.jobs import job


@job(cron="* * * * *")
async def goes_well() -> None:
    """Do nothing."""


@job(cron="* * * * *", retries=1, pause_seconds=0.05)
async def goes_wrong() -> None:
    raise RuntimeError("as every minute")
