"""What backend and frontend agree on: the files of ``contracts/``, read once and checked."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ROOT = Path(__file__).resolve().parents[3]
"""The repository root; in the container image the folder that holds ``backend`` and ``contracts``."""

CONTRACTS = ROOT / "contracts"

EnvironmentName = Literal["development", "staging", "production"]


class Project(BaseModel):
    """Who this project is, from ``project.json``."""

    model_config = ConfigDict(frozen=True)

    name: str
    slug: str
    description: str


class EnvironmentPolicy(BaseModel):
    """How much one environment reports: a row of ``environments.json``. Rates are shares between 0 and 1."""

    model_config = ConfigDict(frozen=True)

    traces_sample_rate: float = Field(ge=0, le=1)
    profiles_sample_rate: float = Field(ge=0, le=1)
    local_variables: bool
    request_bodies: bool
    logs: bool
    max_breadcrumbs: int = Field(ge=0)
    diagnostics: Literal["open", "closed"]


@cache
def project() -> Project:
    """Return the project's identity."""
    return Project.model_validate_json((CONTRACTS / "project.json").read_bytes())


@cache
def policies() -> dict[str, EnvironmentPolicy]:
    """Return the policy of each environment by name."""
    rows = TypeAdapter(dict[str, EnvironmentPolicy])
    return rows.validate_json((CONTRACTS / "environments.json").read_bytes())
