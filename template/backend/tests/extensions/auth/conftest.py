"""Fixtures of authentication: nothing comes from the settings of this machine."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.extensions.auth.settings import AuthSettings
from tests.extensions.auth.issuer import AUDIENCE, Issuer, issuing
from tests.support import MakeApp


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of this machine out."""
    for name in (
        "ENVIRONMENT",
        "SENTRY_ENVIRONMENT",
        *(f"AUTH_{field}".upper() for field in AuthSettings.model_fields),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(AuthSettings.model_config, "env_file", None)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as server:
        yield server


@pytest.fixture
def client(make_app: MakeApp, issuer: Issuer) -> Iterator[TestClient]:
    """Return a caller of an application that believes the issuer."""
    app = make_app(
        AUTH_ISSUER=issuer.url, AUTH_AUDIENCE=AUDIENCE, AUTH_ALGORITHMS="RS256,ES256", AUTH_REFETCH_SECONDS="1"
    )
    with TestClient(app, raise_server_exceptions=False) as caller:
        yield caller
