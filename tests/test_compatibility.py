"""What CONTRIBUTING.md forbids, because projects of earlier releases would lose something by an update."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from harness.project import ROOT, Project
from harness.releases import git, releases
from tests.questions import ASKED, QUESTIONS, ask, is_asked, questions_of, remembered, template_of_questions
from tests.updates import commit_version, update

RELEASES = releases(ROOT)


def of(version: str, path: str) -> str:
    """Return a file of this repository as a release had it."""
    return git("show", f"{RELEASES[version]}:{path}", cwd=ROOT)


def rendered_paths(names: list[str]) -> set[str]:
    return {name.removeprefix("template/").removesuffix(".jinja") for name in names}


@pytest.mark.parametrize("version", RELEASES)
def test_every_question_of_a_release_is_still_asked_or_inherited_by_another(version: str) -> None:
    text = (ROOT / "copier.yml").read_text("utf-8")
    for name, question in questions_of(of(version, "copier.yml")).items():
        if is_asked(question) and name not in ASKED:
            assert re.search(rf"default: .*\b{name} \| default\(", text), f"{name}: nobody takes over its answer"


@pytest.mark.parametrize("version", RELEASES)
def test_every_choice_of_a_release_still_exists_with_its_type(version: str) -> None:
    for name, question in questions_of(of(version, "copier.yml")).items():
        if is_asked(question) and name in QUESTIONS:
            assert set(question.get("choices", {}).values()) <= set(QUESTIONS[name].get("choices", {}).values()), name
            assert question["type"] == QUESTIONS[name]["type"], name
            assert question.get("multiselect", False) == QUESTIONS[name].get("multiselect", False), name


@pytest.mark.parametrize("version", RELEASES)
def test_every_file_of_a_release_is_still_rendered_or_the_changelog_tells_its_fate(version: str) -> None:
    before = git("ls-tree", "-r", "--name-only", RELEASES[version], "template", cwd=ROOT).splitlines()
    now = git("ls-files", "--cached", "--others", "--exclude-standard", "template", cwd=ROOT).splitlines()
    gone = rendered_paths(before) - rendered_paths([name for name in now if (ROOT / name).exists()])
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newer = changelog.partition(f"\n## {version}\n")[0]
    assert not [name for name in gone if f"`{name}`" not in newer]


@pytest.mark.parametrize("version", RELEASES)
def test_every_answer_of_a_release_is_still_taken(version: str, questions: Path, tmp_path: Path) -> None:
    old = template_of_questions(tmp_path / "old", RELEASES[version])
    examples = git("ls-tree", "--name-only", RELEASES[version], "examples/", cwd=ROOT).splitlines()
    everything = [yaml.safe_load(of(version, path)) for path in examples]
    for name, question in questions_of(of(version, "copier.yml")).items():
        if is_asked(question):
            choices = question.get("choices", {}).values()
            everything += [{name: [choice] if question.get("multiselect") else choice} for choice in choices]
    assert len(everything) > len(examples) > 0
    for number, answers in enumerate(everything):
        stored = ask(old, tmp_path / f"old-{number}", answers)
        now = ask(questions, tmp_path / f"new-{number}", stored)
        assert now.items() >= {name: answer for name, answer in stored.items() if name in ASKED}.items()


@pytest.fixture
def changing(tmp_path: Path) -> tuple[Path, Project]:
    """A template of the questions under git, and a project that answered them in its first version."""
    template = template_of_questions(tmp_path / "changing")
    git("init", "--quiet", cwd=template)
    commit_version(template, "v1.0.0")
    project = Project(tmp_path / "project")
    ask(template, project.path, {"author_name": "Ada", "license": "mit", "extensions": ["redis"]})
    project.commit("Start")
    return template, project


def next_version(template: Path, old: str, new: str) -> None:
    path = template / "copier.yml"
    text = path.read_text("utf-8")
    assert re.search(old, text, re.MULTILINE | re.DOTALL)
    path.write_text(re.sub(old, new, text, count=1, flags=re.MULTILINE | re.DOTALL), "utf-8")
    commit_version(template, "v2.0.0")


def test_a_renamed_question_takes_over_the_old_answer(changing: tuple[Path, Project]) -> None:
    template, project = changing
    new = "owner_name:\n  type: str\n  help: Who?\n  default: \"{{ author_name | default('Nobody') }}\"\n\n"
    next_version(template, r"^author_name:\n.*?\n\n", new)
    update(project)
    answers = remembered(project.path)
    assert answers["owner_name"] == "Ada"
    assert "author_name" not in answers


def test_a_question_that_is_gone_leaves_the_other_answers_alone(changing: tuple[Path, Project]) -> None:
    template, project = changing
    before = remembered(project.path)
    next_version(template, r"^author_name:\n.*?\n\n", "")
    update(project)
    assert remembered(project.path) == {name: answer for name, answer in before.items() if name != "author_name"}


def test_why_no_choice_may_go_and_how_one_is_retired(changing: tuple[Path, Project]) -> None:
    """Copier forgets an answer that is no choice any more, without a word: the rule exists because of that."""
    template, project = changing
    clone = Path(shutil.copytree(project.path, project.path.with_name("other")))
    next_version(template, r"^    MIT: mit\n", "")
    update(Project(clone))
    assert remembered(clone)["license"] == "proprietary"
    # Another label says that it is retired; the value stays.
    text = git("show", "v1.0.0:copier.yml", cwd=template)
    (template / "copier.yml").write_text(text.replace("MIT: mit", "MIT (retired): mit") + "\n", "utf-8")
    commit_version(template, "v3.0.0")
    update(project)
    assert remembered(project.path)["license"] == "mit"
