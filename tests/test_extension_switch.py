"""Extensions that are added to a project later, or removed: what comes, what goes, what the owner is told before."""

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.project import ROOT, Project, example
from tests.questions import EXTENSIONS, remembered
from tests.updates import add_line, append, copy, differences, files, switch

# Every file of the template that an answer can change.
SHARED = {
    path.relative_to(ROOT / "template").as_posix().removesuffix(".jinja") for path in ROOT.glob("template/**/*.jinja")
}
OURS = "\n# Ours.\n"
EDITED = {"README.md", "docs/configuration.md", ".env.example", "backend/pyproject.toml"}
"""Files that an answer changes as well, and that the owner of a project has edited."""


def owned(name: str) -> set[str]:
    """Return the files of the template that an extension owns."""
    template = ROOT / "template"
    folders = ["backend/app", "backend/tests", "frontend/src", "ops"]
    found = {path for folder in folders for path in (template / folder / "extensions" / name).rglob("*")}
    found |= {template / f"docs/extensions/{name}.md", *(template / "frontend/e2e/extensions").glob(f"{name}.*")}
    generated = {path for path in found if path.is_file() and "__pycache__" not in path.parts}
    return {path.relative_to(template).as_posix() for path in generated}


def is_helper(path: str) -> bool:
    """Say whether a file is of all extensions that test with a server."""
    return Path(path).parent.as_posix() == "backend/tests/extensions"


@pytest.fixture(scope="module")
def without(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without extensions whose owner has edited shared files; read it, do not change it."""
    project = copy(template, tmp_path_factory.mktemp("without") / "project", example("default") | {"extensions": []})
    # The last of the packages, which is where "uv add" puts one that has no other place.
    add_line(project.path / "backend/pyproject.toml", '    "uvicorn', '    "zope.interface>=7",')
    for name in EDITED:
        append(project.path / name, OURS)
    project.commit("Our work")
    return project


@pytest.fixture
def cloned(tmp_path: Path) -> Callable[[Project], Project]:
    """A function that makes a project to be changed from one that is not."""
    return lambda project: Project(Path(shutil.copytree(project.path, tmp_path / "project")))


@pytest.mark.parametrize("name", EXTENSIONS)
def test_on_adds_exactly_its_files_and_lines_and_off_takes_exactly_those_away(
    name: str, without: Project, cloned: Callable[[Project], Project], template: Path, tmp_path: Path
) -> None:
    project = cloned(without)
    switch(project, [name])
    assert owned(name)
    assert {path for path in files(project.path) - files(without.path) if not is_helper(path)} == owned(name)
    changed = {path for path in files(without.path) if path in differences(without.path, project.path)}
    assert changed <= SHARED | {".copier-answers.yml"}
    for edited in EDITED:
        assert (project.path / edited).read_text("utf-8").endswith(OURS)
    fresh = copy(template, tmp_path / "fresh", example("default") | {"extensions": [name]})
    assert differences(project.path, fresh.path) == EDITED

    project.commit("On")
    switch(project, [])
    assert differences(project.path, without.path) == set()


def test_all_of_them_together_can_be_added_and_removed(
    without: Project, cloned: Callable[[Project], Project], template: Path, tmp_path: Path
) -> None:
    project = cloned(without)
    switch(project, EXTENSIONS)
    fresh = copy(template, tmp_path / "fresh", example("default") | {"extensions": EXTENSIONS})
    assert differences(project.path, fresh.path) == EDITED
    project.commit("On")
    switch(project, [])
    assert differences(project.path, without.path) == set()


@pytest.fixture
def edited(without: Project, cloned: Callable[[Project], Project]) -> Project:
    """A project with one extension, a file of which was edited, and to whose folder a file was added."""
    project = cloned(without)
    switch(project, ["redis"])
    append(project.path / "backend/app/extensions/redis/__init__.py", "\n# Ours.\n")
    (project.path / "backend/app/extensions/redis/ours.py").write_text('"""Ours."""\n', "utf-8")
    route = project.path / "backend/app/api/routes/ours.py"
    route.write_text('"""Ours."""\n\nimport app.extensions.redis  # noqa: F401\n', "utf-8")
    # What git lists and nobody can read: a link that leads nowhere, and a submodule.
    (project.path / "docs/link").symlink_to("nowhere")
    (project.path / "submodule").mkdir()
    head = project.run("git", "rev-parse", "HEAD").stdout.strip()
    project.run("git", "update-index", "--add", "--cacheinfo", f"160000,{head},submodule")
    project.commit("Our work")
    return project


def extensions(project: Project, *words: str, code: int = 0, **environment: str) -> str:
    result = project.make("extensions", *words, environment=environment, check=False)
    said = result.stdout + result.stderr
    assert bool(result.returncode) == bool(code), said
    assert "Traceback" not in said
    return said


def test_the_command_shows_what_would_go_and_does_nothing_until_somebody_agrees(edited: Project) -> None:
    before = edited.run("git", "rev-parse", "HEAD").stdout
    said = extensions(edited, "ON=prometheus", "OFF=redis", code=1)
    deleted = said.partition("DELETED:\n")[2].partition("\n\n")[0].splitlines()
    assert {line.strip() for line in deleted if not is_helper(line.strip())} == {
        *(owned("redis") - {"backend/app/extensions/redis/__init__.py"}),
        "backend/app/extensions/redis/__init__.py   <- edited by you",
    }
    stay = said.partition("they stay: remove them, or mend what they import:\n")[2].partition("\n\n")[0]
    assert stay.split() == ["backend/app/api/routes/ours.py", "backend/app/extensions/redis/ours.py"]
    assert all(f"  {name}\n" in said.partition("DELETED:")[0] for name in owned("prometheus"))
    assert "Nobody is here to agree, so nothing was changed." in said
    assert edited.run("git", "status", "--porcelain").stdout == ""
    assert edited.run("git", "rev-parse", "HEAD").stdout == before
    assert edited.run("git", "worktree", "list").stdout.count("\n") == 1


def test_a_commit_without_a_letter_which_the_answers_quote_is_read_as_it_is(edited: Project) -> None:
    answers = edited.path / ".copier-answers.yml"
    answers.write_text(re.sub("^_commit: .*$", "_commit: '2664024'", answers.read_text("utf-8"), flags=re.MULTILINE))
    program = 'from ops.template_update import remembered; print(remembered("_commit"))'
    assert edited.run("python3", "-c", program).stdout == "2664024\n"


@pytest.mark.parametrize(
    ("typed", "agreed"), [("yes\n", True), (" Yes\n", True), ("y\n", False), ("\n", False), ("\x04", False)]
)
def test_only_yes_is_an_agreement_and_the_end_of_input_is_none(typed: str, agreed: bool, without: Project) -> None:  # noqa: FBT001
    terminal, keyboard = pty.openpty()
    os.write(terminal, typed.encode())
    program = "from ops.extension_switch import agreed; print(agreed())"
    said = subprocess.check_output([sys.executable, "-c", program], cwd=without.path, stdin=keyboard)
    os.close(keyboard)
    os.close(terminal)
    assert said.split()[-1] == str(agreed).encode()


def test_the_command_does_it_when_somebody_agreed_and_says_how_to_take_it_back(edited: Project) -> None:
    said = extensions(edited, "OFF=redis", CONFIRM="1")
    assert remembered(edited.path)["extensions"] == []
    assert not (files(edited.path) & owned("redis"))
    assert (edited.path / "backend/app/extensions/redis/ours.py").is_file()
    assert 'take it all back: "git reset --hard && git clean -d --force"' in said
    edited.run("git", "reset", "--quiet", "--hard")
    assert owned("redis") <= files(edited.path)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ON=redis",), "Already there: redis."),
        (("OFF=jobs",), "Not there: jobs. This project has: redis."),
        (("ON=jobs", "OFF=jobs"), "Both on and off: jobs. Decide."),
        (("ON=nonsense",), "Invalid choice for 'extensions': 'nonsense' is not in ['database', "),
    ],
    ids="-".join,
)
def test_the_command_refuses_with_a_sentence(words: tuple[str, ...], sentence: str, edited: Project) -> None:
    assert sentence in extensions(edited, *words, code=1)
    assert edited.run("git", "status", "--porcelain").stdout == ""


def test_the_command_refuses_uncommitted_work_and_a_broken_answers_file(edited: Project) -> None:
    assert "This project has: redis." in extensions(edited)
    append(edited.path / "README.md", "More.\n")
    assert "Something is not committed. Commit it first" in extensions(edited, "OFF=redis", code=1)
    (edited.path / ".copier-answers.yml").write_text("extensions: redis\n", "utf-8")
    assert "has no list of extensions as Copier writes it" in extensions(edited, "OFF=redis", code=1)
