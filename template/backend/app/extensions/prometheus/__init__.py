"""Metrics for Prometheus: requests, errors, and what became of what was sent to Sentry."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI

from app.core.extension import Extension
from app.core.sentry.errors import counting_logs
from app.extensions.prometheus.metrics import Metrics
from app.extensions.prometheus.middleware import Measuring
from app.extensions.prometheus.routes import PATH, is_open, router
from app.extensions.prometheus.settings import PrometheusSettings
from app.extensions.prometheus.workers import Workers, shared_folder

SYNC_SECONDS = 1.0
"""How old the counts of errors and deliveries of other processes may be, in seconds."""

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = PrometheusSettings()
    if not is_open(settings, app.state.settings) and settings.token is None:
        logger.warning("%s answers nobody: set PROMETHEUS_TOKEN, or PROMETHEUS_ACCESS=open", PATH)
    folder = shared_folder(settings.multiproc_dir)
    workers = Workers(folder, is_temporary=settings.multiproc_dir is None) if folder else None
    metrics = Metrics(app.state.release, app.state.settings.app.environment, workers)
    app.state.prometheus = metrics
    app.state.prometheus_settings = settings
    syncing = asyncio.create_task(_sync(metrics))
    try:
        with counting_logs():
            yield
    finally:
        syncing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await syncing
        metrics.close()


async def _sync(metrics: Metrics) -> None:
    fails = False
    while True:
        try:
            metrics.sync()
            fails = False
        except Exception as error:  # noqa: BLE001 such as a full disk: the next try may succeed
            if not fails:
                logger.warning("Errors and deliveries cannot be counted at the moment: %s", type(error).__name__)
            fails = True
        await asyncio.sleep(SYNC_SECONDS)


extension = Extension(
    "prometheus",
    settings=PrometheusSettings,
    root_router=router,
    middleware=Measuring,
    lifespan=_lifespan,
    ignored_paths=(PATH,),
)
