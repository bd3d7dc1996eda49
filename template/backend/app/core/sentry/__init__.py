"""Sentry: the only package that imports the SDK. Everything else uses the verbs below.

Each works, and does nothing, when Sentry is off.
"""

from sentry_sdk.tracing import Span

from app.core.sentry.api import (
    Priority,
    add_breadcrumb,
    capture_exception,
    capture_message,
    capture_unhandled,
    check_in,
    continue_transaction,
    current_trace_id,
    flush,
    is_on,
    isolated_work,
    record_auth_error,
    set_context,
    set_tag,
    set_user_context,
    start_span,
    start_transaction,
    trace_headers,
)
from app.core.sentry.configure import configure_sentry
from app.core.sentry.release import find_release
from app.core.sentry.requests import begin_request, hide_content, path_of, route_of
from app.core.sentry.statements import statement_shape

__all__ = [
    "Priority",
    "Span",
    "add_breadcrumb",
    "begin_request",
    "capture_exception",
    "capture_message",
    "capture_unhandled",
    "check_in",
    "configure_sentry",
    "continue_transaction",
    "current_trace_id",
    "find_release",
    "flush",
    "hide_content",
    "is_on",
    "isolated_work",
    "path_of",
    "record_auth_error",
    "route_of",
    "set_context",
    "set_tag",
    "set_user_context",
    "start_span",
    "start_transaction",
    "statement_shape",
    "trace_headers",
]
