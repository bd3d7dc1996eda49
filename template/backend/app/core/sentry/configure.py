"""Starts Sentry, once, before the application is built."""

import logging
from collections.abc import Collection, Iterable
from importlib import import_module
from typing import Any

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.asyncio import enable_asyncio_integration
from sentry_sdk.integrations.logging import ignore_logger_for_sentry_logs

from app.core.config import Settings
from app.core.sentry.options import build_options

logger = logging.getLogger(__name__)


def configure_sentry(
    settings: Settings,
    release: str,
    *,
    ignored_paths: Collection[str] = (),
    integrations: Iterable[str] = (),
    **overrides: Any,
) -> None:
    """Start Sentry, or leave everything alone when there is no DSN.

    Args:
        settings: The settings.
        release: What this build is called.
        ignored_paths: Request paths that are never traced.
        integrations: More SDK integrations, as ``module.Class`` below ``sentry_sdk.integrations``.
        overrides: Options of the SDK that win over ours.
    """
    if settings.sentry.dsn is None:
        logger.info("Sentry is off: SENTRY_DSN is empty")
        return
    options = build_options(settings, release, ignored_paths)
    options["integrations"] += [_integration(name) for name in integrations]
    # Each access log line names an address and a full path.
    ignore_logger_for_sentry_logs("uvicorn.access")
    sentry_sdk.init(**(options | overrides))
    logger.info(
        "Sentry initialized | environment=%s, traces_sample_rate=%s, release=%s",
        settings.sentry_environment,
        settings.policy.traces_sample_rate,
        release,
    )


def instrument_event_loop() -> None:
    """Report what fails in tasks of the running event loop. To be called from inside it."""
    if sentry_sdk.get_client().is_active():
        # A span per task would drown what the application itself does.
        enable_asyncio_integration(task_spans=False)


def _integration(name: str) -> Integration:
    module, _, class_name = name.rpartition(".")
    integration: Integration = getattr(import_module(f"sentry_sdk.integrations.{module}"), class_name)()
    return integration
