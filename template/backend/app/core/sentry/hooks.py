"""The hooks that the SDK calls: they let the filters and the limiter drop things, and tag what is left.

Nothing is redacted here but the values in SQL statements. Every item, of whatever kind, is scrubbed at one place
further on: ``transport``.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from random import random
from typing import Any

from fastapi.exceptions import RequestValidationError
from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint

from app.core.sentry.api import PRIORITY_OF_LEVEL
from app.core.sentry.delivery import DroppedBy, delivery
from app.core.sentry.filters import FILTERS, Filter, exception_of, matching_filter
from app.core.sentry.frames import complete_frames, place_of
from app.core.sentry.limiter import Limiter
from app.core.sentry.requests import current_request, is_private, remember_report
from app.core.sentry.statements import statement_shape
from app.core.sentry.values import mask_known

_PARAMETER = "sentry.message.parameter."
# https://develop.sentry.dev/sdk/telemetry/traces/span-operations/
_DATABASE_SPAN = "db"
_STATEMENT_BREADCRUMB = "query"
# It logs what failed in a task that nobody awaits, but not in the context of that task, in which it would be known
# whether local variables may leave.
_LOOP_LOGGER = "asyncio"

EventHook = Callable[[Event, Hint], Event | None]
Batched = dict[str, Any]
BreadcrumbHook = Callable[[Breadcrumb, BreadcrumbHint], Breadcrumb | None]


def make_before_send(limiter: Limiter, filters: Sequence[Filter] = FILTERS, rate: float = 1.0) -> EventHook:
    """Return ``before_send``, which sees events and check-ins. If it fails, the SDK drops what it was given.

    Args:
        limiter: Drops the excess.
        filters: Drop noise.
        rate: Share of what is left that is sent, 0 to 1. The SDK would draw lots after this hook, when the id of the
            event is known already to who asked for it.
    """

    def before_send(event: Event, hint: Hint) -> Event | None:
        if event.get("type") == "check_in":
            return event
        try:
            return examine(event, hint)
        except Exception:
            delivery.count_dropped("filter", "failed")
            raise

    def examine(event: Event, hint: Hint) -> Event | None:
        noise = matching_filter("event", event, hint, filters)
        if noise and not noise.counted:
            return None
        dropped = _reason_to_drop(event, hint, noise, limiter, rate)
        if dropped:
            delivery.count_dropped(*dropped)
        else:
            complete(event, hint)
        error = exception_of(hint)
        if error is not None:
            remember_report(error, None if dropped else event.get("event_id"))
        request = current_request()
        if request:
            request.reported = True
        return None if dropped else event

    return before_send


def _reason_to_drop(
    event: Event, hint: Hint, noise: Filter | None, limiter: Limiter, rate: float
) -> tuple[DroppedBy, str] | None:
    if noise:
        return "filter", noise.name
    if not limiter.allows(place_of(event, hint)):
        return "limiter", "excess"
    return ("sampler", "error") if random() >= rate else None  # noqa: S311 no secret depends on it


def complete(event: Event, hint: Hint) -> None:
    """Add source, body, tags and priority to an event, and leave out what stands in another place by its name."""
    if event.get("logentry"):
        event["logentry"] = _named_part(event["logentry"])
    request = current_request()
    # What does not validate is the caller's, and the error says what is wrong with it.
    body = request.body if request and not isinstance(exception_of(hint), RequestValidationError) else None
    if body is not None:
        event["request"] = {**(event.get("request") or {}), "data": body}
    complete_frames(event, with_variables=not is_private() and event.get("logger") != _LOOP_LOGGER)
    priority = PRIORITY_OF_LEVEL.get(event.get("level") or "error", "high")
    event["tags"] = {"priority": priority, **_request_tags(), **dict(event.get("tags") or {})}


def before_send_transaction(transaction: Event, hint: Hint) -> Event | None:
    """Drop noise, and tag what is left. If it fails, the SDK drops the transaction."""
    noise = matching_filter("transaction", transaction, hint)
    if noise:
        delivery.count_dropped("filter", noise.name)
        return None
    transaction["tags"] = {**_request_tags(), **(transaction.get("tags") or {})}
    spans: Any = transaction.get("spans") or []
    # The SDK marks a list that it has cut.
    for span in getattr(spans, "value", spans):
        if span.get("op") == _DATABASE_SPAN:
            _hide_values(span)
    return transaction


def _hide_values(span: dict[str, Any]) -> None:
    """Leave what was done in the span of a statement, and neither values nor where the file of a database lies."""
    span["description"] = statement_shape(span.get("description") or "")
    data = span.get("data") or {}
    if "db.name" in data:
        data["db.name"] = re.split(r"[/\\]", str(data["db.name"]))[-1]


def closing(hook: BreadcrumbHook) -> BreadcrumbHook:
    """Make a breadcrumb hook fail closed: the SDK would keep the breadcrumb as it was."""

    @functools.wraps(hook)
    def closed(crumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
        try:
            return hook(crumb, hint)
        except Exception:  # noqa: BLE001 whatever went wrong, nothing unexamined leaves
            return None

    return closed


@closing
def before_breadcrumb(crumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
    """Drop noise, the values of named parameters, and those in statements."""
    if matching_filter("breadcrumb", crumb, hint):
        return None
    if crumb.get("category") == _STATEMENT_BREADCRUMB:
        crumb["message"] = statement_shape(crumb.get("message") or "")
    record = hint.get("log_record")
    if record is not None and _takes_names(str(record.msg), record.args):
        crumb["message"] = str(record.msg)
    return crumb


def make_before_send_batched(*, personal_data: bool) -> Callable[[Batched, Hint], Batched]:
    """Return the hook for logs and metrics, which are sent together with those of other requests.

    Args:
        personal_data: Whether the caller's address may leave.
    """

    def before_send_batched(item: Batched, _hint: Hint) -> Batched:
        """Mask what this request brought along under a sensitive name. If it fails, the item is dropped."""
        if "body" in item:
            name_parameters(item)
        request = current_request()
        return mask_known(item, request.known_values(personal_data=personal_data)) if request else item

    return before_send_batched


def name_parameters(log: Batched) -> None:
    """Take the values of named parameters out of the text of a log, and keep them by name."""
    attributes = log["attributes"]
    template = str(attributes.get("sentry.message.template", ""))
    named = {key.removeprefix(_PARAMETER): key for key in attributes if key.startswith(_PARAMETER)}
    if _takes_names(template, named):
        log["body"] = template
        for name, key in named.items():
            attributes.setdefault(name, attributes.pop(key))


def _named_part(logentry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says by itself what it is: parameters do when they have names, else the text around them does."""
    named = _takes_names(str(logentry.get("message")), logentry.get("params"))
    return {part: value for part, value in logentry.items() if part != ("formatted" if named else "params")}


def _takes_names(template: str, parameters: object) -> bool:
    """Say whether parameters stand in a text without their names, as in ``"%(password)s"`` or ``"{password}"``."""
    names = parameters if isinstance(parameters, Mapping) else ()
    return any(f"%({name})" in template or f"{{{name}" in template for name in names)


def _request_tags() -> dict[str, str]:
    request = current_request()
    return request.tags if request else {}
