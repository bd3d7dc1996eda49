"""The diagnostics routes."""

import pytest
from fastapi.testclient import TestClient

from tests.support import DSN, RELEASE, MakeApp, StartSentry, values

DEBUG, TEST = "/api/v1/sentry-debug", "/api/v1/sentry-test"


def test_the_configuration_is_shown_without_the_dsn(make_app: MakeApp, start_sentry: StartSentry) -> None:
    start_sentry(ENVIRONMENT="staging")

    response = TestClient(make_app()).get(DEBUG)

    assert response.json() == {
        "sentry_configured": True,
        "environment": "staging",
        "dsn_set": True,
        "message": "Sentry is on: errors of this API are sent.",
        "release": RELEASE,
        "traces_sample_rate": 0.5,
        "profiles_sample_rate": 0.0,
        "local_variables": True,
        "request_bodies": True,
        "send_default_pii": False,
        "diagnostics": "open",
    }
    assert DSN not in response.text
    assert "public" not in response.text


def test_the_configuration_says_that_sentry_is_off(client: TestClient) -> None:
    shown = client.get(DEBUG).json()

    assert (shown["sentry_configured"], shown["dsn_set"]) == (False, False)
    assert shown["message"] == "Sentry is off: SENTRY_DSN is empty."


def test_a_message_and_an_exception_are_sent(client: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    answer = client.get(TEST).json()

    message, error = sent.events
    assert answer == {
        "status": "success",
        "message": "A test message and an exception were sent to Sentry.",
        "sentry_configured": True,
        "event_ids": [message["event_id"], error["event_id"]],
    }
    assert message["message"] == "Diagnostics: a test message"
    assert values(error)[-1]["type"] == "ZeroDivisionError"
    assert values(error)[-1]["stacktrace"]["frames"][-1]["function"] == "_divide"
    assert error["breadcrumbs"]["values"][0]["message"] == "Diagnostics: about to divide by zero"
    assert error["request"]["method"] == "GET"


def test_nothing_is_sent_when_sentry_is_off(client: TestClient) -> None:
    assert client.get(TEST).json() == {
        "status": "off",
        "message": "Sentry is off: SENTRY_DSN is empty, so nothing was sent.",
        "sentry_configured": False,
        "event_ids": [],
    }


@pytest.mark.parametrize(("path", "error"), [("/error", "RuntimeError"), ("/division", "ZeroDivisionError")])
def test_breaking_on_purpose_is_a_crash(path: str, error: str, client: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    response = client.get(TEST + path)

    [event] = sent.events
    assert response.status_code == 500
    assert response.json()["event_id"] == event["event_id"]
    assert values(event)[-1]["type"] == error
    assert event["environment"] == "development"
    assert event["release"] == RELEASE


def test_a_slow_request_is_a_trace_with_a_span(client: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    answer = client.get(f"{TEST}/slow?seconds=0.01").json()

    [transaction] = sent.transactions
    assert answer == {
        "status": "success",
        "seconds": 0.01,
        "trace_id": transaction["contexts"]["trace"]["trace_id"],
    }
    assert transaction["transaction"] == f"{TEST}/slow"
    assert [(span["op"], span["description"]) for span in transaction["spans"]] == [
        ("diagnostics.wait", "Wait on purpose")
    ]


@pytest.mark.parametrize("seconds", ["-1", "6", "long"])
def test_a_slow_request_has_limits(seconds: str, client: TestClient) -> None:
    response = client.get(f"{TEST}/slow?seconds={seconds}")

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "query.seconds"
