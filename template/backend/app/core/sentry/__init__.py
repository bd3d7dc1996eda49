"""Sentry: the only package that imports the SDK. Everything else uses the verbs below.

Each works, and does nothing, when Sentry is off.
"""

from app.core.sentry.api import (
    Priority,
    add_breadcrumb,
    capture_exception,
    capture_message,
    capture_unhandled,
    current_trace_id,
    flush,
    is_on,
    record_auth_error,
    set_context,
    set_tag,
    set_user_context,
    start_span,
    start_transaction,
)
from app.core.sentry.configure import configure_sentry
from app.core.sentry.release import find_release
from app.core.sentry.requests import begin_request, path_of

__all__ = [
    "Priority",
    "add_breadcrumb",
    "begin_request",
    "capture_exception",
    "capture_message",
    "capture_unhandled",
    "configure_sentry",
    "current_trace_id",
    "find_release",
    "flush",
    "is_on",
    "path_of",
    "record_auth_error",
    "set_context",
    "set_tag",
    "set_user_context",
    "start_span",
    "start_transaction",
]
