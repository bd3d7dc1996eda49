"""The diagnostics routes and the guard before them."""

import secrets

import pytest
from fastapi.testclient import TestClient

from tests.support import DSN, RELEASE, MakeApp, StartSentry, values

DEBUG, TEST = "/api/v1/sentry-debug", "/api/v1/sentry-test"


def test_the_configuration_is_shown_without_the_dsn(make_app: MakeApp, start_sentry: StartSentry) -> None:
    start_sentry(ENVIRONMENT="staging")
    variables = {"VITE_SENTRY_DSN": DSN, "SENTRY_SENSITIVE_KEYS": "loyalty_card, shoe_size"}

    response = TestClient(make_app(**variables)).get(DEBUG)

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
        "logs": True,
        "max_breadcrumbs": 100,
        "sensitive_keys": 2,
        "tunnel": True,
        "diagnostics": "open",
    }
    assert DSN not in response.text
    assert "loyalty_card" not in response.text
    assert "public" not in response.text


def test_the_configuration_says_that_sentry_is_off(client: TestClient) -> None:
    shown = client.get(DEBUG).json()

    assert (shown["sentry_configured"], shown["dsn_set"], shown["tunnel"]) == (False, False, False)
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


TOKEN = "correct-horse-battery"
ROUTES = ["/sentry-debug", "/sentry-test", "/sentry-test/error", "/sentry-test/division", "/sentry-test/slow"]


def ask(make_app: MakeApp, path: str, authorization: str | None = None, **variables: str) -> int:
    app = TestClient(make_app(**variables), raise_server_exceptions=False)
    headers = {b"Authorization": authorization.encode("latin-1")} if authorization is not None else {}
    return app.get(f"/api/v1{path}", headers=headers).status_code


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("environment", ["development", "staging"])
def test_diagnostics_are_open_outside_production(path: str, environment: str, make_app: MakeApp) -> None:
    path = f"{path}?seconds=0"

    assert ask(make_app, path, ENVIRONMENT=environment) != 404


@pytest.mark.parametrize("path", ROUTES)
def test_diagnostics_do_not_exist_in_production(path: str, make_app: MakeApp) -> None:
    assert ask(make_app, path, ENVIRONMENT="production") == 404
    assert ask(make_app, path, "Bearer ", ENVIRONMENT="production") == 404
    assert ask(make_app, path, "Bearer None", ENVIRONMENT="production") == 404


def test_in_production_the_right_bearer_token_opens_them(make_app: MakeApp) -> None:
    production = {"ENVIRONMENT": "production", "SENTRY_DIAGNOSTICS_TOKEN": TOKEN}

    assert ask(make_app, "/sentry-debug", f"Bearer {TOKEN}", **production) == 200
    assert ask(make_app, "/sentry-debug", f"bearer {TOKEN}", **production) == 200


@pytest.mark.parametrize(
    "authorization", [None, TOKEN, f"Basic {TOKEN}", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_in_production_anything_else_finds_nothing(authorization: str | None, make_app: MakeApp) -> None:
    production = {"ENVIRONMENT": "production", "SENTRY_DIAGNOSTICS_TOKEN": TOKEN}

    assert ask(make_app, "/sentry-debug", authorization, **production) == 404


def test_a_wrong_token_is_compared_in_constant_time_and_counted(
    make_app: MakeApp, start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = secrets.compare_digest

    def spy(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return compare(left, right)

    monkeypatch.setattr(secrets, "compare_digest", spy)
    sent = start_sentry(ENVIRONMENT="production", SENTRY_DIAGNOSTICS_TOKEN=TOKEN)

    assert ask(make_app, "/sentry-debug", "Bearer wrong") == 404

    assert compared == [(b"wrong", TOKEN.encode())]
    [batch] = sent.items("trace_metric")
    assert batch["items"][0]["attributes"]["reason"]["value"] == "diagnostics_token"


def test_a_closed_route_looks_like_one_that_does_not_exist(make_app: MakeApp) -> None:
    app = TestClient(make_app(ENVIRONMENT="production"))

    closed, unknown = app.get("/api/v1/sentry-debug"), app.get("/api/v1/nowhere")

    assert {**closed.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    assert closed.headers["content-type"] == unknown.headers["content-type"]
