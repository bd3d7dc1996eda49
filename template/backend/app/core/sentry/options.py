"""The SDK's options as a pure function of the settings: what is on, how much, and what is never collected.

https://docs.sentry.io/platforms/python/configuration/options/
"""

import logging
import re
from collections.abc import Collection
from typing import Any

from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration

from app.core.config import Settings
from app.core.sentry.hooks import before_breadcrumb, before_send_transaction, hide_depths, make_before_send
from app.core.sentry.limiter import Limiter
from app.core.sentry.sampler import make_sampler
from app.core.sentry.transport import ScrubbingTransport

SERVER_NAME = "backend"
SERVER_ERRORS = frozenset(range(500, 600))
SOURCE_LINES_AROUND = 5
HEADERS = ("content-type", "user-agent", "host")


def build_options(settings: Settings, release: str, ignored_paths: Collection[str] = ()) -> dict[str, Any]:
    """Return the arguments of ``sentry_sdk.init``.

    Args:
        settings: With a DSN.
        release: What this build is called.
        ignored_paths: Request paths that are never traced.
    """
    policy = settings.policy
    dsn = settings.sentry.dsn
    return {
        "dsn": dsn.get_secret_value() if dsn else None,
        "environment": settings.sentry_environment,
        # Always given: without it the SDK runs git by itself.
        "release": release,
        # The real name of the machine is nobody's business.
        "server_name": SERVER_NAME,
        "debug": settings.sentry.debug,
        "in_app_include": ["app"],
        "transport": ScrubbingTransport,
        "keep_alive": True,
        # Spotlight's own path would bypass the transport, and with it the scrubber. Its ordinary DSN does not.
        "spotlight": False,
        # What is sent
        "attach_stacktrace": True,
        "max_breadcrumbs": policy.max_breadcrumbs,
        "enable_logs": policy.logs,
        "before_send": make_before_send(Limiter()),
        "before_send_transaction": before_send_transaction,
        "before_breadcrumb": before_breadcrumb,
        # Traces
        "traces_sampler": make_sampler(policy.traces_sample_rate, ignored_paths),
        "profile_session_sample_rate": policy.profiles_sample_rate,
        "profile_lifecycle": "trace",
        # The default is every host: then third parties learn our trace ids.
        "trace_propagation_targets": [_target(host) for host in settings.sentry.trace_targets],
        # Privacy: collect little, then scrub what was collected. Giving data_collection replaces
        # send_default_pii and the SDK's own scrubber.
        "data_collection": build_data_collection(settings),
        "include_local_variables": policy.local_variables,
        # For values that the SDK does not look into; for all others configure.py sees to it.
        "custom_repr": hide_depths,
        "max_request_body_size": "medium" if policy.request_bodies else "never",
        # Integrations are named and not discovered, so that nothing starts to report by being installed.
        "integrations": build_integrations(),
        "auto_enabling_integrations": False,
        "disabled_integrations": [ArgvIntegration],
    }


def build_data_collection(settings: Settings) -> dict[str, Any]:
    """Return what the SDK may collect. Each category is named, because what is left out is collected."""
    policy = settings.policy
    return {
        "user_info": settings.sentry.send_default_pii,
        "cookies": {"mode": "off"},
        "http_headers": {"request": {"mode": "allowlist", "terms": list(HEADERS)}},
        "http_bodies": ["incoming_request"] if policy.request_bodies else [],
        "url_query_params": {"mode": "off"},
        "graphql": {"document": False, "variables": False},
        "gen_ai": {"inputs": False, "outputs": False},
        "database_query_data": False,
        "queues": False,
        "stack_frame_variables": policy.local_variables,
        "frame_context_lines": SOURCE_LINES_AROUND,
    }


def build_integrations() -> list[Integration]:
    """Return the integrations that every application of this kind needs."""
    # Both web integrations need the same values: where they differ, Starlette's win.
    return [
        StarletteIntegration(transaction_style="url", failed_request_status_codes=SERVER_ERRORS),
        FastApiIntegration(transaction_style="url", failed_request_status_codes=SERVER_ERRORS),
        # INFO becomes a breadcrumb and a log, ERROR an event. The filter "already-sent" keeps an error that
        # is logged and then raised from being sent twice. This covers asyncio: it logs what fails in a task
        # and is awaited by nobody. The SDK's own integration would report failures that somebody handles.
        LoggingIntegration(level=logging.INFO, event_level=logging.ERROR, sentry_logs_level=logging.INFO),
    ]


def _target(host: str) -> str:
    """Return a pattern for the addresses of one host; the SDK takes plain text as a part of any address."""
    return rf"^https?://{re.escape(host)}(?:[/?#]|$)"
