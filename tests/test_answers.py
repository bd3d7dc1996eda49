"""The questions: few, harmless, explained, and refused with a sentence when the answer is bad."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.project import ROOT, example
from tests.questions import ASKED, COMPUTED, ask

COPIER: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
FREE_TEXTS = ["project_name", "project_description", "author_name"]
SHORT_NAMES = ["project_slug", "sentry_organization", "sentry_backend_project", "sentry_frontend_project"]

REFUSED_EVERYWHERE = {
    "empty": "",
    "blank": "  ",
    "line break": "a\nb",
    "final line break": "a\n",
    "carriage return": "a\rb",
    "null": "a\0b",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "right-to-left override": "a\u202eb",
    "isolate": "a\u2066b",
    "arabic letter mark": "a\u061cb",
    "zero-width space": "\u200b",
    "tag": "a\U000e0041",
    "too long": "a" * 300,
}
REFUSED_AS_SHORT_NAME = {
    "quote": "a'b",
    "double quote": 'a"b',
    "space": "a b",
    "slash": "a/b",
    "dots": "../a",
    "capital": "App",
    "expansion": "${HOME}",
    "jinja": "{{ 7*7 }}",
    "hyphen first": "-rf",
    "hyphen last": "a-",
    "arabic": "مرحبا",
    "emoji": "🚀",
}
REFUSED_ADDRESSES = {
    "no scheme": "sentry.example.com",
    "script": "javascript:alert(1)",
    "user": "https://user@sentry.example.com",
    "query": "https://sentry.example.com/?a=b",
    "final slash": "https://sentry.example.com/",
    "quote": 'https://sentry.example.com/"',
    "final line break": "https://sentry.example.com\n",
}
REFUSED_OWNERS = {"expansion": "$(id)", "dots": "../x", "space": "a b", "final slash": "a/", "double slash": "a//b"}


def refusals() -> list[Any]:
    cases = [
        (name, label, answer) for name in [*FREE_TEXTS, *SHORT_NAMES] for label, answer in REFUSED_EVERYWHERE.items()
    ]
    cases += [(name, label, answer) for name in SHORT_NAMES for label, answer in REFUSED_AS_SHORT_NAME.items()]
    cases += [("sentry_custom_url", label, answer) for label, answer in REFUSED_ADDRESSES.items()]
    cases += [("repository_owner", label, answer) for label, answer in (REFUSED_EVERYWHERE | REFUSED_OWNERS).items()]
    return [pytest.param(name, answer, id=f"{name}-{label}") for name, label, answer in cases]


@pytest.mark.parametrize(("question", "answer"), refusals())
def test_a_bad_answer_is_refused_with_a_sentence_and_writes_nothing(
    question: str, answer: str, questions: Path, tmp_path: Path
) -> None:
    destination = tmp_path / "project"
    with pytest.raises(ValueError, match=f"Validation error for question '{question}': Use ") as refusal:
        ask(questions, destination, {"sentry_host": "custom", question: answer})
    assert str(refusal.value).strip().count("\n") == 0
    assert not destination.exists()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My App", "my-app"),
        ("  Spaced -- out!  ", "spaced-out"),
        ("42 Things", "things"),
        ("class", "class"),
        ("مرحبا", "app"),
        ("🚀", "app"),
        ("Über Café", "ber-caf"),
        ("x" * 80, "x" * 39),
        ("a" * 38 + " b", "a" * 38),
    ],
)
def test_the_slug_is_derived_from_any_name(name: str, slug: str, questions: Path, tmp_path: Path) -> None:
    assert ask(questions, tmp_path, {"project_name": name})["project_slug"] == slug


@pytest.mark.parametrize("name", ["default", "minimal", "full", "hostile"])
def test_an_example_gives_the_answers_it_states(name: str, questions: Path, tmp_path: Path) -> None:
    answers = ask(questions, tmp_path, example(name))
    assert answers.items() >= example(name).items()


def test_the_usual_answers_take_at_most_a_dozen_prompts(questions: Path, tmp_path: Path) -> None:
    assert len(ask(questions, tmp_path, {})) <= 12


def test_every_question_is_explained_has_a_default_and_is_validated() -> None:
    for name, question in ASKED.items():
        assert question["help"].strip().endswith(("?", ".")), name
        assert max(map(len, question["help"].splitlines())) <= 76, f"{name}: a terminal of 80 columns cuts the help"
        assert question["default"] != "", name
        assert "choices" in question or "validator" in question, name


def test_nothing_secret_is_asked_and_nothing_computed_is_stored(questions: Path, tmp_path: Path) -> None:
    answers = ask(questions, tmp_path, {"sentry_host": "custom"})
    assert answers.keys() == ASKED.keys()
    assert not [name for name in ASKED if "token" in name or "dsn" in name or "password" in name or "secret" in name]
    assert not answers.keys() & COMPUTED


def test_the_template_needs_no_trust() -> None:
    assert not COPIER.keys() & {"_tasks", "_migrations", "_jinja_extensions", "_external_data"}


def test_no_answer_gets_into_a_path() -> None:
    names = {path.name for path in (ROOT / "template").rglob("*") if "{" in path.name}
    assert names <= {"{{ _copier_conf.answers_file }}.jinja"}
