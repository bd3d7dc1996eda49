"""Answers that meet: projects in which every pair of values occurs pass the checks that their owners run."""

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pytest
import yaml

from harness.browser import chromium_path
from harness.matrix import (
    DEFAULT_EXTENSIONS,
    SAME_EVERYWHERE,
    WITH_SERVERS,
    all_pairs,
    answers,
    covered,
    in_full,
    leaving_out,
    parameters,
    rows,
)
from harness.project import ROOT, Project, render
from tests.conftest import Installed

ROWS = rows()
ALONE = {name: name.removesuffix(" alone") for name in ROWS if name.endswith(" alone")}
BROWSER = {"CHROMIUM_PATH": chromium_path()}
# As many projects at once as there are processors for this module: their checks hardly wait for anything.
WORKERS = max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def spec_of(extension: str) -> Path | None:
    """Return the browser tests of an extension, if it has a page."""
    spec = ROOT / f"template/frontend/e2e/extensions/{extension}.spec.ts"
    return spec if spec.exists() else None


class MypyCache:
    """What mypy found out about files of one project, for the next: it looks at their contents, not at their places.

    Args:
        folder: where it is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()

    def lend(self, project: Project) -> None:
        """Give it to a project, once another has left it."""
        with self._lock:
            if self._folder.exists():
                shutil.copytree(self._folder, project.path / "backend/.mypy_cache")

    def keep(self, project: Project) -> None:
        """Take that of a project whose types were checked."""
        with self._lock:
            shutil.rmtree(self._folder, ignore_errors=True)
            shutil.copytree(project.path / "backend/.mypy_cache", self._folder)


@dataclass(frozen=True)
class Checked:
    """What the unit tests of a project printed, and where it is."""

    project: Project
    output: str


def test_every_pair_of_values_occurs() -> None:
    assert all_pairs(parameters()) - covered([*in_full(), *ROWS.values()]) == set()


def test_each_value_is_what_copier_offers_and_all_extensions_are_chosen_alone_and_together() -> None:
    extensions = [name for name, values in parameters().items() if values == [False, True]]
    known = [*in_full(), *ROWS.values()]
    chosen = [[name for name in extensions if row[name]] for row in known]
    assert all([name] in chosen for name in extensions)
    assert extensions in chosen
    assert [] in chosen


def test_no_project_is_checked_twice() -> None:
    known = [*in_full(), *ROWS.values()]
    assert all(known.count(row) == 1 for row in known)


def test_the_default_of_extensions_is_the_one_of_copier(rendered: Installed) -> None:
    given = yaml.safe_load((rendered("default").path / ".copier-answers.yml").read_text("utf-8"))
    assert given["extensions"] == DEFAULT_EXTENSIONS


def test_no_answer_reaches_the_tests_that_only_default_and_full_run(rendered: Installed) -> None:
    minimal, full = rendered("minimal").path, rendered("full").path
    read = [f"backend/{SAME_EVERYWHERE}", "contracts/scrubber.json", "contracts/scrubber-cases.json"]
    read += [str(file.relative_to(full)) for file in (full / "backend/app/core").rglob("*.py")]
    assert [name for name in read if (minimal / name).read_bytes() != (full / name).read_bytes()] == []


def test_what_only_single_extensions_and_full_run_is_there(rendered: Installed) -> None:
    assert [file for file in WITH_SERVERS if not (rendered("full").path / "backend" / file).is_file()] == []


@pytest.fixture(scope="module")
def checked(
    template: Path, default_project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Checked]"]]:
    """Every project with its checks, some at once: as many as there are processors."""
    types = MypyCache(tmp_path_factory.mktemp("types") / "cache")

    def check(name: str) -> Checked:
        project = render(template, tmp_path_factory.mktemp("matrix") / "project", answers(ROWS[name]))
        project.link_packages(default_project)
        project.make("setup")
        project.commit("Start")
        types.lend(project)
        project.make("lint")
        types.keep(project)
        left_out = leaving_out(SAME_EVERYWHERE, *([] if name in ALONE else WITH_SERVERS))
        output = project.make("test", environment=left_out).stdout
        if name in ALONE:
            project.make("build")
        return Checked(project, output)

    # Each in its turn, so that the first ones can be looked at while the next are made.
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = {name: pool.submit(check, name) for name in ROWS}
        try:
            yield futures
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", ROWS)
def test_it_is_clean_and_its_unit_tests_pass(name: str, checked: dict[str, "Future[Checked]"]) -> None:
    result = checked[name].result()
    assert re.search(r"\d+ passed", result.output), "pytest"
    assert re.search(r"Tests .*\d+ passed", result.output), "vitest"
    assert "skipped" not in result.output
    assert result.project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("name", [row for row, extension in ALONE.items() if spec_of(extension)])
def test_its_own_page_works_in_a_browser(name: str, checked: dict[str, "Future[Checked]"]) -> None:
    project = checked[name].result().project
    command = ("npm", "--prefix", "frontend", "run", "e2e", "--", f"extensions/{ALONE[name]}")
    output = project.run(*command, environment=BROWSER).stdout
    assert re.search(r"\d+ passed", output)
    assert not re.search(r"\d+ (skipped|flaky|failed)", output)
