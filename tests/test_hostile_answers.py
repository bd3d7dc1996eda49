"""Answers that were made to break something: refused with a sentence, or harmless in every file that they reach.

The corpus meets every question of copier.yml, new ones included, as ``--data`` gives it (texts), as ``--data-file``
does (any type), as somebody edits the answers file, and as a person pastes it into a prompt.
"""

import datetime as dt
import html.parser
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy, run_update
from copier.errors import CopierAnswersInterrupt
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from harness.project import ROOT, Project
from harness.releases import IDENTITY, git
from tests.questions import ANSWERS, ASKED, COMPUTED, EXTENSIONS, ask, remembered, template_of_questions

Stored = Callable[[str], dict[str, Any]]

TEXTS = [
    *("", " ", "'", '"', "'''", '"""', "$(id)", "`id`", "${HOME}", "\\", "a\\", "\\n", "\\u0000", "%s %(x)s {0}"),
    *("a\nb", "a\n", "a\r\nb", "a\tb", "a\0b", "a\x1b[31mb", "a\x7fb", "a\x85b", "a\u2028b", "\ufeffa"),
    *("{{ 7*7 }}", "{% raw %}", "{# x", "{% include 'copier.yml' %}", "${{ github.token }}"),
    *("; id", "-rf", "--trust", "*", "#x", "a #b", "a=b", "no", "null", "1e3", "2020-01-01", "key: value", "- item"),
    *("[a", "{a", "&a", "!!python/x", "|", ">", "@x", "]]>", "-->", "*/", "<b>x</b>", "</title><script>", "&lt;"),
    *('" onload="x', "../../x", "/etc/passwd", "..", "a/b", ".git/hooks", "file:///x", "javascript:alert(1)"),
    *(
        "a\u202eb",
        "\u200b",
        "a\U000e0041",
        "مرحبا",
        "🚀👩‍💻",
        "x" * 81,
        "x" * 5000,
        "https://u:p@host",
        "[redis, redis]",
    ),
]
OTHERS: list[object] = [
    *(None, True, 0, 5, 1.5, b"x", dt.date(2020, 1, 1), [], ["a"], [[]], {}, {"a": 1}),
    *(["redis", "redis"], [["redis"]], [{"redis": 1}], ["redis", "nonsense"]),
]
PASTED = ["", "a\nb", "a\r\nb", "a\0b", "a\x1b[31mb", "a\u202eb", "{{ 7*7 }}", "'\"<b>", "x" * 5000, "../../x"]
EDITED: list[object] = ["a\nb", "{% raw %}\n", "x" * 5000, ["nonsense"], {"a": 1}, None]

# What our validators say, and what Copier says about a wrong type or choice.
SENTENCE = re.compile(
    r"Use |Leave it out|Could not convert |Invalid answer |Invalid choice for |Not a YAML list|is not iterable"
    r"|while (parsing|scanning)|expected |found |special characters are not allowed"
)
FREE = [name for name, question in ASKED.items() if "choices" not in question]
TEXT_OF_PEOPLE = ("project_name", "project_description", "author_name")


def asking_all(name: str) -> dict[str, object]:
    """Return the answers without which some questions are not asked."""
    return {key: value for key, value in (("sentry_host", "custom"), ("repository_host", "gitlab")) if key != name}


def stored_answer(questions: Path, project: Path, name: str, answer: object) -> Any:  # noqa: ANN401 - an answer may be anything
    """Return what is stored of an answer, or nothing when it was refused with a sentence and nothing was written."""
    try:
        stored = ask(questions, project, {**asking_all(name), name: answer})
    except Exception as refusal:  # noqa: BLE001 - Copier raises whatever its parsers raise
        assert SENTENCE.search(str(refusal)), (name, answer, repr(refusal))  # noqa: PT017 - many answers in one test
        assert not project.exists()
        return None
    return stored[name]


@pytest.fixture(scope="session")
def stored_texts(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """A function that answers a question with every text, and returns those that were taken, with what was stored."""
    known: dict[str, dict[str, Any]] = {}

    def store(name: str) -> dict[str, Any]:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            answers = ((text, stored_answer(questions, folder / str(n), name, text)) for n, text in enumerate(TEXTS))
            known[name] = {text: stored for text, stored in answers if stored is not None}
        return known[name]

    return store


@pytest.mark.parametrize("name", ASKED)
def test_every_text_is_refused_with_a_sentence_or_remembered_as_it_is(name: str, stored_texts: Stored) -> None:
    taken = stored_texts(name)
    if ASKED[name].get("multiselect"):
        assert taken == {"[redis, redis]": ["redis"]}
    elif "choices" in ASKED[name]:
        assert not taken
    else:
        assert taken == {text: text for text in taken}
        assert not [text for text in taken if not text.isprintable() and "\u200d" not in text]
        assert len(taken) < len(TEXTS) / 2 or name in TEXT_OF_PEOPLE


@pytest.mark.parametrize("name", ASKED)
def test_every_other_type_is_refused_with_a_sentence_or_becomes_a_text(
    name: str, questions: Path, tmp_path: Path
) -> None:
    for number, answer in enumerate(OTHERS):
        stored = stored_answer(questions, tmp_path / str(number), name, answer)
        if stored is not None and ASKED[name].get("multiselect"):
            assert isinstance(stored, list)
            assert stored in ([], ["redis"]), answer
        elif stored is not None:
            assert isinstance(answer, bool | int | float | bytes), answer
            assert stored == (answer.decode() if isinstance(answer, bytes) else str(answer))


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_a_computed_value_cannot_be_given(name: str, questions: Path, tmp_path: Path) -> None:
    for number, answer in enumerate(["x", "evil\n", "true", ["../../x"], True, "[postgres]"]):
        assert ask_computed(questions, tmp_path / str(number), name, answer), answer


def ask_computed(questions: Path, project: Path, name: str, answer: object) -> bool:
    """Say whether a computed value was refused with a sentence before anything was written."""
    with pytest.raises(ValueError, match=r"Leave it out: it follows from other answers|Could not convert"):
        ask(questions, project, {name: answer})
    return not project.exists()


@pytest.mark.parametrize("name", ASKED)
def test_a_prompt_takes_no_text_that_data_would_not(
    name: str, questions: Path, stored_texts: Stored, tmp_path: Path
) -> None:
    others = ask(questions, tmp_path / "defaults", asking_all(name))
    default = others.pop(name)
    allowed = set(stored_texts(name))
    for number, text in enumerate(PASTED):
        answer = prompted(questions, tmp_path / str(number), others, name, text)
        if "choices" in ASKED[name]:
            assert answer == default
        else:
            assert answer is None or answer in allowed | {text.replace("\r\n", "\n")}, text
            assert answer is None or str(answer).replace("\u200d", "").isprintable(), text
            assert not answer or len(str(answer)) <= 200


def prompted(questions: Path, project: Path, others: Mapping[str, object], name: str, text: str) -> Any:  # noqa: ANN401 - an answer may be anything
    """Return what a real prompt takes when a text is pasted into it, or nothing when it keeps asking."""
    clear = "" if "choices" in ASKED[name] else "\x05\x15"  # to the end of the line, and away with the default
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text(f"{clear}\x1b[200~{text}\x1b[201~\r\x03")
        try:
            run_copy(str(questions), project, data=dict(others), quiet=True)
        except CopierAnswersInterrupt:
            assert not project.exists()
            return None
    return remembered(project)[name]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of the questions alone, which can be updated."""
    folder = tmp_path_factory.mktemp("asked")
    template = template_of_questions(folder / "template")
    git("init", "--quiet", cwd=template)
    git("add", "--all", cwd=template)
    git(*IDENTITY, "commit", "--quiet", "--message", "Questions", cwd=template)
    git("tag", "v1.0.0", cwd=template)
    project = Project(folder / "project")
    ask(template, project.path, asking_all(""))
    project.commit("Start")
    project.run("git", "tag", "start")
    return project


@pytest.fixture
def asked_project(answered: Project) -> Project:
    """The same with its first answers, whatever the test before wrote there."""
    answered.run("git", "reset", "--quiet", "--hard", "start")
    return answered


@pytest.mark.parametrize("name", ASKED)
def test_an_edited_answers_file_is_refused_with_a_sentence_before_anything_changes(
    name: str, asked_project: Project
) -> None:
    path = asked_project.path / ANSWERS
    stored = yaml.safe_load(path.read_text("utf-8"))
    for answer in EDITED:
        path.write_text(yaml.safe_dump(stored | {name: answer}, allow_unicode=True), "utf-8")
        asked_project.commit("Edited")
        with pytest.raises(Exception, match=SENTENCE):
            run_update(asked_project.path, defaults=True, overwrite=True, quiet=True)
        assert asked_project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_a_computed_value_in_an_edited_answers_file_is_refused(name: str, asked_project: Project) -> None:
    path = asked_project.path / ANSWERS
    stored = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump(stored | {name: "evil"}), "utf-8")
    asked_project.commit("Edited")
    with pytest.raises(ValueError, match="Leave it out"):
        run_update(asked_project.path, defaults=True, overwrite=True, quiet=True)


def test_the_last_line_of_the_command_says_what_is_wrong(questions: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("extensions: [database, nonsense]\n", "utf-8")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "copier",
        "copy",
        "--defaults",
        "--data-file",
        tmp_path / "answers.yml",
    ]
    result = subprocess.run([*command, questions, tmp_path / "new"], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: Invalid choice for 'extensions': 'nonsense' is not in ['database', ")
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def template_of_answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template reduced to the files that an answer can get into."""
    folder = tmp_path_factory.mktemp("answers") / "template"
    for source in [*(ROOT / "template").rglob("*.jinja"), *ROOT.glob("licenses/*"), *ROOT.glob("extensions/**/*")]:
        if source.is_file():
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for name in ("copier.yml", "validators.jinja"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_what_is_taken_is_harmless_in_every_file_it_reaches(
    template_of_answers: Path, stored_texts: Stored, tmp_path: Path
) -> None:
    usual: dict[str, Any] = {**asking_all(""), "extensions": EXTENSIONS}
    run_copy(str(template_of_answers), tmp_path / "usual", data=usual, defaults=True, quiet=True)
    plain = contents(tmp_path / "usual")
    reached: set[str] = set()
    for number, texts in enumerate(zip_longest(*(stored_texts(name) for name in FREE))):
        given = {name: text for name, text in zip(FREE, texts, strict=True) if text is not None}
        given["license"] = ["mit", "apache", "proprietary"][number % 3]
        folder = tmp_path / str(number)
        run_copy(str(template_of_answers), folder, data=usual | given, defaults=True, quiet=True)
        answers = remembered(folder)
        assert answers.items() >= given.items()
        found = contents(folder)
        assert found.keys() == plain.keys()
        for name in (name for name in found if found[name] != plain[name]):
            reached.add(name)
            assert name in READERS, f"{name}: give it a reader, so that what an answer does to it is seen"
            READERS[name](found[name], plain[name], answers)
    assert reached == READERS.keys()


def contents(project: Path) -> dict[str, str]:
    return {
        path.relative_to(project).as_posix(): path.read_text("utf-8") for path in project.rglob("*") if path.is_file()
    }


def read_answers(found: str, _plain: str, answers: dict[str, Any]) -> None:
    assert {name: value for name, value in yaml.safe_load(found).items() if name[0] != "_"} == answers


def read_project(found: str, _plain: str, answers: dict[str, Any]) -> None:
    facts = json.loads(found)
    assert (facts["name"], facts["slug"]) == (answers["project_name"], answers["project_slug"])
    assert facts["description"] == answers["project_description"]
    assert facts["sentry"]["projects"] == {
        "backend": answers["sentry_backend_project"],
        "frontend": answers["sentry_frontend_project"],
    }


def read_openapi(found: str, plain: str, answers: dict[str, Any]) -> None:
    info = json.loads(found)
    assert info["info"]["title"] == answers["project_name"]
    assert info["info"]["description"] == answers["project_description"]
    assert info | {"info": json.loads(plain)["info"]} == json.loads(plain)


def read_manifest(found: str, plain: str, answers: dict[str, Any]) -> None:
    manifest, usual = tomllib.loads(found), tomllib.loads(plain)
    assert manifest["project"].pop("name") == f"{answers['project_slug']}-backend"
    assert manifest["project"].pop("description") == answers["project_description"]
    del usual["project"]["name"], usual["project"]["description"]
    assert manifest == usual


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes' names, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[str]]] = []
        self.texts: list[str] = []
        self.description = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, [name for name, _ in attrs]))
        if ("name", "description") in attrs:
            self.description = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read_page(found: str, plain: str, answers: dict[str, Any]) -> None:
    page, usual = Page(found), Page(plain)
    assert page.elements == usual.elements
    assert page.description == answers["project_description"]
    assert answers["project_name"] in page.texts
    assert len(found.splitlines()) == len(plain.splitlines())


def read_readme(found: str, plain: str, _answers: dict[str, Any]) -> None:
    lines, usual = found.splitlines(), plain.splitlines()
    changed = [line for line, was in zip(lines, usual, strict=True) if line != was]
    assert len(changed) <= 3
    assert not [line for line in changed if "<" in line and not re.fullmatch(r"Repository: <https://[\w./-]+>", line)]


def read_licence(found: str, _plain: str, answers: dict[str, Any]) -> None:
    assert found.count(answers["author_name"]) >= 1
    assert "{{" not in found.replace(answers["author_name"], "")


READERS: dict[str, Callable[[str, str, dict[str, Any]], None]] = {
    ANSWERS: read_answers,
    "LICENSE": read_licence,
    "README.md": read_readme,
    "backend/pyproject.toml": read_manifest,
    "contracts/openapi.json": read_openapi,
    "contracts/project.json": read_project,
    "frontend/index.html": read_page,
}
