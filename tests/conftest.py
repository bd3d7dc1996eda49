"""Fixtures of the template's tests: the template itself, and projects generated from it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_copier.plugin
from copier import run_copy, run_update

from harness.containers import Containers, containers, end_those_of_killed_programs
from harness.project import Project, example, render
from harness.releases import candidate
from tests.questions import template_of_questions

Installed = Callable[[str], Project]

LONGEST = ["test_matrix.py", "test_gitlab.py", "test_github.py", "test_update.py"]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin without the containers of a run that was killed, whose published ports no server of this one could use."""
    if not hasattr(session.config, "workerinput"):
        end_those_of_killed_programs()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest: last, one would leave one of two processors without work."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository with its uncommitted work, every release and the present state tagged."""
    return candidate(tmp_path_factory.mktemp("template") / "copier-sentry-stack")


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template of the present questions and nothing but the answers file."""
    return template_of_questions(tmp_path_factory.mktemp("questions") / "template")


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

    The packages of the page are installed once and linked into the others. A test that changes files puts them back;
    ``restore`` does that.
    """
    projects: dict[str, Project] = {}

    def generate(name: str) -> Project:
        if name not in projects:
            project = render(template, tmp_path_factory.mktemp(f"installed-{name}") / "project", example(name))
            if projects:
                project.link_packages(next(iter(projects.values())))
            project.make("setup", environment={"npm_config_prefer_offline": "true"})
            project.commit("Start")
            projects[name] = project
        return projects[name]

    return generate


@pytest.fixture(scope="session")
def default_project(installed: Installed) -> Project:
    """The project of the default answers, installed and committed."""
    return installed("default")


@pytest.fixture(scope="session")
def docker() -> Iterator[Containers]:
    """A ``docker`` that really runs containers, and a registry."""
    with containers() as running:
        yield running


@pytest.fixture
def restore(default_project: Project) -> Iterator[Project]:
    """The installed default project; what a test changes in it is undone afterwards."""
    yield default_project
    default_project.run("git", "reset", "--quiet", "--hard")
    default_project.run("git", "clean", "--quiet", "-d", "--force")


@pytest.fixture(scope="session")
def copier_template_paths() -> list[str]:
    """What pytest-copier takes as the template."""
    return ["copier.yml", "validators.jinja", "licenses", "extensions", "template"]


@pytest.fixture(autouse=True)
def without_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest-copier run through Copier's public functions; it always trusts the template by itself."""

    def copy(*args: Any, unsafe: bool, **options: Any) -> object:  # noqa: ANN401, ARG001 - passes everything else on
        return run_copy(*args, **options)

    def update(*args: Any, unsafe: bool, **options: Any) -> object:  # noqa: ANN401, ARG001 - passes everything else on
        return run_update(*args, **options)

    monkeypatch.setattr(pytest_copier.plugin, "run_copy", copy)
    monkeypatch.setattr(pytest_copier.plugin, "run_update", update)
