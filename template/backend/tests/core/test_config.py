"""Settings, and the contracts that they start from."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from app.core.config import AppSettings, ConfigurationError, SentrySettings, TunnelSettings, load_settings
from app.core.contracts import ROOT, EnvironmentName, policies, project
from tests.support import DSN, LoadSettings

BAD_VALUES = [
    ("ENVIRONMENT", "prod", "ENVIRONMENT: prod is not one of development, staging, production"),
    ("LOG_LEVEL", "LOUD", "LOG_LEVEL: LOUD is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("SENTRY_ENVIRONMENT", "live", "SENTRY_ENVIRONMENT: live is not one of development, staging, production"),
    ("SENTRY_TRACES_SAMPLE_RATE", "1.5", "SENTRY_TRACES_SAMPLE_RATE: 1.5 is not between 0 and 1"),
    ("SENTRY_TRACES_SAMPLE_RATE", "nan", "SENTRY_TRACES_SAMPLE_RATE: nan is not between 0 and 1"),
    ("SENTRY_PROFILES_SAMPLE_RATE", "-1", "SENTRY_PROFILES_SAMPLE_RATE: -1 is not between 0 and 1"),
    ("SENTRY_TRACES_SAMPLE_RATE", "0_1", "SENTRY_TRACES_SAMPLE_RATE: 0_1 is not a number between 0 and 1"),
    ("SENTRY_PROFILES_SAMPLE_RATE", "half", "SENTRY_PROFILES_SAMPLE_RATE: half is not a number between 0 and 1"),
    ("SENTRY_DEBUG", "maybe", "SENTRY_DEBUG: maybe is not true or false"),
    ("SENTRY_ENABLE_TRACING", "2", "SENTRY_ENABLE_TRACING: 2 is not true or false"),
    (
        "SENTRY_RELEASE",
        "a/b",
        "SENTRY_RELEASE: the value is not a release: up to 200 letters, digits and . _ + @ -",
    ),
    ("SENTRY_ERROR_SAMPLE_RATE", "2", "SENTRY_ERROR_SAMPLE_RATE: 2 is not between 0 and 1"),
    ("SENTRY_LOGS", "some", "SENTRY_LOGS: some is not true or false"),
    ("SENTRY_MAX_BREADCRUMBS", "-1", "SENTRY_MAX_BREADCRUMBS: -1 is not a whole number from 0 to 500"),
    ("SENTRY_MAX_BREADCRUMBS", "501", "SENTRY_MAX_BREADCRUMBS: 501 is not a whole number from 0 to 500"),
    ("SENTRY_REPORT_VALIDATION_ERRORS", "422", "SENTRY_REPORT_VALIDATION_ERRORS: 422 is not true or false"),
    ("SENTRY_DIAGNOSTICS", "ajar", "SENTRY_DIAGNOSTICS: ajar is not open or closed"),
    ("SENTRY_ORG_ID", "acme", "SENTRY_ORG_ID: acme is not the number of an organization in Sentry"),
    ("SENTRY_SENSITIVE_KEYS", "plan,=x", "SENTRY_SENSITIVE_KEYS: the value is not a name like customer_number"),
    ("SENTRY_DIAGNOSTICS_TOKEN", "short", "SENTRY_DIAGNOSTICS_TOKEN: the value is shorter than 16 characters"),
    ("SENTRY_DIAGNOSTICS_TOKEN", " " * 20, "SENTRY_DIAGNOSTICS_TOKEN: the value is shorter than 16 characters"),
    (
        "SENTRY_TRACE_TARGETS",
        "api.example.com,https://x",
        "SENTRY_TRACE_TARGETS: the value is not a host name like api.example.com or localhost:8001",
    ),
    ("SENTRY_TUNNEL", "maybe", "SENTRY_TUNNEL: maybe is not true or false"),
    (
        "SENTRY_TUNNEL_ORIGINS",
        "https://app.example.com, https://app.example.com/page",
        "SENTRY_TUNNEL_ORIGINS: the value is not an origin like https://app.example.com",
    ),
]

BAD_DSNS = [
    "hunter2",
    "https://sentry.example.com/1",
    "https://hunter2@sentry.example.com/",
    "https://hunter2@sentry.example.com/project",
    "ftp://hunter2@sentry.example.com/1",
    "https://hunter2@[sentry/1",
    "https://hunter2@sentry.example.com:port/1",
    "https://hunter2@sentry.example.com/\u0661",
    "https://hunter2-x@sentry.example.com/1",
    "https://schlüssel@sentry.example.com/1",
    "https://hunter2@sentry.example.com\n/1",
]


def test_without_variables_everything_has_a_default(load: LoadSettings) -> None:
    settings = load()

    assert settings.app.environment == "development"
    assert settings.sentry.dsn is None
    assert settings.sentry_environment == "development"
    assert settings.policy.traces_sample_rate == 1.0
    assert settings.diagnostics_open


def test_an_empty_variable_is_one_that_is_not_set(load: LoadSettings) -> None:
    empty = dict.fromkeys(("ENVIRONMENT", "LOG_LEVEL", "SENTRY_DEBUG", "SENTRY_TRACE_TARGETS"), "")

    settings = load(**empty, SENTRY_DSN="", SENTRY_TRACES_SAMPLE_RATE="", SENTRY_ENVIRONMENT="")

    assert settings == load_settings()
    assert settings.policy.traces_sample_rate == 1.0


def test_variables_win_over_the_policy_of_the_environment(load: LoadSettings) -> None:
    policy = load(
        ENVIRONMENT="production",
        SENTRY_TRACES_SAMPLE_RATE="0.7",
        SENTRY_LOCAL_VARIABLES="yes",
        SENTRY_REQUEST_BODIES="1",
        SENTRY_ERROR_SAMPLE_RATE="0.5",
        SENTRY_LOGS="off",
        SENTRY_MAX_BREADCRUMBS="7",
    ).policy

    assert (policy.error_sample_rate, policy.logs, policy.max_breadcrumbs) == (0.5, False, 7)
    assert (policy.traces_sample_rate, policy.profiles_sample_rate) == (0.7, 0.1)
    assert policy.local_variables
    assert policy.request_bodies


def test_sentry_may_have_an_environment_of_its_own(load: LoadSettings) -> None:
    settings = load(ENVIRONMENT="development", SENTRY_ENVIRONMENT="staging")

    assert settings.sentry_environment == "staging"
    assert settings.policy.traces_sample_rate == 0.5


@pytest.mark.parametrize("variable", ["ENVIRONMENT", "SENTRY_ENVIRONMENT"])
def test_either_production_closes_the_diagnostics(variable: str, load: LoadSettings) -> None:
    assert not load(**{variable: "production"}).diagnostics_open


def test_diagnostics_can_be_opened_and_closed_explicitly(load: LoadSettings) -> None:
    assert load(ENVIRONMENT="production", SENTRY_DIAGNOSTICS="open").diagnostics_open
    assert not load(ENVIRONMENT="development", SENTRY_DIAGNOSTICS="closed").diagnostics_open


def test_the_file_is_read_and_the_real_environment_wins(
    tmp_path: Path, load: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text(
        f"ENVIRONMENT=staging\nLOG_LEVEL=debug\nSENTRY_DSN={DSN}\nVITE_SENTRY_DSN={DSN}\n", encoding="utf-8"
    )
    for kind in (AppSettings, SentrySettings, TunnelSettings):
        monkeypatch.setitem(kind.model_config, "env_file", file)

    settings = load(ENVIRONMENT="production", SENTRY_DSN="")

    assert (settings.app.environment, settings.app.log_level) == ("production", "DEBUG")
    assert settings.sentry.dsn is None


def test_a_file_that_is_not_utf_8_is_one_line(
    tmp_path: Path, load: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load()
    file = tmp_path / ".env"
    file.write_bytes("LOG_LEVEL=débug\n".encode("latin-1"))
    for kind in (AppSettings, SentrySettings, TunnelSettings):
        monkeypatch.setitem(kind.model_config, "env_file", file)

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert str(caught.value) == ".env: not UTF-8 text"


def test_without_tracing_both_rates_are_zero(load: LoadSettings) -> None:
    policy = load(SENTRY_ENABLE_TRACING="false", SENTRY_TRACES_SAMPLE_RATE="0.7").policy

    assert (policy.traces_sample_rate, policy.profiles_sample_rate) == (0.0, 0.0)


def test_trace_targets_are_a_list_of_hosts(load: LoadSettings) -> None:
    assert load(SENTRY_TRACE_TARGETS=" api.example.com , localhost:8001,").sentry.trace_targets == (
        "api.example.com",
        "localhost:8001",
    )


@pytest.mark.parametrize(("variable", "value", "line"), BAD_VALUES)
def test_a_bad_value_is_one_line_that_names_the_variable(
    variable: str, value: str, line: str, load: LoadSettings
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**{variable: value})

    assert str(caught.value) == line


@pytest.mark.parametrize("variable", ["SENTRY_DSN", "VITE_SENTRY_DSN"])
@pytest.mark.parametrize("dsn", BAD_DSNS)
def test_a_bad_dsn_is_never_repeated(variable: str, dsn: str, load: LoadSettings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(**{variable: dsn})

    assert str(caught.value).startswith(f"{variable}: the value is not a DSN, which looks like https://<key>@")
    assert "hunter2" not in str(caught.value)


def test_a_secret_in_the_wrong_variable_is_not_repeated(load: LoadSettings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(SENTRY_ENVIRONMENT=DSN, LOG_LEVEL=f"line\n{DSN}")

    assert "public" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_settings_of_an_extension_are_checked_too(load: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    class QueueSettings(AppSettings):
        size: int = 1

    load()
    monkeypatch.setenv("SIZE", "many")

    with pytest.raises(ConfigurationError, match=r"SIZE: .*valid integer"):
        load_settings([QueueSettings])


def test_settings_do_not_show_secrets(load: LoadSettings) -> None:
    settings = load(SENTRY_DSN=DSN, SENTRY_DIAGNOSTICS_TOKEN="0123456789abcdef")

    assert "public" not in repr(settings)
    assert "0123456789abcdef" not in repr(settings)


def test_the_process_stops_with_one_line_for_each_bad_variable() -> None:
    bad = {"SENTRY_TRACES_SAMPLE_RATE": "1.5", "LOG_LEVEL": "LOUD"}

    process = subprocess.run(
        [sys.executable, "-c", "import app.main"],
        cwd=ROOT / "backend",
        env={**os.environ, **bad},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert process.stderr.splitlines() == [
        "LOG_LEVEL: LOUD is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
        "SENTRY_TRACES_SAMPLE_RATE: 1.5 is not between 0 and 1",
    ]


def test_each_environment_has_a_policy() -> None:
    assert tuple(policies()) == get_args(EnvironmentName)


def test_production_shows_nothing_of_itself() -> None:
    production = policies()["production"]

    assert production.diagnostics == "closed"
    assert not production.local_variables
    assert not production.request_bodies


def test_the_slug_can_begin_a_release() -> None:
    assert project().slug
    assert "@" not in project().slug


@pytest.mark.parametrize(
    ("value", "folder"), [("", ROOT / "backend/.data"), ("data", ROOT / "data"), ("/var/x", Path("/var/x"))]
)
def test_the_data_folder_begins_at_the_root_of_the_repository(load: LoadSettings, value: str, folder: Path) -> None:
    assert load(DATA_FOLDER=value).app.data_folder == folder
