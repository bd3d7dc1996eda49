"""What business code says to Sentry."""

import logging
from collections.abc import Mapping
from typing import Any, Literal

import sentry_sdk
from sentry_sdk.tracing import Span
from sentry_sdk.utils import event_from_exception

from app.core.sentry.requests import event_id_of

Level = Literal["fatal", "critical", "error", "warning", "info", "debug"]
Priority = Literal["critical", "high", "medium", "low"]

LEVEL_OF_PRIORITY: Mapping[Priority, Level] = {"critical": "fatal", "high": "error", "medium": "warning", "low": "info"}
PRIORITY_OF_LEVEL: Mapping[str, Priority] = {
    "fatal": "critical",
    "critical": "critical",
    "error": "high",
    "warning": "medium",
    "info": "low",
    "debug": "low",
}

FLUSH_SECONDS = 2.0

logger = logging.getLogger(__name__)


def is_on() -> bool:
    """Say whether events are sent."""
    return sentry_sdk.get_client().is_active()


def capture_exception(
    error: BaseException,
    /,
    *,
    tags: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    priority: Priority | None = None,
    **context: Any,
) -> str | None:
    """Report an exception that was handled.

    Args:
        error: The exception.
        priority: How bad it is: decides the level, and is a tag of every event. Otherwise ``high``.
        tags: Short values to search by.
        extra: Values to read.
        user: Who was affected, as for ``set_user_context``.
        context: More values to read.

    Returns:
        The event's id; that of the earlier event when this exception was reported before; ``None`` when
        nothing was sent.
    """
    with sentry_sdk.new_scope() as scope:
        _annotate(scope, tags=tags, extra=extra, user=user, priority=priority)
        _annotate(scope, extra=context)
        return _capture(error, {"type": "generic", "handled": True})


def capture_unhandled(error: BaseException) -> str | None:
    """Report an exception that nothing handled: Sentry counts it as a crash of the request.

    Returns:
        The event's id, as ``capture_exception``; ``None`` when the SDK fails.
    """
    return _capture(error, {"type": "fastapi", "handled": False})


def capture_message(
    text: str,
    /,
    level: Level = "info",
    *,
    tags: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    priority: Priority | None = None,
    **context: Any,
) -> str | None:
    """Report something that is no exception; the arguments are as for ``capture_exception``.

    Args:
        text: What happened. Texts that differ make different issues: put what differs into ``tags`` or ``extra``.
        level: How bad it is, unless ``priority`` says so.
        tags: Short values to search by.
        extra: Values to read.
        user: Who was affected.
        priority: How bad it is.
        context: More values to read.

    Returns:
        The event's id, or ``None`` when nothing was sent.
    """
    with sentry_sdk.new_scope() as scope:
        _annotate(scope, tags=tags, extra=extra, user=user, priority=priority)
        _annotate(scope, extra=context)
        return sentry_sdk.capture_message(text, level)


def set_user_context(
    user_id: str | int | None = None,
    email: str | None = None,
    name: str | None = None,
    **more: Any,
) -> None:
    """Say on whose behalf this request runs. Without arguments: on nobody's.

    Only the id leaves, unless ``SENTRY_SEND_DEFAULT_PII`` is true.
    """
    user = _user({"id": user_id, "email": email, "username": name, **more})
    sentry_sdk.get_isolation_scope().set_user(user or None)


def set_tag(key: str, value: str | float | bool) -> None:  # noqa: FBT001 a tag's value may be a bool
    """Add a short value to search by to what this request reports."""
    sentry_sdk.get_isolation_scope().set_tag(key, value)


def set_context(name: str, values: Mapping[str, Any]) -> None:
    """Add a named group of values to read to what this request reports."""
    sentry_sdk.get_isolation_scope().set_context(name, dict(values))


def add_breadcrumb(
    message: str, category: str = "app", level: Level = "info", data: Mapping[str, Any] | None = None
) -> None:
    """Note what happened; the last notes are sent with the next event of this request."""
    sentry_sdk.add_breadcrumb(message=message, category=category, level=level, data=dict(data or {}))


def record_auth_error(reason: str) -> None:
    """Make a failed authentication visible: a metric counts it, a tag finds its request. Never the credential.

    Args:
        reason: One of a few fixed words, such as ``expired``; never anything that the caller sent.
    """
    set_tag("auth_error", reason)
    add_breadcrumb("Authentication failed", category="auth", level="warning", data={"reason": reason})
    sentry_sdk.metrics.count("auth_error", 1, attributes={"reason": reason})


def start_transaction(name: str, op: str = "task") -> Span:
    """Trace a piece of work that is no request. Use it with ``with``; it ends with the block."""
    return sentry_sdk.start_transaction(name=name, op=op)


def start_span(op: str, description: str | None = None) -> Span:
    """Trace a part of the present work. Use it with ``with``; it ends with the block."""
    return sentry_sdk.start_span(op=op, name=description)


def current_trace_id() -> str | None:
    """Return the id of the present trace, 32 hexadecimal digits, or ``None`` when Sentry is off."""
    if not is_on():
        return None
    trace_id: str = sentry_sdk.get_current_scope().get_trace_context()["trace_id"]
    return trace_id


def flush() -> None:
    """Wait until what was captured has been sent, at most ``FLUSH_SECONDS``."""
    sentry_sdk.flush(FLUSH_SECONDS)


def _capture(error: BaseException, mechanism: dict[str, Any]) -> str | None:
    if not is_on():
        return None
    try:
        event, hint = event_from_exception(error, client_options=sentry_sdk.get_client().options, mechanism=mechanism)
        return sentry_sdk.capture_event(event, hint=hint) or event_id_of(error)
    except Exception as failure:  # noqa: BLE001 a report must not make matters worse, whatever the SDK stumbles over
        logger.warning("An error could not be reported: %s", type(failure).__name__)
        return None


def _annotate(
    scope: sentry_sdk.Scope,
    *,
    tags: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    priority: Priority | None = None,
) -> None:
    try:
        for key, value in dict(tags or {}).items():
            scope.set_tag(key, value)
        for key, value in dict(extra or {}).items():
            scope.set_extra(key, value)
        if user:
            scope.set_user(_user(user))
        if priority:
            scope.set_level(LEVEL_OF_PRIORITY[priority])
    except Exception as failure:  # noqa: BLE001 the report matters more than what is said about it
        logger.warning("A report lacks what was said about it: %s", type(failure).__name__)


def _user(values: Mapping[str, Any]) -> dict[str, Any]:
    data_collection = sentry_sdk.get_client().options.get("data_collection") or {}
    personal = bool(data_collection.get("user_info"))
    return {key: value for key, value in values.items() if value is not None and (personal or key == "id")}
