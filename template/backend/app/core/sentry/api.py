"""What business code says to Sentry."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import sentry_sdk
from sentry_sdk.crons import capture_checkin
from sentry_sdk.tracing import Span
from sentry_sdk.utils import event_from_exception

from app.core.sentry.errors import errors
from app.core.sentry.requests import event_id_of, separate_work

if TYPE_CHECKING:
    from sentry_sdk.types import MonitorConfig

Level = Literal["fatal", "critical", "error", "warning", "info", "debug"]
Priority = Literal["critical", "high", "medium", "low"]
CheckInStatus = Literal["in_progress", "ok", "error"]

LEVEL_OF_PRIORITY: Mapping[Priority, Level] = {"critical": "fatal", "high": "error", "medium": "warning", "low": "info"}
PRIORITY_OF_LEVEL: Mapping[str, Priority] = {
    "fatal": "critical",
    "critical": "critical",
    "error": "high",
    "warning": "medium",
    "info": "low",
    "debug": "low",
}

ERROR_LEVELS = frozenset({"fatal", "critical", "error"})
ERROR_PRIORITIES = frozenset({"critical", "high"})

FLUSH_SECONDS = 2.0

CHECK_IN_MARGIN_MINUTES = 5
"""How late scheduled work may begin before Sentry calls it missed, in minutes."""

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


def capture_unhandled(error: BaseException, mechanism: str = "fastapi") -> str | None:
    """Report an exception that nothing handled: Sentry counts it as a crash of the request or job.

    Args:
        error: The exception.
        mechanism: What ran the code that failed.

    Returns:
        The event's id, as ``capture_exception``; ``None`` when the SDK fails.
    """
    return _capture(error, {"type": mechanism, "handled": False})


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
    if str(priority) in ERROR_PRIORITIES if priority else str(level) in ERROR_LEVELS:
        errors.count_message()
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


@contextmanager
def continue_transaction(name: str, op: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Trace a piece of work that a request or another process asked for, as a part of that one's trace.

    Tags and breadcrumbs of the block stay with it.

    Args:
        name: What is done, without values: one of few names.
        op: Its kind, such as ``task.run``.
        headers: What ``trace_headers`` returned there. Without them a new trace begins.
    """
    with sentry_sdk.isolation_scope(), separate_work():
        transaction = sentry_sdk.continue_trace(dict(headers), op=op, name=name, source="task")
        with sentry_sdk.start_transaction(transaction) as span:
            yield span


def trace_headers() -> dict[str, str]:
    """Return what tells own other processes which trace they work for; nothing when Sentry is off."""
    if not is_on():
        return {}
    headers = {"sentry-trace": sentry_sdk.get_traceparent(), "baggage": sentry_sdk.get_baggage()}
    return {name: value for name, value in headers.items() if value}


def check_in(
    monitor: str,
    status: CheckInStatus,
    *,
    check_in_id: str | None = None,
    crontab: str | None = None,
    longest_minutes: int | None = None,
) -> str | None:
    """Tell Sentry that scheduled work began or ended. Who does not check in in time was missed, and Sentry says so.

    https://docs.sentry.io/platforms/python/crons/

    Args:
        monitor: The name of the work: small letters, digits and hyphens.
        status: ``in_progress`` at the start, later ``ok`` or ``error``.
        check_in_id: What the call at the start returned.
        crontab: When the work is due, in UTC. Sentry creates the monitor, or follows the change.
        longest_minutes: How long it may take, in minutes.

    Returns:
        The id of the check-in, or ``None`` when nothing was sent.
    """
    config: dict[str, Any] | None = None
    if crontab:
        config = {
            "schedule": {"type": "crontab", "value": crontab},
            "timezone": "UTC",
            "checkin_margin": CHECK_IN_MARGIN_MINUTES,
            "max_runtime": longest_minutes,
        }
    if not is_on():
        return None
    return capture_checkin(monitor, check_in_id, status, monitor_config=cast("MonitorConfig", config))


@contextmanager
def isolated_work(name: str, op: str) -> Iterator[Span]:
    """Trace a piece of work that is no request, with tags, user and notes of its own besides those from outside.

    Use it with ``with`` for one of many things that happen in one task, such as the messages of a connection: each is a
    transaction and a trace of its own, and what one says about itself is not said about the next.
    """
    with sentry_sdk.isolation_scope(), start_transaction(name, op) as transaction:
        yield transaction


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
    errors.count(error, handled=bool(mechanism["handled"]))
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
