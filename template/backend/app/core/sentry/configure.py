"""Starts Sentry, once, before the application is built."""

import logging
from collections.abc import Collection, Iterable
from importlib import import_module
from typing import Any

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.logging import ignore_logger_for_sentry_logs
from sentry_sdk.serializer import add_global_repr_processor, global_repr_processors

from app.core.config import Settings
from app.core.sentry.hooks import hide_request
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
    # The SDK delivers in the background and retries: a server that is away is no news three times an envelope.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    if _hide_request not in global_repr_processors:
        add_global_repr_processor(_hide_request)
    sentry_sdk.init(**(options | overrides))
    logger.info(
        "Sentry initialized | environment=%s, traces_sample_rate=%s, release=%s",
        settings.sentry_environment,
        settings.policy.traces_sample_rate,
        release,
    )


def _hide_request(value: object, _hint: object) -> object:
    """Tell the SDK before it looks into the value; the option ``custom_repr`` comes after that."""
    return hide_request(value) or NotImplemented


def _integration(name: str) -> Integration:
    module, _, class_name = name.rpartition(".")
    integration: Integration = getattr(import_module(f"sentry_sdk.integrations.{module}"), class_name)()
    return integration
