"""Health: for load balancers, probes and monitors. Never traced, never reported."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, Field

from app.api.deps import CurrentRelease, CurrentSettings, require_diagnostics
from app.core import sentry
from app.core.config import Settings
from app.core.contracts import EnvironmentName
from app.core.sentry.delivery import Probe, delivery
from app.core.sentry.tunnel import Tunnel
from app.extensions import EXTENSIONS

CheckResult = Literal["ok", "failed"]

PATHS = ("/health", "/health/live", "/health/ready", "/health/sentry")

logger = logging.getLogger(__name__)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    dsn = settings.sentry.dsn
    app.state.probe = Probe(dsn.get_secret_value()) if dsn else None
    yield
    if app.state.probe:
        await app.state.probe.aclose()


router = APIRouter(tags=["health"], lifespan=_lifespan)


class Health(BaseModel):
    """The process answers, and this is what it is."""

    status: Literal["ok"]
    environment: EnvironmentName
    release: str


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether requests may be sent here, with the result of each check."""

    status: Literal["ready", "not ready"]
    checks: dict[str, CheckResult]


class SentryHealth(BaseModel):
    """Whether events get through, since the process started. Nothing is sent to find out."""

    configured: bool = Field(description="Whether events are sent.")
    reachable: bool | None = Field(
        description="Whether Sentry's host answered within the last half minute; null if Sentry is off."
    )
    sent: int = Field(description="How many envelope items Sentry took: events, traces, batches of logs.")
    last_delivery: datetime | None
    last_error: str | None = Field(description="Status or kind of error of the last delivery that failed.")
    last_error_time: datetime | None
    dropped: dict[str, int] = Field(description="What was not sent, by who dropped it and why.")
    tunnel: dict[str, int] | None = Field(description="What the tunnel answered, by status; null if it is off.")


@router.get("/health")
async def health(settings: CurrentSettings, release: CurrentRelease) -> Health:
    """Say that the process answers, and which build it is."""
    return Health(status="ok", environment=settings.app.environment, release=release)


@router.get("/health/live")
async def live() -> Liveness:
    """Say that the process answers. A failure means: restart it."""
    return Liveness(status="ok")


@router.get("/health/ready", responses={503: {"model": Readiness}})
async def ready(response: Response) -> Readiness:
    """Say whether everything the application depends on answers. A failure means: send no requests yet."""
    asked = {extension.name: _check(extension.readiness) for extension in EXTENSIONS if extension.readiness}
    # At once: where several things are silent, their deadlines do not add up to more than a probe waits.
    checks = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    if "failed" in checks.values():
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(status="not ready", checks=checks)
    return Readiness(status="ready", checks=checks)


@router.get("/health/sentry", dependencies=[Depends(require_diagnostics)])
async def sentry_health(request: Request) -> SentryHealth:
    """Say whether events get through. Closed in production like the diagnostics."""
    probe: Probe | None = getattr(request.app.state, "probe", None)
    way: Tunnel | None = getattr(request.app.state, "tunnel", None)
    report = delivery.report()
    return SentryHealth(
        configured=sentry.is_on(),
        reachable=await probe.is_reachable() if probe else None,
        sent=report.sent,
        last_delivery=report.last_delivery,
        last_error=report.last_error,
        last_error_time=report.last_error_time,
        dropped=report.dropped,
        tunnel={str(status): count for status, count in sorted(way.answers.items())} if way else None,
    )


async def _check(readiness: Callable[[], Awaitable[None]]) -> CheckResult:
    try:
        await readiness()
    except Exception:
        # A warning and no error: what is expected now and then is no event, however often a probe asks.
        logger.warning("A readiness check failed", exc_info=True)
        return "failed"
    return "ok"
