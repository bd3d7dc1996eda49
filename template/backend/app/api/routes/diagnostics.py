"""Diagnostics: shows how Sentry is configured and breaks on purpose, to see errors arrive.

In production these routes do not exist, unless ``SENTRY_DIAGNOSTICS_TOKEN`` is set and sent.
"""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.api.deps import CurrentRelease, CurrentSettings, require_diagnostics
from app.core import sentry
from app.core.contracts import EnvironmentName

router = APIRouter(tags=["diagnostics"], dependencies=[Depends(require_diagnostics)])


class SentryConfiguration(BaseModel):
    """How the backend's Sentry is configured. The DSN itself is never part of it."""

    sentry_configured: bool = Field(description="Whether events are sent.")
    environment: EnvironmentName
    dsn_set: bool
    message: str
    release: str
    traces_sample_rate: float = Field(description="Share of requests that are traced, 0 to 1.")
    profiles_sample_rate: float = Field(description="Share of processes that profile what they trace, 0 to 1.")
    local_variables: bool
    request_bodies: bool
    send_default_pii: bool
    logs: bool = Field(description="Whether log lines are sent as logs of their own.")
    max_breadcrumbs: int = Field(description="How many notes of what happened before go with an error.")
    sensitive_keys: int = Field(description="How many names whose values are redacted the project has added.")
    tunnel: bool = Field(description="Whether the API passes the page's events on.")
    diagnostics: Literal["open", "closed"] = Field(description="Closed means: a bearer token is needed.")


class SentryTest(BaseModel):
    """What was sent to Sentry."""

    status: Literal["success", "off"]
    message: str
    sentry_configured: bool
    event_ids: list[str]


class SlowRequest(BaseModel):
    """A request that took its time."""

    status: Literal["success"]
    seconds: float
    trace_id: str | None


@router.get("/sentry-debug")
async def sentry_debug(settings: CurrentSettings, release: CurrentRelease) -> SentryConfiguration:
    """Show how Sentry is configured."""
    configured = sentry.is_on()
    policy = settings.policy
    return SentryConfiguration(
        sentry_configured=configured,
        environment=settings.sentry_environment,
        dsn_set=settings.sentry.dsn is not None,
        message="Sentry is on: errors of this API are sent." if configured else "Sentry is off: SENTRY_DSN is empty.",
        release=release,
        traces_sample_rate=policy.traces_sample_rate,
        profiles_sample_rate=policy.profiles_sample_rate,
        local_variables=policy.local_variables,
        request_bodies=policy.request_bodies,
        send_default_pii=settings.sentry.send_default_pii,
        logs=policy.logs,
        max_breadcrumbs=policy.max_breadcrumbs,
        sensitive_keys=len(settings.sentry.sensitive_keys),
        tunnel=settings.tunnel_open,
        diagnostics="open" if settings.diagnostics_open else "closed",
    )


@router.get("/sentry-test")
async def sentry_test() -> SentryTest:
    """Send a message and an exception that was handled."""
    sentry.add_breadcrumb("Diagnostics: about to divide by zero", category="diagnostics")
    captured = [sentry.capture_message("Diagnostics: a test message", level="info"), _divide_and_capture()]
    event_ids = [event_id for event_id in captured if event_id]
    if not sentry.is_on():
        message = "Sentry is off: SENTRY_DSN is empty, so nothing was sent."
        return SentryTest(status="off", message=message, sentry_configured=False, event_ids=[])
    message = "A test message and an exception were sent to Sentry."
    return SentryTest(status="success", message=message, sentry_configured=True, event_ids=event_ids)


@router.get("/sentry-test/error")
async def break_on_purpose() -> None:
    """Fail with an error that nothing handles."""
    raise RuntimeError("Diagnostics: the backend broke on purpose")


@router.get("/sentry-test/division")
def divide_on_purpose() -> None:
    """Fail with a division by zero, in a thread, as every route that is not ``async`` runs."""
    _divide(1, 0)


@router.get("/sentry-test/slow")
async def slow(seconds: Annotated[float, Query(ge=0, le=5, description="How long to wait.")] = 2) -> SlowRequest:
    """Wait inside a span, without keeping others waiting."""
    with sentry.start_span(op="diagnostics.wait", description="Wait on purpose"):
        await asyncio.sleep(seconds)
    return SlowRequest(status="success", seconds=seconds, trace_id=sentry.current_trace_id())


def _divide_and_capture() -> str | None:
    try:
        _divide(1, 0)
    except ZeroDivisionError as error:
        return sentry.capture_exception(error)
    return None


def _divide(dividend: int, divisor: int) -> float:
    return dividend / divisor
