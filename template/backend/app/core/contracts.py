"""What backend and frontend agree on: the files of ``contracts/``, read once and checked."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ROOT = Path(__file__).resolve().parents[3]
"""The repository root; in the container image the folder that holds ``backend`` and ``contracts``."""

CONTRACTS = ROOT / "contracts"

EnvironmentName = Literal["development", "staging", "production"]

Share = Annotated[float, Field(ge=0, le=1)]
"""A rate: 0 is none, 1 is all."""

Access = Literal["open", "closed"]
"""Whether the diagnostics routes are there for everybody."""


class Project(BaseModel):
    """Who this project is, from ``project.json``."""

    model_config = ConfigDict(frozen=True)

    name: str
    slug: str
    description: str


class EnvironmentPolicy(BaseModel):
    """How much one environment reports: a row of ``environments.json``.

    ``traces_by_route`` has rates of its own for some routes, by path template such as ``/api/v1/orders/{id}``.
    """

    model_config = ConfigDict(frozen=True)

    error_sample_rate: Share
    traces_sample_rate: Share
    traces_by_route: dict[str, Share] = {}
    profiles_sample_rate: Share
    local_variables: bool
    request_bodies: bool
    logs: bool
    max_breadcrumbs: int = Field(ge=0)
    diagnostics: Access


@cache
def project() -> Project:
    """Return the project's identity."""
    return Project.model_validate_json((CONTRACTS / "project.json").read_bytes())


@cache
def policies() -> dict[str, EnvironmentPolicy]:
    """Return the policy of each environment by name."""
    rows = TypeAdapter(dict[str, EnvironmentPolicy])
    return rows.validate_json((CONTRACTS / "environments.json").read_bytes())
