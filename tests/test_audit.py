"""``make audit`` finds what is known of the dependencies that ship, on either side, and of nothing else."""

from collections.abc import Iterator

import pytest

from harness.advisories import Advisories, advising
from harness.processes import HOST, free_port
from harness.project import Project


@pytest.fixture
def advisories() -> Iterator[Advisories]:
    with advising() as running:
        yield running


def test_an_audit_without_findings_passes(default_project: Project, advisories: Advisories) -> None:
    default_project.make("audit", environment=advisories.environment)
    assert {"fastapi", "sentry-sdk", "react", "@sentry/react"} <= advisories.asked
    assert not {"pytest", "ruff", "vite", "@playwright/test"} & advisories.asked
    assert default_project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize(("side", "package"), [("python", "starlette"), ("npm", "react-router")])
def test_a_known_weakness_fails_the_audit_and_is_named(
    side: str, package: str, default_project: Project, advisories: Advisories
) -> None:
    getattr(advisories, side)[package] = "Lets everybody in"
    result = default_project.make("audit", environment=advisories.environment, check=False)
    assert result.returncode != 0
    assert package in result.stdout
    assert "Lets everybody in" in result.stdout


@pytest.mark.parametrize("variable", ["OSV_URL", "npm_config_registry"])
def test_an_audit_that_cannot_ask_fails(variable: str, default_project: Project, advisories: Advisories) -> None:
    unreachable = {variable: f"http://{HOST}:{free_port()}", "UV_HTTP_RETRIES": "0", "npm_config_fetch_retries": "0"}
    result = default_project.make("audit", environment={**advisories.environment, **unreachable}, check=False)
    assert result.returncode != 0


def test_a_pipeline_keeps_to_the_lock_files(default_project: Project) -> None:
    printed = default_project.make("--always-make", "--dry-run", "setup", environment={"CI": "true"}).stdout
    assert "npm ci " in printed
    assert "sync --quiet --locked" in printed
    assert "--locked" not in default_project.make("--always-make", "--dry-run", "setup", environment={"CI": ""}).stdout
