"""Starts Sentry, once, before the application is built."""

import logging
from collections.abc import Collection, Iterable, Sequence
from importlib import import_module
from typing import Any

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.logging import ignore_logger_for_sentry_logs
from sentry_sdk.serializer import add_global_repr_processor, global_repr_processors

from app.core.config import Settings
from app.core.sentry.errors import errors
from app.core.sentry.filters import IsExpected
from app.core.sentry.options import build_options
from app.core.sentry.requests import secret_names
from app.core.sentry.values import hide_request, name_parts

logger = logging.getLogger(__name__)


def configure_sentry(
    settings: Settings,
    release: str,
    *,
    ignored_paths: Collection[str] = (),
    integrations: Iterable[str] = (),
    expected: Sequence[IsExpected] = (),
    **overrides: Any,
) -> None:
    """Start Sentry; without a DSN, only the counts of errors are told what is expected.

    Args:
        settings: The settings.
        release: What this build is called.
        ignored_paths: Request paths that are never traced.
        integrations: More SDK integrations, as ``module.Class`` below ``sentry_sdk.integrations``.
        expected: Recognise failures of what the application depends on, besides ``AppError.expected``.
        overrides: Options of the SDK that win over ours.
    """
    errors.leave_out(expected)
    if settings.sentry.dsn is None:
        logger.info("Sentry is off: SENTRY_DSN is empty | tunnel=%s", _state(settings.tunnel_open))
        return
    options = build_options(settings, release, ignored_paths, expected)
    options["integrations"] += [_integration(name) for name in integrations]
    # Each access log line names an address and a full path.
    ignore_logger_for_sentry_logs("uvicorn.access")
    # The SDK delivers in the background and retries: a server that is away is no news three times an envelope.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    secret_names.extend(settings.sentry.sensitive_keys)
    if _represent not in global_repr_processors:
        add_global_repr_processor(_represent)
    options |= overrides
    if options.get("add_full_stack"):
        # To put the two stacks together, the SDK compares lines of source, and loses the error where it has none.
        options["data_collection"] = {**options["data_collection"], "frame_context_lines": 1}
    sentry_sdk.init(**options)
    if not settings.sentry.debug:
        # The SDK makes a record of each message to itself, several a request, and then drops it.
        logging.getLogger("sentry_sdk.errors").setLevel(logging.ERROR)
    logger.info("Sentry initialized | %s", describe(settings, release))


def describe(settings: Settings, release: str) -> str:
    """Return what is in effect, as one line without secrets."""
    policy = settings.policy
    facts = {
        "environment": settings.sentry_environment,
        "traces_sample_rate": policy.traces_sample_rate,
        "release": release,
        "error_sample_rate": policy.error_sample_rate,
        "profiles_sample_rate": policy.profiles_sample_rate,
        "local_variables": policy.local_variables,
        "request_bodies": policy.request_bodies,
        "logs": policy.logs,
        "max_breadcrumbs": policy.max_breadcrumbs,
        "send_default_pii": settings.sentry.send_default_pii,
        "sensitive_keys": len(settings.sentry.sensitive_keys),
        "diagnostics": "open" if settings.diagnostics_open else "closed",
        "tunnel": _state(settings.tunnel_open),
    }
    return ", ".join(f"{name}={value}" for name, value in facts.items())


def _state(on: bool) -> str:  # noqa: FBT001 it is what this says in words
    return "on" if on else "off"


def _represent(value: object, _hint: object) -> object:
    """Write requests and named tuples before the SDK looks into them; its option ``custom_repr`` comes after that."""
    return hide_request(value) or name_parts(value) or NotImplemented


def _integration(name: str) -> Integration:
    module, _, class_name = name.rpartition(".")
    integration: Integration = getattr(import_module(f"sentry_sdk.integrations.{module}"), class_name)()
    return integration
