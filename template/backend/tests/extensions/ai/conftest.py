"""Settings of this machine have no part in the tests, and nobody waits long."""

import os

import pytest

from app.extensions.ai import client
from app.extensions.ai.settings import AiSettings


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the settings from the variables of the test alone, and pause a moment where the application waits."""
    monkeypatch.setitem(AiSettings.model_config, "env_file", None)
    for name in [name for name in os.environ if name.startswith("AI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.01)
