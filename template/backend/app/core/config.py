"""Settings: one class per concern, read from the environment and from ``.env`` at the repository root.

Real environment variables win over the file. An empty value means "not set"; for ``SENTRY_DSN`` that is
"Sentry is off". A bad value stops the process with one readable line per variable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.contracts import ROOT, EnvironmentName, EnvironmentPolicy, policies
from app.core.variables import (
    Breadcrumbs,
    DiagnosticsAccess,
    Dsn,
    Environment,
    Folder,
    Hosts,
    Keys,
    LogLevel,
    OrganizationId,
    Origins,
    Rate,
    Release,
    Switch,
    Token,
)

ENV_FILE = ROOT / ".env"


class ConfigurationError(Exception):
    """Settings that a person has to correct: one line per variable, without secrets."""


class BaseAppSettings(BaseSettings):
    """What every settings class shares: an extension derives its own from this one."""

    model_config = SettingsConfigDict(env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _empty_means_default(cls, value: Any, handler: Any, info: Any) -> Any:  # noqa: ANN401 pydantic's own types
        """Treat an empty variable as one that is not set."""
        if value == "" and info.field_name:
            return cls.model_fields[info.field_name].get_default(call_default_factory=True)
        return handler(value)


Kind = TypeVar("Kind", bound=BaseSettings)


class AppSettings(BaseAppSettings):
    """The application itself."""

    environment: Environment = "development"
    """``ENVIRONMENT``: where this process runs. The container image sets ``production``."""

    data_folder: Folder = ROOT / "backend/.data"
    """``DATA_FOLDER``: where the application keeps files of its own; made when it is needed. A path that is not
    absolute begins at the repository root."""

    log_level: LogLevel = "INFO"
    """``LOG_LEVEL``: the least severe log record that is written, and kept as a breadcrumb."""


class SentrySettings(BaseAppSettings):
    """Sentry. What is ``None`` here comes from the environment's row in ``contracts/environments.json``."""

    model_config = SettingsConfigDict(env_prefix="SENTRY_")

    dsn: Dsn | None = None
    """``SENTRY_DSN``: where events go. Without it Sentry is off. Never shown, never logged."""

    environment: Environment | None = None
    """``SENTRY_ENVIRONMENT``: the name that events carry, and the row of the policy. Default: ``ENVIRONMENT``."""

    release: Release | None = None
    """``SENTRY_RELEASE``: which build this is. Default: what ``app/core/sentry/release.py`` finds out."""

    error_sample_rate: Rate | None = None
    """``SENTRY_ERROR_SAMPLE_RATE``: the share of errors, 0 to 1, that are sent. Less than 1 hides rare ones."""

    traces_sample_rate: Rate | None = None
    """``SENTRY_TRACES_SAMPLE_RATE``: the share of requests, 0 to 1, that are traced unless the caller decided."""

    profiles_sample_rate: Rate | None = None
    """``SENTRY_PROFILES_SAMPLE_RATE``: the share of processes, 0 to 1, that profile what they trace."""

    enable_tracing: Switch = True
    """``SENTRY_ENABLE_TRACING``: false sends no traces and no profiles, whatever the rates say."""

    send_default_pii: Switch = False
    """``SENTRY_SEND_DEFAULT_PII``: true lets e-mail, name and address of users leave; secrets never do."""

    debug: Switch = False
    """``SENTRY_DEBUG``: true makes the SDK print what it does."""

    local_variables: Switch | None = None
    """``SENTRY_LOCAL_VARIABLES``: whether stack frames carry the values of local variables, scrubbed."""

    request_bodies: Switch | None = None
    """``SENTRY_REQUEST_BODIES``: whether errors carry request bodies of up to 10 kB, scrubbed."""

    logs: Switch | None = None
    """``SENTRY_LOGS``: whether log records are sent as Sentry logs, scrubbed."""

    max_breadcrumbs: Breadcrumbs | None = None
    """``SENTRY_MAX_BREADCRUMBS``: how many of the last notes an event carries."""

    sensitive_keys: Keys = ()
    """``SENTRY_SENSITIVE_KEYS``: names of fields, separated by commas, that are redacted besides those of
    ``contracts/scrubber.json``. The page's build reads the same variable."""

    report_validation_errors: Switch = False
    """``SENTRY_REPORT_VALIDATION_ERRORS``: true reports requests that do not validate, as warnings."""

    diagnostics: DiagnosticsAccess | None = None
    """``SENTRY_DIAGNOSTICS``: ``open`` lets everybody use the diagnostics routes, ``closed`` only the token."""

    diagnostics_token: Token | None = None
    """``SENTRY_DIAGNOSTICS_TOKEN``: opens the diagnostics routes in production to who sends it as bearer token."""

    org_id: OrganizationId | None = None
    """``SENTRY_ORG_ID``: the organization's number, where the DSN's host does not begin with it. Where one of the two
    names it, outside development only callers of the same organization decide what is traced; else any caller does."""

    trace_targets: Hosts = ()
    """``SENTRY_TRACE_TARGETS``: hosts, separated by commas, that receive trace headers. Default: none, so that
    no third party learns our trace ids."""

    tunnel: Switch = True
    """``SENTRY_TUNNEL``: whether the API passes the page's events on to Sentry, if it knows the page's DSN."""

    tunnel_origins: Origins = ()
    """``SENTRY_TUNNEL_ORIGINS``: origins, separated by commas, of pages that are served from elsewhere and may use the
    tunnel. Default: none besides the API's own host as the browser sees it."""


class TunnelSettings(BaseAppSettings):
    """What the page was built with and the tunnel has to know, by the same names."""

    model_config = SettingsConfigDict(env_prefix="VITE_SENTRY_")

    dsn: Dsn | None = None
    """``VITE_SENTRY_DSN``: the only destination of the tunnel. Without it there is no tunnel."""


@dataclass(frozen=True)
class Settings:
    """Every setting of the process, with the policy of its environment applied."""

    app: AppSettings
    sentry: SentrySettings
    tunnel: TunnelSettings

    @property
    def sentry_environment(self) -> EnvironmentName:
        """The environment that events carry."""
        return self.sentry.environment or self.app.environment

    @property
    def policy(self) -> EnvironmentPolicy:
        """The row of ``environments.json``, with the variables that override a field."""
        row = policies()[self.sentry_environment]
        overrides = {name: getattr(self.sentry, name, None) for name in EnvironmentPolicy.model_fields}
        if not self.sentry.enable_tracing:
            overrides |= {"traces_sample_rate": 0.0, "profiles_sample_rate": 0.0}
        return row.model_copy(update={name: value for name, value in overrides.items() if value is not None})

    @property
    def tunnel_open(self) -> bool:
        """Whether the API passes the page's events on."""
        return self.tunnel.dsn is not None and self.sentry.tunnel

    @property
    def diagnostics_open(self) -> bool:
        """Whether the diagnostics routes need no token. One production setting closes them, unless told otherwise."""
        if self.sentry.diagnostics:
            return self.sentry.diagnostics == "open"
        rows = (policies()[self.app.environment], policies()[self.sentry_environment])
        return all(row.diagnostics == "open" for row in rows)


def load_settings(more: Iterable[type[BaseSettings]] = ()) -> Settings:
    """Read all settings.

    Args:
        more: Settings classes of extensions. They are only checked: an extension reads its own.

    Raises:
        ConfigurationError: some variables have bad values; the message names each.
    """
    lines: list[str] = []
    for kind in more:
        _load(kind, lines)
    app = _load(AppSettings, lines)
    sentry = _load(SentrySettings, lines)
    tunnel = _load(TunnelSettings, lines)
    if app is None or sentry is None or tunnel is None or lines:
        raise ConfigurationError("\n".join(lines))
    return Settings(app, sentry, tunnel)


def _load(kind: type[Kind], lines: list[str]) -> Kind | None:
    try:
        return kind()
    except UnicodeDecodeError:
        line = f"{ENV_FILE.name}: not UTF-8 text"
        if line not in lines:
            lines.append(line)
        return None
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for fault in error.errors():
            reason = fault.get("ctx", {}).get("error", fault["msg"])
            lines.append(f"{prefix}{fault['loc'][0]}".upper() + f": {reason}")
        return None
