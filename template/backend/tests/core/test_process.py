"""How every process begins."""

import logging

import pytest
import sentry_sdk
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.config import BaseAppSettings
from app.core.extension import Extension
from app.core.process import start_process
from tests.support import DSN, LoadSettings


class StoreSettings(BaseAppSettings):
    """Settings of an extension."""

    model_config = SettingsConfigDict(env_prefix="STORE_", env_file=None)

    count: int = 1
    key: SecretStr | None = None


def test_a_process_starts_with_sentry_and_the_integrations_of_its_extensions(
    load: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(SENTRY_DSN=DSN, SENTRY_RELEASE="my-app@1.2.3+abc", SENTRY_PROFILES_SAMPLE_RATE="0")
    monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])

    settings, release = start_process([Extension("store", sentry_integrations=("threading.ThreadingIntegration",))])

    assert (settings.app.environment, release) == ("development", "my-app@1.2.3+abc")
    options = sentry_sdk.get_client().options
    assert options["release"] == "my-app@1.2.3+abc"
    assert "threading" in {integration.identifier for integration in options["integrations"]}


def test_bad_values_of_extensions_stop_the_process_with_a_line_each(
    load: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load()
    monkeypatch.setenv("STORE_COUNT", "many")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(SystemExit) as stop:
        start_process([Extension("store", settings=StoreSettings)])

    names = [line.partition(":")[0] for line in str(stop.value).splitlines()]
    assert names == ["STORE_COUNT", "LOG_LEVEL"]
