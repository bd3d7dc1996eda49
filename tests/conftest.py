"""Fixtures of the template's tests: the template itself, and projects generated from it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_copier.plugin
from copier import run_copy, run_update

from harness.project import Project, example, render
from harness.releases import candidate

Installed = Callable[[str], Project]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository with its uncommitted work, every release and the present state tagged."""
    return candidate(tmp_path_factory.mktemp("template") / "copier-sentry-stack")


@pytest.fixture(scope="session")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A function that generates the project of an example, once a session; read it, do not change it."""
    projects: dict[str, Project] = {}

    def generate(name: str) -> Project:
        if name not in projects:
            projects[name] = render(template, tmp_path_factory.mktemp(f"rendered-{name}") / "project", example(name))
        return projects[name]

    return generate


@pytest.fixture(scope="session")
def installed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A function that generates the project of an example, installs its packages and commits it, once a session.

    A test that changes files puts them back; ``restore`` does that.
    """
    projects: dict[str, Project] = {}

    def generate(name: str) -> Project:
        if name not in projects:
            project = render(template, tmp_path_factory.mktemp(f"installed-{name}") / "project", example(name))
            project.make("setup", environment={"npm_config_prefer_offline": "true"})
            project.commit("Start")
            projects[name] = project
        return projects[name]

    return generate


@pytest.fixture(scope="session")
def default_project(installed: Installed) -> Project:
    """The project of the default answers, installed and committed."""
    return installed("default")


@pytest.fixture
def restore(default_project: Project) -> Iterator[Project]:
    """The installed default project; what a test changes in it is undone afterwards."""
    yield default_project
    default_project.run("git", "reset", "--quiet", "--hard")
    default_project.run("git", "clean", "--quiet", "-d", "--force")


@pytest.fixture(scope="session")
def copier_template_paths() -> list[str]:
    """What pytest-copier takes as the template."""
    return ["copier.yml", "validators.jinja", "licenses", "template"]


@pytest.fixture(autouse=True)
def without_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest-copier run through Copier's public functions; it always trusts the template by itself."""

    def copy(*args: Any, unsafe: bool, **options: Any) -> object:  # noqa: ANN401, ARG001 - passes everything else on
        return run_copy(*args, **options)

    def update(*args: Any, unsafe: bool, **options: Any) -> object:  # noqa: ANN401, ARG001 - passes everything else on
        return run_update(*args, **options)

    monkeypatch.setattr(pytest_copier.plugin, "run_copy", copy)
    monkeypatch.setattr(pytest_copier.plugin, "run_update", update)
