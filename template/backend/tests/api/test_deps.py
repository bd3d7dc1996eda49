"""The guard of the diagnostics routes."""

import pytest
from fastapi.testclient import TestClient

from tests.support import MakeApp

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


def test_a_closed_route_looks_like_one_that_does_not_exist(make_app: MakeApp) -> None:
    app = TestClient(make_app(ENVIRONMENT="production"))

    closed, unknown = app.get("/api/v1/sentry-debug"), app.get("/api/v1/nowhere")

    assert {**closed.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    assert closed.headers["content-type"] == unknown.headers["content-type"]
