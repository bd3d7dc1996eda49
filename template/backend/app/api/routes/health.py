"""Health: for load balancers and probes. Never traced, never reported."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api.deps import CurrentRelease, CurrentSettings
from app.core.contracts import EnvironmentName
from app.extensions import EXTENSIONS

CheckResult = Literal["ok", "failed"]

PATHS = ("/health", "/health/live", "/health/ready")

router = APIRouter(tags=["health"])
logger = logging.getLogger(__name__)


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
    checks = {extension.name: await _check(extension.readiness) for extension in EXTENSIONS if extension.readiness}
    if "failed" in checks.values():
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(status="not ready", checks=checks)
    return Readiness(status="ready", checks=checks)


async def _check(readiness: Callable[[], Awaitable[None]]) -> CheckResult:
    try:
        await readiness()
    except Exception:
        # A warning and no error: what is expected now and then is no event, however often a probe asks.
        logger.warning("A readiness check failed", exc_info=True)
        return "failed"
    return "ok"
