"""Fixtures. No test reaches the network or reads the settings of this machine."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from sentry_sdk.scope import Scope

PREFIXES = ("SENTRY_", "VITE_SENTRY_", "ENVIRONMENT", "LOG_LEVEL", "DATA_FOLDER")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
for variable in [name for name in os.environ if name.startswith(PREFIXES) or name.upper() in PROXIES]:
    del os.environ[variable]
# Importing app.main starts the application: with Sentry off, whatever a .env file says.
os.environ["SENTRY_DSN"] = os.environ["VITE_SENTRY_DSN"] = ""
# Nor do the tests touch the data of this machine; the folder goes with this process.
_data_folder = tempfile.TemporaryDirectory(prefix="tests-")
os.environ["DATA_FOLDER"] = _data_folder.name

from app.extensions import EXTENSIONS  # noqa: E402

for kind in [extension.settings for extension in EXTENSIONS if extension.settings]:
    kind.model_config["env_file"] = None
    prefix = kind.model_config["env_prefix"]
    for variable in [name for name in os.environ if prefix and name.upper().startswith(prefix)]:
        del os.environ[variable]

from app.core.config import AppSettings, SentrySettings, Settings, TunnelSettings, load_settings  # noqa: E402
from app.core.sentry import configure_sentry  # noqa: E402
from app.core.sentry.delivery import delivery  # noqa: E402
from app.core.sentry.errors import errors  # noqa: E402
from app.main import IGNORED_PATHS, create_app  # noqa: E402
from tests.support import (  # noqa: E402
    DSN,
    RELEASE,
    LoadSettings,
    MakeApp,
    RecordingTransport,
    Sent,
    StartSentry,
)

# The same examples on every machine, however slow it is.
settings.register_profile(
    "project", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def clean_scopes() -> Iterator[None]:
    """Leave no client, user, tag, breadcrumb or count to the next test."""
    yield
    sentry_sdk.get_client().close()
    delivery.reset()
    errors.reset()
    errors.leave_out(())
    sentry_sdk.get_global_scope().set_client(None)
    for scope in (Scope.get_global_scope(), Scope.get_isolation_scope(), Scope.get_current_scope()):
        scope.clear()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> LoadSettings:
    """Return a function that loads the settings from the given variables alone."""
    for kind in (AppSettings, SentrySettings, TunnelSettings):
        monkeypatch.setitem(kind.model_config, "env_file", None)

    def load_from(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load_from


@pytest.fixture
def start_sentry(load: LoadSettings) -> StartSentry:
    """Return a function that starts Sentry with the given variables and returns what is sent."""

    def start(*, options: dict[str, object] | None = None, **variables: str) -> Sent:
        # The profiler's thread has no part in most tests.
        settings = load(**{"SENTRY_DSN": DSN, "SENTRY_PROFILES_SAMPLE_RATE": "0", **variables})
        own_names = {"extra_keys": settings.sentry.sensitive_keys}
        overrides: dict[str, Any] = {
            "transport": type("ProjectRecording", (RecordingTransport,), own_names),
            **(options or {}),
        }
        configure_sentry(settings, RELEASE, ignored_paths=IGNORED_PATHS, **overrides)
        transport = sentry_sdk.get_client().transport
        assert isinstance(transport, RecordingTransport)
        return Sent(transport.recorder)

    return start


@pytest.fixture
def make_app(load: LoadSettings) -> MakeApp:
    """Return a function that builds the application, with routes of the test added."""

    def make(router: APIRouter | None = None, **variables: str) -> FastAPI:
        app = create_app(load(**variables), RELEASE)
        if router:
            app.include_router(router)
        return app

    return make


@pytest.fixture
def client(make_app: MakeApp) -> Iterator[TestClient]:
    """Return a caller of the application as it is in development."""
    with TestClient(make_app(), raise_server_exceptions=False) as caller:
        yield caller
