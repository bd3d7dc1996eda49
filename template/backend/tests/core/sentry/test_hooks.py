"""The hooks: what they drop, and that they fail closed."""

import logging
from typing import Any

import pytest
import sentry_sdk
from fastapi.testclient import TestClient

from app.core.sentry import add_breadcrumb, capture_exception, capture_message, hooks
from app.core.sentry.hooks import closing, place_of
from app.core.sentry.limiter import BURST
from tests.support import StartSentry

logger = logging.getLogger(__name__)


def fail(*_: object) -> None:
    raise ValueError("a hook is broken")


def test_an_error_in_a_loop_is_sent_a_few_times(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        try:
            raise ValueError(f"round {number}")
        except ValueError as error:
            capture_exception(error)

    assert len(sent.events) == BURST
    assert sent.lost.count(("before_send", "error")) == 5


def test_a_message_or_a_log_in_a_loop_is_sent_a_few_times(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        capture_message(f"round {number}")
        logger.error("round %s", number)

    assert len(sent.events) == 2 * BURST


def test_places_differ_by_line_and_kind() -> None:
    frames = {"frames": [{"in_app": True, "module": "m", "function": "f", "lineno": 1}, {"lineno": 9}]}
    error: Any = {"exception": {"values": [{"type": "ValueError", "stacktrace": frames}]}}
    message: Any = {"threads": {"values": [{"stacktrace": frames}]}, "level": "info"}

    assert place_of(error, {}) == ("ValueError", None, "m", "f", 1)
    assert place_of(message, {}) == (None, "info", "m", "f", 1)
    assert place_of({}, {}) == (None, None, None, None, None)


def test_a_check_in_is_never_limited(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for _ in range(BURST + 1):
        sentry_sdk.crons.capture_checkin(monitor_slug="nightly", status="ok")

    assert len(sent.items("check_in")) == BURST + 1


def test_a_transaction_without_a_route_is_dropped(start_sentry: StartSentry, client: TestClient) -> None:
    sent = start_sentry()

    client.get("/wp-admin/setup.php")
    client.get("/api/v1/sentry-debug")

    assert [transaction["transaction"] for transaction in sent.transactions] == ["/api/v1/sentry-debug"]


def test_access_logs_are_neither_breadcrumbs_nor_logs(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    logging.getLogger("uvicorn.access").warning('192.0.2.1:5 - "GET /x?y=z HTTP/1.1" 200')
    logging.getLogger("app").warning("kept")
    capture_message("look at the breadcrumbs")

    [event] = sent.events
    assert [crumb["category"] for crumb in event["breadcrumbs"]["values"]][-1:] == ["app"]
    assert [log["body"] for log in sent.logs][-1:] == ["kept"]


def test_a_breadcrumb_is_dropped_when_its_hook_fails(start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"before_breadcrumb": closing(fail)})

    add_breadcrumb("never examined")
    capture_message("look at the breadcrumbs")

    [event] = sent.events
    assert not event["breadcrumbs"]["values"]


def test_an_event_and_a_transaction_are_dropped_when_a_filter_fails(
    start_sentry: StartSentry, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = start_sentry()
    monkeypatch.setattr(hooks, "matching_filter", fail)

    client.get("/api/v1/sentry-test")

    assert sent.events == []
    assert sent.transactions == []
    assert ("callback_error", "error") in sent.lost


def test_what_the_limiter_dropped_is_logged(
    start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reports: list[Any] = [0, 7]
    monkeypatch.setattr("app.core.sentry.limiter.Limiter.take_report", lambda _: reports.pop(0))
    start_sentry()

    capture_message("before")
    capture_message("after a minute")

    assert caplog.messages.count("The limiter dropped 7 events") == 1
