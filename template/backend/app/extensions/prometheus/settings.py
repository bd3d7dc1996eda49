"""Settings of the metrics."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from app.core.config import BaseAppSettings
from app.core.variables import DiagnosticsAccess, Token


class PrometheusSettings(BaseAppSettings):
    """Who may read the metrics, and where processes count together."""

    model_config = SettingsConfigDict(env_prefix="PROMETHEUS_")

    token: Token | None = None
    """``PROMETHEUS_TOKEN``: opens ``/metrics`` to who sends it as bearer token."""

    access: DiagnosticsAccess | None = None
    """``PROMETHEUS_ACCESS``: ``open`` lets everybody who reaches the API read ``/metrics``, ``closed`` only the token.
    Default: open in development while there is no token. Routes, rates and errors of a service are its own business."""

    multiproc_dir: Path | None = None
    """``PROMETHEUS_MULTIPROC_DIR``: the folder in which the processes of this server count together. Default: one in
    the system's temporary folder where uvicorn started several, else none."""
