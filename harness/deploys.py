"""What a deploy needs for its extensions: values for what production insists on, in compose.production.yaml."""

import re
from collections.abc import Mapping

from harness.project import Project

# Each is a variable of an extension that has no default in production.
VALUES: Mapping[str, str] = {
    "AUTH_AUDIENCE": "api",
    "AUTH_ISSUER": "https://issuer.invalid",
    "JOBS_BROKER_URL": "redis://:0123456789abcdef@redis:6379/1",
    "POSTGRES_PASSWORD": "fedcba9876543210",
    "REDIS_PASSWORD": "0123456789abcdef",
    "REDIS_URL": "redis://:0123456789abcdef@redis:6379/0",
}


def insisted(project: Project) -> dict[str, str]:
    """Return the variables that the extensions of a project insist on, with values."""
    text = (project.path / "compose.production.yaml").read_text("utf-8")
    return {name: VALUES[name] for name in re.findall(r"\$\{(\w+):\?", text) if name in VALUES}


def as_lines(variables: Mapping[str, str]) -> str:
    """Return variables as ``DEPLOY_VARIABLES`` takes them, a line for each."""
    return "".join(f"{name}={value}\n" for name, value in variables.items())
