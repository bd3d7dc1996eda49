"""Extensions are whole: what is not chosen leaves no trace, what is chosen is complete, nothing else knows it."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.limits import EXTENSION_FILES
from harness.matrix import MULTISELECT, choices
from harness.project import ROOT, Project, render

NAMES = choices(MULTISELECT)
Files = Mapping[str, str]
FilesWith = Callable[[Sequence[str]], Files]


@dataclass(frozen=True)
class Marks:
    """By what a file that knows of an extension is recognised.

    Attributes:
        words: regular expressions that match nothing of a project without any extension.
        shared: those of ``words`` that belong to another extension too.
    """

    words: tuple[str, ...]
    shared: tuple[str, ...] = ()


QUEUES = (r'"redis[>\[]', r"redis:\d", r"redis://(?!:)")
# Beside these for each: its folders, its page of docs, its variables. No common English word.
MARKS = {
    "database": Marks(
        (r"sqlalchemy", r"alembic", r"asyncpg|psycopg", r"aiosqlite", r"postgres(?!ql://)", r"/api/v1/items\b")
    ),
    # Jobs wait in the same server.
    "redis": Marks((*QUEUES, r"/api/v1/cache\b"), shared=QUEUES),
    "jobs": Marks((r"\bworker:$", r"\bscheduler:$", r"/api/v1/jobs\b")),
    "websocket": Marks((r'"websockets>', r"/api/v1/ws\b")),
    "auth": Marks((r'"pyjwt\[?|joserfc|authlib',)),
    "prometheus": Marks((r"prometheus", r"grafana", r'"/metrics"')),
    "ai": Marks((r"\bgen_ai\.(?!request\.max|usage)", r'"openai>')),
    "storage": Marks((r"obstore", r"\bmoto\b", r"/api/v1/storage\b", r"\bS3\b")),
}
# Those that the API can serve without, or that need nothing outside of it.
WITHOUT_READINESS = {"websocket", "prometheus", "ai"}
CONTAINERS = {"database": {"postgres", "migrate"}, "redis": {"redis"}, "jobs": {"redis", "worker", "scheduler"}}
# What secrets look like: it names many products that a project need not have.
VOCABULARY = {
    "contracts/scrubber.json",
    "contracts/scrubber-cases.json",
    "frontend/e2e/canaries.ts",
    "frontend/package-lock.json",
}
# What is put together from the parts of the chosen extensions.
COMPOSED = {
    ".copier-answers.yml",
    ".env.example",
    "backend/app/extensions/__init__.py",
    "backend/pyproject.toml",
    "compose.production.yaml",
    "compose.yaml",
    "contracts/openapi.json",
    "docs/configuration.md",
    "frontend/src/extensions/index.ts",
    "frontend/src/lib/api/schema.d.ts",
}
# Aids of several extensions' tests.
AIDS = re.compile(r"backend/tests/extensions/[a-z_]+\.py")
# The only code that names extensions.
REGISTRIES = {"backend/app/extensions/__init__.py", "frontend/src/extensions/index.ts"}
FRAGMENTS = {
    "dependencies": "backend/pyproject.toml",
    "development": "backend/pyproject.toml",
    "env": ".env.example",
    "configuration.md": "docs/configuration.md",
    "compose.api.yaml": "compose.yaml",
    "production.api.yaml": "compose.production.yaml",
}


def owned(name: str) -> re.Pattern[str]:
    """Return what the paths of an extension's files match."""
    return re.compile(
        rf"(backend/app/extensions/{name}/|backend/tests/extensions/{name}/|frontend/src/extensions/{name}/"
        rf"|ops/extensions/{name}/|frontend/e2e/extensions/{name}\.spec\.ts$|docs/extensions/{name}\.md$)"
    )


def own_names(name: str) -> tuple[str, ...]:
    """Return what only somebody who knows the extension writes: its folders, its page, its variables."""
    return (rf"extensions[/.]{name}\b", *(rf"\b{variable}\b" for variable in settings(name)))


def settings(name: str) -> Iterator[str]:
    """Yield the name of each variable that an extension reads, from the source of its settings classes."""
    for path in sorted((ROOT / f"template/backend/app/extensions/{name}").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and "BaseAppSettings" in map(ast.unparse, node.bases):
                prefix = re.search(r"env_prefix='([A-Z_]*)'", ast.unparse(node))
                assert prefix, f"{path}: {node.name} has no env_prefix"
                for field in node.body:
                    # An alias is a variable of the application.
                    if (
                        isinstance(field, ast.AnnAssign)
                        and isinstance(field.target, ast.Name)
                        and "validation_alias" not in ast.unparse(field)
                    ):
                        yield f"{prefix[1]}{field.target.id.upper()}"


def files(project: Project) -> Files:
    """Return the text of each rendered file by its path."""
    paths = [path for path in project.path.rglob("*") if path.is_file()]
    return {path.relative_to(project.path).as_posix(): path.read_text("utf-8") for path in paths}


def lines_with(expressions: Sequence[str], found: Files) -> list[str]:
    """Return the lines, with their files, that an expression matches."""
    known = re.compile("|".join(expressions), re.MULTILINE)
    return [
        f"{path}: {line.strip()[:120]}"
        for path, text in found.items()
        if path not in VOCABULARY and known.search(f"{path}\n{text}")
        for line in [path, *text.splitlines()]
        if known.search(line)
    ]


@pytest.fixture(scope="module")
def files_with(template: Path, tmp_path_factory: pytest.TempPathFactory) -> FilesWith:
    """A function that returns the texts, by path, of the project of the default answers with some extensions."""
    projects: dict[tuple[str, ...], Files] = {}

    def generate(names: Sequence[str]) -> Files:
        key = tuple(names)
        if key not in projects:
            folder = tmp_path_factory.mktemp("composed") / "project"
            projects[key] = files(render(template, folder, {MULTISELECT: list(names)}))
        return projects[key]

    return generate


def test_every_extension_has_marks() -> None:
    assert list(MARKS) == NAMES
    for name in NAMES:
        assert list((ROOT / f"template/backend/app/extensions/{name}").glob("*.py")), name


@pytest.mark.parametrize("name", NAMES)
def test_without_any_extension_nothing_mentions_one(name: str, files_with: FilesWith) -> None:
    assert lines_with([*own_names(name), *MARKS[name].words], files_with([])) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_chosen_leaves_no_trace_among_the_others(name: str, files_with: FilesWith) -> None:
    found = files_with([other for other in NAMES if other != name])
    words = [word for word in MARKS[name].words if word not in MARKS[name].shared]
    assert [path for path in found if owned(name).match(path)] == []
    assert lines_with(own_names(name), found) == []
    in_composed = {path: text for path, text in found.items() if path in COMPOSED}
    assert lines_with(words, in_composed) == []


@pytest.mark.parametrize("name", NAMES)
def test_choosing_one_adds_what_it_owns_and_changes_what_is_put_together(name: str, files_with: FilesWith) -> None:
    before, after = files_with([]), files_with([name])
    assert set(before) <= set(after)
    added = set(after) - set(before)
    assert [path for path in added if not owned(name).match(path) and not AIDS.fullmatch(path)] == []
    assert {path for path in before if before[path] != after[path]} <= COMPOSED


@pytest.mark.parametrize("name", NAMES)
def test_a_chosen_one_is_complete(name: str, files_with: FilesWith) -> None:
    found = files_with([name])
    assert f"docs/extensions/{name}.md" in found
    assert f"backend/app/extensions/{name}/__init__.py" in found
    assert [path for path in found if path.startswith(f"backend/tests/extensions/{name}/test_")]
    assert f"from app.extensions.{name} import extension as {name}" in found["backend/app/extensions/__init__.py"]
    assert ("readiness=" in found[f"backend/app/extensions/{name}/__init__.py"]) == (name not in WITHOUT_READINESS)
    has_page = any(path.startswith(f"frontend/src/extensions/{name}/") for path in found)
    assert has_page == (f"frontend/e2e/extensions/{name}.spec.ts" in found)
    assert has_page == (f"./{name}" in found["frontend/src/extensions/index.ts"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["compose.yaml", "compose.production.yaml"])
def test_a_chosen_one_brings_its_containers_and_no_other(file: str, name: str, files_with: FilesWith) -> None:
    before, after = (yaml.safe_load(files_with(names)[file])["services"] for names in ([], [name]))
    assert after.keys() - before.keys() == CONTAINERS.get(name, set())
    assert before.keys() <= after.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_a_chosen_one_is_in_the_file_that_it_is_for(name: str, files_with: FilesWith) -> None:
    found = files_with([name])
    for fragment, target in FRAGMENTS.items():
        part = ROOT / f"extensions/{name}/{fragment}"
        if part.exists():
            for line in part.read_text("utf-8").splitlines():
                assert line in found[target].splitlines(), (fragment, line)
    # What nothing reads would be forgotten in silence.
    known = {*FRAGMENTS, "mypy.toml", "openapi.json", "schema.json"}
    assert {path.name for path in (ROOT / f"extensions/{name}").iterdir()} <= known


@pytest.mark.parametrize("names", [NAMES, *([name] for name in NAMES)], ids="+".join)
def test_only_the_registries_name_extensions(names: list[str], files_with: FilesWith) -> None:
    code = {
        path: text
        for path, text in files_with(names).items()
        if path.startswith(("backend/app/", "frontend/src/"))
        and path not in REGISTRIES
        and not any(owned(name).match(path) for name in NAMES)
    }
    assert [
        line for name in NAMES for line in lines_with([rf"extensions[/.]{name}\b", rf"Extension\(.{name}"], code)
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_extensions_do_not_know_each_other(name: str, files_with: FilesWith) -> None:
    code = {path: text for path, text in files_with(NAMES).items() if owned(name).match(path)}
    imports = [rf"(import|from) .*extensions[/.]{other}\b" for other in NAMES if other != name]
    assert lines_with(imports, code) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_in_the_guide_the_example_and_the_containers(name: str, files_with: FilesWith) -> None:
    found = files_with([name])
    compose: dict[str, Any] = yaml.safe_load(found["compose.yaml"])
    for variable in settings(name):
        assert re.search(rf"^\|.*`{variable}`", found["docs/configuration.md"], re.MULTILINE), variable
        assert re.search(rf"\b{variable}\b", found[".env.example"]), variable
        assert variable in compose["services"]["api"]["environment"], variable


@pytest.mark.parametrize("name", NAMES)
def test_it_needs_no_more_files_than_a_part_should(name: str, files_with: FilesWith) -> None:
    assert len(files_with([name])) - len(files_with([])) <= EXTENSION_FILES
