"""The route that Prometheus reads."""

import secrets
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from app.core.config import Settings
from app.core.exceptions import AuthenticationError
from app.extensions.prometheus.metrics import Metrics
from app.extensions.prometheus.settings import PrometheusSettings

PATH = "/metrics"

router = APIRouter()


@router.get(PATH)
async def metrics(request: Request) -> Response:
    """Return all metrics in Prometheus' text format.

    Raises:
        AuthenticationError: 401, the metrics are closed and the bearer token is not the right one.
    """
    settings: PrometheusSettings = request.app.state.prometheus_settings
    if not is_open(settings, request.app.state.settings) and not _is_right(request, settings):
        raise AuthenticationError("A bearer token opens the metrics.", reason="metrics_token")
    counts: Metrics = request.app.state.prometheus
    # In a thread, because it reads the files of all processes.
    text = await run_in_threadpool(counts.text)
    return Response(text, HTTPStatus.OK, {"Cache-Control": "no-store"}, CONTENT_TYPE_LATEST)


def is_open(settings: PrometheusSettings, app_settings: Settings) -> bool:
    """Say whether the metrics need no token."""
    if settings.access:
        return settings.access == "open"
    # A process that reports as production is taken for it, as the diagnostics and the sign-in do.
    environments = {app_settings.app.environment, app_settings.sentry_environment}
    return settings.token is None and environments == {"development"}


def _is_right(request: Request, settings: PrometheusSettings) -> bool:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    token = settings.token.get_secret_value() if settings.token else None
    # In constant time; as bytes, because text may hold any character.
    return (
        token is not None and scheme.lower() == "bearer" and secrets.compare_digest(credential.encode(), token.encode())
    )
