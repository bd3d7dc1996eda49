"""The SDK's options as a pure function of the settings: what is on, how much, and what is never collected.

https://docs.sentry.io/platforms/python/configuration/options/
"""

import logging
import re
import socket
from collections.abc import Collection, Sequence
from typing import Any

from sentry_sdk.integrations import Integration
from sentry_sdk.integrations._asgi_common import _RootPathInPath
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.httpx2 import Httpx2Integration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.modules import ModulesIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration, patch_asgi_app, patch_request_response

from app.core.config import Settings
from app.core.sentry.filters import FILTERS, INVALID_REQUEST, Filter, IsExpected, expected_failure, is_news
from app.core.sentry.hooks import (
    before_breadcrumb,
    before_send_transaction,
    make_before_send,
    make_before_send_batched,
)
from app.core.sentry.limiter import Limiter
from app.core.sentry.sampler import make_sampler
from app.core.sentry.transport import make_transport
from app.core.sentry.values import hide_depths

SERVER_NAME = "backend"
HEADERS = ("content-type", "user-agent", "host")


class LightStarletteIntegration(StarletteIntegration):
    """The SDK's integration without its part in middlewares.

    That part matches the request with the routes once more for each middleware, to name the trace after it. It also
    reports answers of 5xx by exception handlers, which ``api.errors`` does.
    """

    @staticmethod
    def setup_once() -> None:
        """Instrument applications and plain routes."""
        patch_asgi_app(root_path_in_path=_RootPathInPath.EITHER)
        patch_request_response()


def build_options(
    settings: Settings, release: str, ignored_paths: Collection[str] = (), expected: Sequence[IsExpected] = ()
) -> dict[str, Any]:
    """Return the arguments of ``sentry_sdk.init``.

    Args:
        settings: With a DSN.
        release: What this build is called.
        ignored_paths: Request paths that are never traced.
        expected: Recognise failures of what the application depends on.
    """
    policy = settings.policy
    dsn = settings.sentry.dsn
    batched = make_before_send_batched(personal_data=settings.sentry.send_default_pii)
    return {
        "dsn": dsn.get_secret_value() if dsn else None,
        "environment": settings.sentry_environment,
        # Always given: without it the SDK runs git by itself.
        "release": release,
        # The real name of the machine is nobody's business.
        "server_name": SERVER_NAME,
        "debug": settings.sentry.debug,
        "in_app_include": ["app"],
        "transport": make_transport(settings.sentry.sensitive_keys),
        "keep_alive": True,
        # With keep_alive the SDK replaces urllib3's own options, this one among them: without it each envelope waits
        # about 40 ms for an acknowledgement (Nagle's algorithm).
        "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        # Spotlight's own path would bypass the transport, and with it the scrubber. Its ordinary DSN does not.
        "spotlight": False,
        # Each request would be counted as a session, also those that are not traced. Errors and traces count per
        # release without it.
        "auto_session_tracking": False,
        # What is sent
        "attach_stacktrace": True,
        "max_breadcrumbs": policy.max_breadcrumbs,
        "enable_logs": policy.logs,
        "before_send": make_before_send(Limiter(), build_filters(settings, expected), policy.error_sample_rate),
        "before_send_transaction": before_send_transaction,
        "before_breadcrumb": before_breadcrumb,
        "before_send_log": batched,
        "before_send_metric": batched,
        # Traces
        "traces_sampler": make_sampler(policy.traces_sample_rate, ignored_paths, policy.traces_by_route)
        if settings.sentry.enable_tracing
        else None,
        "profile_session_sample_rate": policy.profiles_sample_rate,
        "profile_lifecycle": "trace",
        # The default is every host: then third parties learn our trace ids.
        "trace_propagation_targets": [_target(host) for host in settings.sentry.trace_targets],
        # Spans of AI calls would leave the trace as items of another kind, which not every server knows. That is meant
        # for traces that are too large with what was said, which is not in ours.
        "stream_gen_ai_spans": False,
        # Anybody can send trace headers. Where it counts, only those of the own organization are continued.
        "strict_trace_continuation": settings.sentry_environment != "development",
        "org_id": settings.sentry.org_id,
        # Privacy: collect little, then scrub what was collected. Giving data_collection replaces
        # send_default_pii and the SDK's own scrubber.
        "data_collection": build_data_collection(settings),
        "include_local_variables": policy.local_variables,
        # For values that the SDK does not look into; for all others configure.py sees to it.
        "custom_repr": hide_depths,
        # The SDK would wait for the body before the application has decided whether it wants it. What the application
        # reads is kept by CurrentRequest.
        "max_request_body_size": "never",
        # Integrations are named and not discovered, so that nothing starts to report by being installed.
        "integrations": build_integrations(),
        "auto_enabling_integrations": False,
        "disabled_integrations": [ArgvIntegration, ModulesIntegration],
    }


def build_filters(settings: Settings, expected: Sequence[IsExpected] = ()) -> list[Filter]:
    """Return the filters that are on."""
    filters = [*FILTERS, *(expected_failure(is_expected) for is_expected in expected)]
    if settings.sentry.report_validation_errors:
        return [row for row in filters if row.name != INVALID_REQUEST]
    return filters


def build_data_collection(settings: Settings) -> dict[str, Any]:
    """Return what the SDK may collect. Each category is named, because what is left out is collected."""
    policy = settings.policy
    return {
        "user_info": settings.sentry.send_default_pii,
        "cookies": {"mode": "off"},
        "http_headers": {"request": {"mode": "allowlist", "terms": list(HEADERS)}},
        "http_bodies": [],
        "url_query_params": {"mode": "off"},
        "graphql": {"document": False, "variables": False},
        "gen_ai": {"inputs": False, "outputs": False},
        "database_query_data": False,
        "queues": False,
        "stack_frame_variables": policy.local_variables,
        # frames.py adds them, to our own frames.
        "frame_context_lines": 0,
    }


def build_integrations() -> list[Integration]:
    """Return the integrations that every application of this kind needs."""
    # INFO becomes a breadcrumb and a log, ERROR an event. This covers asyncio: it logs what fails in a task and is
    # awaited by nobody. The SDK's own integration would report failures that somebody handles.
    logs = LoggingIntegration(level=logging.INFO, event_level=logging.ERROR, sentry_logs_level=logging.INFO)
    # There is no other way to say no before the event is built.
    assert logs._handler  # noqa: S101, SLF001 it is there for the sake of event_level
    logs._handler.addFilter(is_news)  # noqa: SLF001
    return [
        LightStarletteIntegration(transaction_style="url"),
        FastApiIntegration(transaction_style="url"),
        logs,
        Httpx2Integration(),
    ]


def _target(host: str) -> str:
    """Return a pattern for the addresses of one host; the SDK takes plain text as a part of any address."""
    return rf"^https?://{re.escape(host)}(?:[/?#]|$)"
