"""Settings of this machine have no part in the tests."""

import os

import pytest

from app.extensions.prometheus.settings import PrometheusSettings


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the settings from the variables of the test alone."""
    monkeypatch.setitem(PrometheusSettings.model_config, "env_file", None)
    for name in [name for name in os.environ if name.startswith("PROMETHEUS_")]:
        monkeypatch.delenv(name)
