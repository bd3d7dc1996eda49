"""Good values are taken, bad ones are named without being shown."""

import pytest

from app.core.config import ConfigurationError, load_settings
from app.extensions.ai.settings import AiSettings


def test_an_address_ends_in_a_slash_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BASE_URL", "https://ai.example.com/v1")
    assert AiSettings().base_url == "https://ai.example.com/v1/"


def test_empty_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "API_KEY", "MODEL", "TIMEOUT_SECONDS", "MAX_RETRIES", "ACCESS"):
        monkeypatch.setenv(f"AI_{name}", "")
    assert AiSettings() == AiSettings.model_construct()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "ai.example.com"),
        ("BASE_URL", "ftp://ai.example.com"),
        ("BASE_URL", "https://user:canary@ai.example.com"),
        ("BASE_URL", "https://ai.example.com/?key=canary"),
        ("BASE_URL", "http://[::1"),
        ("API_KEY", "canary two"),
        ("API_KEY", "canary\u00e9"),
        ("MODEL", "canary two"),
        ("TIMEOUT_SECONDS", "0"),
        ("TIMEOUT_SECONDS", "nan"),
        ("TIMEOUT_SECONDS", "canary"),
        ("IDLE_SECONDS", "99999"),
        ("CONNECT_SECONDS", "-1"),
        ("MAX_RETRIES", "11"),
        ("MAX_RETRIES", "1.5"),
        ("ACCESS", "perhaps"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AI_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings([AiSettings])
    text = str(caught.value)
    assert text.startswith(f"AI_{name}: ")
    assert "\n" not in text
    assert "canary" not in text


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_API_KEY", "canary")
    assert "canary" not in repr(AiSettings())
