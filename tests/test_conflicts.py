"""A conflict of an update is shown as such, and the project refuses to commit or build it until it is decided."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from copier import run_update

from harness.project import Project, example
from harness.releases import IDENTITY, git
from tests.updates import append, commit_version, copy, unmerged

# A person's machine: no pipeline, and no settings of git but the project's.
PERSON = {"CI": "", "GIT_CONFIG_GLOBAL": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
PAGE = "docs/troubleshooting.md"
MARKED = re.compile(
    rf"^{PAGE}:1: a conflict that is not decided\. Decide what shall stay, then git add it\.$", re.MULTILINE
)


@pytest.fixture(scope="module")
def newer_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with one more version, v99.0.0, in which the title of a page is another."""
    clone = tmp_path_factory.mktemp("newer") / "template"
    git("clone", "--quiet", str(template), str(clone), cwd=template)
    retitle(clone / "template" / PAGE, "# The template's title")
    commit_version(clone, "v99.0.0")
    return clone


@pytest.fixture(scope="module")
def original(newer_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose owner changed the same title; read it, do not change it."""
    folder = tmp_path_factory.mktemp("original") / "project"
    project = copy(newer_template, folder, example("minimal"), "HEAD~1")
    retitle(folder / PAGE, "# Our own title")
    project.commit("Our title")
    return project


@pytest.fixture
def project(original: Project, tmp_path: Path) -> Project:
    """That project, to be changed."""
    return Project(Path(shutil.copytree(original.path, tmp_path / "project")))


def retitle(path: Path, title: str) -> None:
    path.write_text(f"{title}\n{path.read_text('utf-8').partition(chr(10))[2]}", "utf-8")


def meet(project: Project, conflict: str) -> None:
    """Bring the newer version, with Copier's way of showing conflicts."""
    run_update(project.path, defaults=True, overwrite=True, quiet=True, vcs_ref="v99.0.0", conflict=conflict)  # type: ignore[arg-type]


def refusal(project: Project, *command: str) -> str:
    """Run a command that must fail, and return what it says."""
    result = project.run(*command, environment=PERSON, check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0, said
    assert "Traceback" not in said
    return said


COMMIT = ["git", *IDENTITY, "commit", "--quiet", "--all", "--message", "Newer version of the template"]


def with_hook(project: Project) -> None:
    said = project.run("python3", "-m", "ops.git_hooks", environment=PERSON).stdout
    assert "git asks ops/hooks before a commit from now on" in said


@pytest.mark.parametrize("command", ["make lint", "make build", "python3 -m ops.release images"])
def test_a_conflict_stops_what_could_carry_it_on_before_anything_else_is_done(command: str, project: Project) -> None:
    meet(project, "inline")
    assert unmerged(project) == {PAGE}
    said = refusal(project, *command.split())
    assert MARKED.search(said)
    assert not (project.path / "frontend/node_modules").exists()


def test_a_conflict_that_is_added_undecided_cannot_be_committed(project: Project) -> None:
    with_hook(project)
    meet(project, "inline")
    assert "unmerged" in refusal(project, *COMMIT[:-3], "--message", "Unmerged")
    project.run("git", "add", "--all")
    assert MARKED.search(refusal(project, *COMMIT))
    # What is not added yet is not committed either.
    retitle(project.path / PAGE, "# Decided")
    said = refusal(project, "git", *IDENTITY, "commit", "--quiet", "--message", "Staged as it was")
    assert MARKED.search(said)


def test_a_decided_conflict_can_be_committed_and_everything_goes_on(project: Project) -> None:
    with_hook(project)
    meet(project, "inline")
    project.run("git", "checkout", "--ours", "--", PAGE)
    assert f"{PAGE}: git holds it as unmerged" in refusal(project, "python3", "-m", "ops.conflicts")
    project.run("git", "add", PAGE)
    project.run("python3", "-m", "ops.conflicts")
    project.run(*COMMIT, environment=PERSON)
    assert (project.path / PAGE).read_text("utf-8").startswith("# Our own title\n")


def test_a_rejected_change_is_a_conflict_too(project: Project) -> None:
    with_hook(project)
    meet(project, "rej")
    assert (project.path / PAGE).read_text("utf-8").startswith("# The template's title\n")
    sentence = f"{PAGE}.rej:1: changes of yours that could not be applied. Put them into {PAGE}, then delete this file."
    for command in (["make", "lint"], ["make", "build"], COMMIT):
        assert sentence in refusal(project, *command)
    (project.path / f"{PAGE}.rej").unlink()
    project.run(*COMMIT, environment=PERSON)


def test_a_file_with_a_strange_name_and_a_conflict_of_a_merge_are_found(project: Project) -> None:
    # The commit that a rebase names may hold what Python takes for the end of a line.
    for name in ("docs/ours é'1.md", "docs/two\nlines.md"):
        (project.path / name).write_text("# Ours\n\n>>>>>>> 1a2b3c4 (a\fb\u2028c)\n<<<<<<< HEAD\n", "utf-8")
    said = refusal(project, "python3", "-m", "ops.conflicts")
    assert "docs/ours é'1.md:3: a conflict" in said
    assert "docs/two\nlines.md:3: a conflict" in said


def test_headings_underlined_with_equals_signs_are_no_conflict(project: Project) -> None:
    append(project.path / PAGE, "\nHeading\n=======\n\n    <<<<<<< shown\n`>>>>>>> quoted`\n")
    project.run("python3", "-m", "ops.conflicts")


def test_a_fresh_project_has_none_with_or_without_git(project: Project) -> None:
    project.run("python3", "-m", "ops.conflicts")
    shutil.rmtree(project.path / ".git")
    project.run("python3", "-m", "ops.conflicts")


def test_a_git_that_cannot_answer_is_a_reason_to_stop(project: Project) -> None:
    append(project.path / ".git/config", "\n[broken\n")
    said = refusal(project, "python3", "-m", "ops.conflicts")
    assert "Nobody can tell whether a conflict is open: fatal: bad config line" in said


def hooks_path(project: Project, **environment: str) -> str:
    project.run("python3", "-m", "ops.git_hooks", environment=PERSON | environment)
    return project.run("git", "config", "core.hooksPath", environment=PERSON | environment, check=False).stdout.strip()


def test_setup_switches_the_hook_on_once(project: Project) -> None:
    assert "python3 -m ops.git_hooks" in project.run("make", "-n", "setup", environment=PERSON).stdout
    assert hooks_path(project) == "ops/hooks"
    assert project.run("python3", "-m", "ops.git_hooks", environment=PERSON).stdout == ""


def test_a_pipeline_has_no_hook(project: Project) -> None:
    assert "ops.git_hooks" not in project.run("make", "-n", "setup", environment=PERSON | {"CI": "true"}).stdout
    assert hooks_path(project, CI="true") == ""


def test_hooks_of_a_person_stay(project: Project) -> None:
    own = project.path / ".git/hooks/pre-push"
    own.parent.mkdir(exist_ok=True)
    own.write_text("#!/bin/sh\n", "utf-8")
    assert hooks_path(project) == ""


def test_a_folder_for_hooks_that_a_person_chose_stays(project: Project, tmp_path: Path) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text("[core]\nhooksPath = ~/hooks\n", "utf-8")
    assert hooks_path(project, GIT_CONFIG_GLOBAL=str(settings)) == "~/hooks"
    project.run("git", "config", "core.hooksPath", ".git/hooks")
    assert hooks_path(project) == ".git/hooks"


def test_a_project_in_a_folder_of_a_larger_repository_changes_no_hooks_and_sees_its_conflicts(
    original: Project, tmp_path: Path
) -> None:
    outer = Project(tmp_path)
    inner = Project(Path(shutil.copytree(original.path, tmp_path / "app", ignore=shutil.ignore_patterns(".git"))))
    outer.commit("Start")
    assert hooks_path(inner) == ""
    (inner.path / "a.md").write_text("<<<<<<< before updating\n", "utf-8")
    assert "a.md:1: a conflict" in refusal(inner, "python3", "-m", "ops.conflicts")


def test_the_hook_passes_its_linter(original: Project) -> None:
    hook = original.path / "ops/hooks/pre-commit"
    assert os.access(hook, os.X_OK)
    original.run(str(Path(sys.executable).parent / "shellcheck"), str(hook))
