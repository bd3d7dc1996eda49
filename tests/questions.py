"""The questions of the template without its files, so that asking is quick; of the present state or of a release."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy

from harness.project import ROOT
from harness.releases import git

Question = dict[str, Any]

ANSWERS = ".copier-answers.yml"
PARTS = ("copier.yml", "validators.jinja", "template/{{ _copier_conf.answers_file }}.jinja")


def questions_of(text: str) -> dict[str, Question]:
    """Return the questions of a copier.yml by name, computed ones included."""
    return {name: question for name, question in yaml.safe_load(text).items() if not name.startswith("_")}


def is_asked(question: Question) -> bool:
    """Say whether a person can answer it; the others are computed."""
    return question.get("when") is not False


QUESTIONS = questions_of((ROOT / "copier.yml").read_text("utf-8"))
ASKED = {name: question for name, question in QUESTIONS.items() if is_asked(question)}
COMPUTED = QUESTIONS.keys() - ASKED.keys()
EXTENSIONS: list[str] = list(QUESTIONS["extensions"]["choices"].values())


def template_of_questions(folder: Path, commit: str | None = None) -> Path:
    """Make a template of the questions and the answers file alone, of a commit or of the present state."""
    (folder / "template").mkdir(parents=True)
    for name in PARTS:
        if commit is None:
            shutil.copy(ROOT / name, folder / name)
        else:
            (folder / name).write_text(git("show", f"{commit}:{name}", cwd=ROOT) + "\n", "utf-8")
    return folder


def ask(template: Path, destination: Path, answers: Mapping[str, object]) -> dict[str, Any]:
    """Answer the questions, those that are not given by their defaults, and return what is remembered."""
    run_copy(str(template), destination, data=dict(answers), defaults=True, quiet=True, overwrite=True)
    return remembered(destination)


def remembered(project: Path) -> dict[str, Any]:
    """Return the answers that a project has stored."""
    stored: dict[str, Any] = yaml.safe_load((project / ANSWERS).read_text("utf-8"))
    return {name: answer for name, answer in stored.items() if not name.startswith("_")}
