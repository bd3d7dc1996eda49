"""Settings, the sign-in for development, and what Sentry gets and never gets."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError

from app.core.config import ConfigurationError, load_settings
from app.extensions.auth.deps import CurrentUser
from app.extensions.auth.settings import AuthSettings
from app.extensions.auth.tokens import OWN_ISSUER
from tests.extensions.auth.issuer import AUDIENCE, Issuer, ec_key
from tests.extensions.auth.test_tokens import ask
from tests.support import LoadSettings, MakeApp, StartSentry

BACKEND = Path(__file__).parents[3]
ISSUER = {"AUTH_ISSUER": "https://login.example.com", "AUTH_AUDIENCE": AUDIENCE}
SIGN_IN = "/api/v1/auth/sign-in"
SECRET = "a-secret-of-this-test-and-of-nothing-else"

OPEN = [{"ENVIRONMENT": "development"}, {"ENVIRONMENT": "development", "SENTRY_ENVIRONMENT": "development"}]
CLOSED = [
    {},
    {"ENVIRONMENT": ""},
    {"SENTRY_ENVIRONMENT": "development"},
    {"ENVIRONMENT": "development", **ISSUER},
    {"ENVIRONMENT": "development", "SENTRY_ENVIRONMENT": "production", **ISSUER},
    {"ENVIRONMENT": "staging", **ISSUER},
    {"ENVIRONMENT": "production", **ISSUER},
    {"ENVIRONMENT": "production", "SENTRY_ENVIRONMENT": "development", **ISSUER},
]
REFUSED = [
    {"ENVIRONMENT": "staging"},
    {"ENVIRONMENT": "production"},
    {"ENVIRONMENT": "production", "SENTRY_ENVIRONMENT": "development"},
    {"ENVIRONMENT": "development", "SENTRY_ENVIRONMENT": "production"},
    {"SENTRY_ENVIRONMENT": "staging"},
    {"ENVIRONMENT": "Development"},
    {"ENVIRONMENT": "development "},
    {"ENVIRONMENT": "dev"},
    {"ENVIRONMENT": "production", "AUTH_SECRET": SECRET},
]


def sign_in(client: TestClient, name: str = "Ada") -> str:
    answer = client.post(SIGN_IN, json={"name": name})
    assert answer.status_code == 200
    token: str = answer.json()["access_token"]
    return token


@pytest.mark.parametrize("variables", OPEN)
def test_development_gives_tokens_to_everybody(make_app: MakeApp, variables: dict[str, str]) -> None:
    with TestClient(make_app(**variables)) as client:
        user = ask(client, sign_in(client)).json()
        assert user["name"] == "Ada"
        assert user["id"].startswith("dev-")
        assert "Ada" not in user["id"]
        assert ask(client, sign_in(client)).json() == user
        assert ask(client, sign_in(client, "Grace")).json()["id"] != user["id"]


@pytest.mark.parametrize("variables", CLOSED)
def test_nowhere_else_is_there_such_a_route(make_app: MakeApp, variables: dict[str, str]) -> None:
    with TestClient(make_app(**variables)) as client:
        for method in ("GET", "POST", "PUT", "OPTIONS"):
            for body in (b'{"name": "Ada"}', b"{", b""):
                answer = client.request(method, SIGN_IN, content=body, headers={"content-type": "application/json"})
                assert answer.status_code == 404
                assert answer.json() == {**client.get("/api/v1/nothing").json(), "instance": SIGN_IN}


COMPLAINT = (
    "AUTH_ISSUER: outside development the address of who issues tokens is needed, like https://login.example.com"
)


@pytest.mark.parametrize("variables", REFUSED)
def test_without_an_issuer_there_are_no_settings_but_for_development(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        load_settings([AuthSettings])
    assert [line for line in str(refusal.value).splitlines() if line.startswith("AUTH_")] == [COMPLAINT]
    assert SECRET not in str(refusal.value)


def test_a_process_without_them_says_so_in_one_line_and_ends() -> None:
    environment = {**os.environ, "SENTRY_DSN": "", "ENVIRONMENT": "production"}
    start = [sys.executable, "-c", "import app.main"]
    result = subprocess.run(start, cwd=BACKEND, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, f"{COMPLAINT}\n")


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"AUTH_ISSUER": "login.example.com"}, "the value is not an address like https://login.example.com"),
        ({"AUTH_ISSUER": "https://user:pass@login.example.com"}, "the value is not an address"),
        ({"AUTH_ISSUER": "https://login.example.com?x=1"}, "the value is not an address"),
        ({"AUTH_ISSUER": "https://[::1"}, "the value is not an address"),
        ({"AUTH_ISSUER": "ftp://login.example.com"}, "the value is not an address"),
        ({**ISSUER, "AUTH_ISSUER": "http://login.example.com", "ENVIRONMENT": "staging"}, "has to begin with https://"),
        ({"AUTH_ISSUER": "https://login.example.com"}, "the name of this API in the issuer's tokens is needed"),
        ({**ISSUER, "AUTH_AUDIENCE": "my api"}, "the value is not a name that a token's aud can have"),
        ({**ISSUER, "AUTH_SECRET": SECRET}, "leave one of the two out"),
        ({"AUTH_SECRET": "short"}, "the value is shorter than 32 characters"),
        ({**ISSUER, "AUTH_ALGORITHMS": "HS256"}, "the value is not a list of RS256"),
        ({**ISSUER, "AUTH_ALGORITHMS": "none"}, "the value is not a list of RS256"),
        ({**ISSUER, "AUTH_ALGORITHMS": ","}, "the value is not a list of RS256"),
        ({"AUTH_LEEWAY_SECONDS": "301"}, "301 is not a whole number from 0 to 300"),
        ({"AUTH_REFETCH_SECONDS": "0"}, "0 is not a whole number from 1 to 3600"),
    ],
)
def test_bad_variables_are_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], complaint: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refusal:
        AuthSettings()
    (fault,) = refusal.value.errors()
    assert complaint in str(fault["ctx"]["error"])


def test_without_a_secret_each_process_has_its_own(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with TestClient(make_app(ENVIRONMENT="development")) as one:
        token = sign_in(one)
    assert "AUTH_SECRET is empty" in caplog.text
    with TestClient(make_app(ENVIRONMENT="development"), raise_server_exceptions=False) as two:
        assert ask(two, token).status_code == 401


def test_processes_with_the_same_secret_believe_each_other(make_app: MakeApp) -> None:
    with TestClient(make_app(ENVIRONMENT="development", AUTH_SECRET=SECRET)) as one:
        token = sign_in(one)
    with TestClient(make_app()) as two:
        assert ask(two, token).status_code == 200


def test_tokens_of_development_expire(make_app: MakeApp) -> None:
    app = make_app(ENVIRONMENT="development", AUTH_TOKEN_SECONDS="1", AUTH_LEEWAY_SECONDS="0")
    with TestClient(app) as client:
        token = sign_in(client)
        deadline = time.monotonic() + 20
        while (answer := ask(client, token)).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert answer.json()["detail"] == "The sign-in has expired: sign in again."


def test_a_token_of_development_is_worth_nothing_to_an_issuers_api(
    make_app: MakeApp, client: TestClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client, issuer.token()).status_code == 200
    # The first application has its settings already.
    monkeypatch.delenv("AUTH_ISSUER")
    monkeypatch.delenv("AUTH_AUDIENCE")
    with TestClient(make_app(ENVIRONMENT="development", AUTH_SECRET=SECRET)) as own:
        token = sign_in(own)
        assert ask(own, issuer.token(iss=OWN_ISSUER, aud="development")).status_code == 401
    assert ask(client, token).status_code == 401


def test_an_application_without_good_settings_believes_nobody(make_app: MakeApp) -> None:
    with TestClient(make_app(ENVIRONMENT="production")) as client:
        assert ask(client, "x").status_code == 503
        assert client.get("/api/v1/me").status_code == 401
        assert client.post(SIGN_IN, json={"name": "Ada"}).status_code == 404


def breaking() -> APIRouter:
    router = APIRouter()

    @router.get("/break")
    async def fail(user: CurrentUser) -> None:
        raise LookupError(f"Nothing for {user.id}")

    return router


def test_events_of_a_signed_in_request_name_the_user_by_id_alone(
    make_app: MakeApp, issuer: Issuer, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    app: FastAPI = make_app(breaking(), AUTH_ISSUER=issuer.url, AUTH_AUDIENCE=AUDIENCE)
    token = issuer.token(name="Ada Lovelace", email="ada@example.com")
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get("/break", headers={"Authorization": f"Bearer {token}"})
    (event,) = sent.events
    assert event["user"] == {"id": "user-7"}
    assert "Signed in by token" in json.dumps(event["breadcrumbs"])
    assert b"Lovelace" not in sent.raw
    assert b"ada@example.com" not in sent.raw
    for secret in (token, *token.split(".")):
        assert secret.encode() not in sent.raw


def test_the_next_request_is_nobodys(make_app: MakeApp, issuer: Issuer, start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    router = breaking()

    @router.get("/open")
    async def fail_for_all() -> None:
        raise LookupError("Nothing for anybody")

    app = make_app(router, AUTH_ISSUER=issuer.url, AUTH_AUDIENCE=AUDIENCE)
    with TestClient(app, raise_server_exceptions=False) as client:
        for path, token in (("/break", issuer.token()), ("/open", None), ("/break", issuer.token(sub="user-8"))):
            client.get(path, headers={"Authorization": f"Bearer {token}"} if token else {})
    users = [{"id": "user-7"}, None, {"id": "user-8"}]
    assert [event.get("user") for event in sent.events] == users
    assert [row.get("user") for row in sent.transactions] == users


def test_with_personal_data_the_event_names_the_user(
    make_app: MakeApp, issuer: Issuer, start_sentry: StartSentry
) -> None:
    sent = start_sentry(SENTRY_SEND_DEFAULT_PII="true")
    app = make_app(breaking(), AUTH_ISSUER=issuer.url, AUTH_AUDIENCE=AUDIENCE)
    token = issuer.token(name="Ada Lovelace", email="ada@example.com")
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get("/break", headers={"Authorization": f"Bearer {token}"})
    (event,) = sent.events
    assert (event["user"]["id"], event["user"]["username"]) == ("user-7", "Ada Lovelace")
    assert token.encode() not in sent.raw


def test_a_refused_token_is_counted_by_reason_and_leaves_with_nothing(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry
) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    tokens = [issuer.token(exp=1), issuer.token(key=ec_key("evil")), issuer.token("evil"), "canary-4711-garbage-token"]
    for token in tokens:
        assert ask(client, token).status_code == 401
    assert client.get("/api/v1/me").status_code == 401
    assert sent.events == []
    counted = [metric for batch in sent.wait_for("trace_metric") for metric in batch["items"]]
    reasons = [metric["attributes"]["reason"]["value"] for metric in counted if metric["name"] == "auth_error"]
    assert reasons == ["expired", "signature", "unknown_key", "malformed", "missing"]
    for token in tokens:
        for secret in token.split("."):
            assert secret.encode() not in sent.raw


def test_the_sign_in_of_development_leaves_no_token_either(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1", SENTRY_REQUEST_BODIES="true")
    app = make_app(breaking(), ENVIRONMENT="development")
    with TestClient(app, raise_server_exceptions=False) as client:
        token = sign_in(client, "canary-name-of-somebody")
        client.get("/break", headers={"Authorization": f"Bearer {token}"})
    assert len(sent.events) == 1
    assert b"canary-name" not in sent.raw
    for secret in token.split("."):
        assert secret.encode() not in sent.raw


def test_production_with_an_issuer_starts(load: LoadSettings) -> None:
    load(ENVIRONMENT="production", **ISSUER)
    settings = AuthSettings()
    assert settings.algorithms == ("RS256", "ES256")
    assert not settings.has_stub
