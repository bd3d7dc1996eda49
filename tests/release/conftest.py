"""Fixtures of the tests of a release."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.bugsink import bugsink
from harness.project import Project
from harness.sentry_api import SentryApi, sentry_api
from tests.release.support import PROJECTS, Ended, clone


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentryApi]:
    folder = tmp_path_factory.mktemp("bugsink") / "data"
    with bugsink(folder, backend=PROJECTS[0], frontend=PROJECTS[1]) as upstream, sentry_api(upstream) as running:
        yield running


@pytest.fixture
def api(server: SentryApi) -> Iterator[SentryApi]:
    """The recording server, as new; nothing that it is asked may be wrong."""
    server.reset()
    yield server
    assert server.problems == []


@pytest.fixture(scope="module")
def original(default_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone of the default project with its build, of which nothing was uploaded, without anything installed."""
    default_project.make("build")
    project = clone(default_project, tmp_path_factory.mktemp("original") / "project")
    # What another test uploaded from there.
    (project.path / "release/uploaded.json").unlink(missing_ok=True)
    return project


@pytest.fixture
def built(original: Project, tmp_path: Path) -> Project:
    """The same for one test, which may spoil it."""
    return clone(original, tmp_path / "built")


@pytest.fixture
def release(default_project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """A function that runs a command of ``ops.release``, with the sentry-cli of the default project."""
    monkeypatch.setenv("PATH", str(default_project.path / "frontend/node_modules/.bin"), prepend=":")

    def run(project: Project, *command: str, **variables: str) -> Ended:
        return project.run("python3", "-m", "ops.release", *command, environment=variables, check=False)

    return run
