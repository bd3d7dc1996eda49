"""Health checks."""

import pytest
from fastapi.testclient import TestClient

from app.api.routes import health
from app.core.extension import Extension
from tests.support import RELEASE, StartSentry


async def answer() -> None:
    """Be ready."""


async def fail() -> None:
    raise ConnectionError("no database")


def test_health_says_which_build_answers(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "environment": "development", "release": RELEASE}


def test_live(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


def test_without_extensions_the_application_is_ready(client: TestClient) -> None:
    assert client.get("/health/ready").json() == {"status": "ready", "checks": {}}


def test_an_extension_that_fails_makes_it_not_ready_and_no_event(
    client: TestClient, start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = start_sentry()
    extensions = (Extension("cache", readiness=answer), Extension("database", readiness=fail), Extension("plain"))
    monkeypatch.setattr(health, "EXTENSIONS", extensions)

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "checks": {"cache": "ok", "database": "failed"}}
    assert sent.events == []


@pytest.mark.parametrize("path", health.PATHS)
def test_health_checks_are_never_traced(path: str, client: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    client.get(path, headers={"sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"})

    assert sent.transactions == []
