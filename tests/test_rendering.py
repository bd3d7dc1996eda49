"""What `copier copy` writes: files that parse, whatever the answers were, and that belong in a repository."""

import ast
import json
import re
import subprocess
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy
from pytest_copier.plugin import CopierFixture

from harness.limits import file_limit
from harness.project import ROOT, Project, example
from tests.conftest import Installed

TEMPLATE = ROOT / "template"
EXAMPLES = ["default", "minimal", "full", "hostile"]
JINJA_LEFT = re.compile(r"\{%|%\}|\{#|#\}|\{\{ *[a-z_.]+ *(\||\}\})")
RESERVED_ON_WINDOWS = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def files(project: Project) -> list[Path]:
    """Return the rendered files, as paths below the project."""
    return sorted(path.relative_to(project.path) for path in project.path.rglob("*") if path.is_file())


def parse(path: Path) -> None:
    """Read a file by the rules of its kind, where this test knows them; the generated linters read the rest."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        json.loads(text)
    elif path.suffix == ".toml":
        tomllib.loads(text)
    elif path.suffix in {".yml", ".yaml"}:
        yaml.safe_load(text)
    elif path.suffix == ".py":
        ast.parse(text)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_file_parses(name: str, rendered: Installed) -> None:
    project = rendered(name)
    for path in files(project):
        parse(project.path / path)


@pytest.mark.parametrize("name", ["default", "minimal", "full"])
def test_no_jinja_is_left(name: str, rendered: Installed) -> None:
    project = rendered(name)
    assert not list(project.path.rglob("*.jinja"))
    # The others are copied as they are, whatever braces they hold.
    rendered_files = [path for path in files(project) if (TEMPLATE / f"{path}.jinja").exists()]
    assert rendered_files
    for path in rendered_files:
        assert not JINJA_LEFT.search((project.path / path).read_text("utf-8")), path


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_project_is_small(name: str, rendered: Installed) -> None:
    project = rendered(name)
    answers: dict[str, Any] = yaml.safe_load((project.path / ".copier-answers.yml").read_text("utf-8"))
    assert len(files(project)) <= file_limit(len(answers["extensions"]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_text_file_ends_in_one_line_feed_and_has_no_carriage_return(name: str, rendered: Installed) -> None:
    project = rendered(name)
    for path in files(project):
        content = (project.path / path).read_bytes()
        assert b"\r" not in content, path
        assert content.endswith(b"\n"), path
        assert not content.endswith(b"\n\n"), path


@pytest.mark.parametrize("name", EXAMPLES)
def test_names_work_on_every_system(name: str, rendered: Installed) -> None:
    seen: set[str] = set()
    for path in files(rendered(name)):
        assert re.fullmatch(r"[A-Za-z0-9._/\[\]-]+", path.as_posix()), path
        assert not {part.split(".")[0].lower() for part in path.parts} & RESERVED_ON_WINDOWS, path
        assert not path.name.endswith("."), path
        assert path.as_posix().lower() not in seen, path
        seen.add(path.as_posix().lower())


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_rendered_file_is_ignored_by_the_rendered_gitignore(name: str, rendered: Installed, tmp_path: Path) -> None:
    project = rendered(name)
    git_folder = tmp_path / "git"
    subprocess.run(["git", "init", "--quiet", "--bare", git_folder], check=True)
    git = ["git", f"--git-dir={git_folder}", f"--work-tree={project.path}"]
    names = "\n".join(path.as_posix() for path in files(project))
    ignored = subprocess.run(
        [*git, "check-ignore", "--stdin", "--no-index"], input=names, capture_output=True, text=True, check=False
    )
    assert ignored.stdout == ""


@pytest.mark.parametrize("name", EXAMPLES)
def test_free_texts_arrive_unchanged_where_they_are_read(name: str, rendered: Installed) -> None:
    project = rendered(name)
    answers: dict[str, Any] = yaml.safe_load((project.path / ".copier-answers.yml").read_text("utf-8"))
    assert answers.items() >= example(name).items()
    facts: dict[str, Any] = json.loads((project.path / "contracts/project.json").read_text("utf-8"))
    assert (facts["name"], facts["description"]) == (answers["project_name"], answers["project_description"])
    openapi: dict[str, Any] = json.loads((project.path / "contracts/openapi.json").read_text("utf-8"))
    assert openapi["info"]["title"] == answers["project_name"]
    assert openapi["info"]["description"] == answers["project_description"]
    manifest = tomllib.loads((project.path / "backend/pyproject.toml").read_text("utf-8"))
    assert manifest["project"]["name"] == f"{answers['project_slug']}-backend"
    assert manifest["project"]["description"] == answers["project_description"]
    if answers["license"] != "apache":
        assert answers["author_name"] in (project.path / "LICENSE").read_text("utf-8")


def test_hostile_texts_reach_only_the_files_that_escape_them(rendered: Installed) -> None:
    marked = {
        path.as_posix() for path in files(rendered("hostile")) if "مرحبا 🚀" in text_of(rendered("hostile"), path)
    }
    assert marked == {
        ".copier-answers.yml",
        "README.md",
        "contracts/openapi.json",
        "contracts/project.json",
        "frontend/index.html",
    }


def text_of(project: Project, path: Path) -> str:
    return unicodedata.normalize("NFC", (project.path / path).read_text("utf-8"))


def test_markup_in_a_name_stays_text_in_the_page_and_in_the_readme(rendered: Installed) -> None:
    project = rendered("hostile")
    assert "<b>" not in text_of(project, Path("frontend/index.html"))
    readme = text_of(project, Path("README.md"))
    assert "<b>" not in readme
    assert "<script>" not in readme


@pytest.mark.parametrize(
    ("host", "present"),
    [
        ("github", {".github/workflows/ci.yml"}),
        ("gitlab", {".gitlab-ci.yml", "renovate.json"}),
        ("none", set()),
    ],
)
def test_only_the_pipeline_of_the_chosen_host_is_there(
    host: str, present: set[str], copier: CopierFixture, tmp_path: Path
) -> None:
    written = {path.as_posix() for path in files(Project(copier.copy(tmp_path / "project", repository_host=host).path))}
    pipelines = {name for name in written if name.startswith((".github/", ".gitlab")) or name == "renovate.json"}
    assert present <= pipelines
    assert {name.partition("/")[0] for name in pipelines} == {name.partition("/")[0] for name in present}


@pytest.mark.parametrize(
    ("answer", "phrase"),
    [("mit", "Permission is hereby granted"), ("apache", "Apache License"), ("proprietary", "All rights reserved")],
)
def test_the_chosen_licence_is_written(answer: str, phrase: str, copier: CopierFixture, tmp_path: Path) -> None:
    project = copier.copy(tmp_path / "project", license=answer, author_name="Ada")
    text = (project.path / "LICENSE").read_text("utf-8")
    assert phrase in text
    assert "Copyright (c) Ada" in text or "Copyright Ada" in text


@pytest.mark.parametrize(
    ("answers", "address"),
    [
        ({"sentry_host": "us"}, "https://sentry.io"),
        ({"sentry_host": "eu"}, "https://de.sentry.io"),
        (
            {"sentry_host": "custom", "sentry_custom_url": "https://errors.example:8443/sentry"},
            "https://errors.example:8443/sentry",
        ),
    ],
)
def test_the_sentry_host_is_remembered_as_an_address(
    answers: dict[str, str], address: str, copier: CopierFixture, tmp_path: Path
) -> None:
    project = copier.copy(tmp_path / "project", **answers)
    assert json.loads((project.path / "contracts/project.json").read_text("utf-8"))["sentry"]["url"] == address


def test_the_message_after_copying_names_the_next_command(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_copy(str(template), tmp_path / "project", defaults=True)
    assert "make dev" in capsys.readouterr().err


def test_copying_twice_gives_the_same_files(rendered: Installed, template: Path, tmp_path: Path) -> None:
    again = tmp_path / "project"
    run_copy(str(template), again, data=example("full"), defaults=True, quiet=True)
    first = rendered("full")
    assert files(Project(again)) == files(first)
    for path in files(first):
        assert (again / path).read_bytes() == (first.path / path).read_bytes(), path


def test_no_registry_host_and_no_path_of_a_machine_is_rendered(rendered: Installed) -> None:
    project = rendered("full")
    for path in files(project):
        text = (project.path / path).read_text("utf-8")
        for host in ("registry.npmjs.org", "pypi.org", "files.pythonhosted.org", '"resolved"', "/root/", "/home/"):
            assert host not in text, (path, host)


def test_containers_take_every_variable_of_the_page_when_they_start(rendered: Installed) -> None:
    project = rendered("default").path
    variables = (project / "frontend/src/config/variables.ts").read_text("utf-8")
    names = re.findall(r'^  "(\w+)",$', variables.partition("NAMES = [")[2].partition("]")[0], re.MULTILINE)
    assert {"VITE_SENTRY_DSN", "VITE_SENTRY_ENVIRONMENT", "SENTRY_ORG_ID", "SENTRY_SENSITIVE_KEYS"} <= set(names)
    configure = (project / "frontend/configure.sh").read_text("utf-8")
    assert re.findall(r"^take (\w+) ", configure, re.MULTILINE) == names
    web = yaml.safe_load((project / "compose.yaml").read_text("utf-8"))["services"]["web"]
    assert list(web["environment"]) == names
    # The release is the only one that belongs to the build.
    arguments = re.findall(r"^ARG (.+)$", (project / "frontend/Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert arguments == list(web["build"]["args"]) == ["SENTRY_RELEASE"]


def test_a_deploy_takes_every_variable_of_the_guide(copier: CopierFixture, tmp_path: Path) -> None:
    # Those of extensions come in DEPLOY_VARIABLES; test_composition.py looks for them.
    project = copier.copy(tmp_path / "project", extensions=[]).path
    guide = (project / "docs/configuration.md").read_text("utf-8").partition("## Backend")[2].partition("## Page")[0]
    api = yaml.safe_load((project / "compose.yaml").read_text("utf-8"))["services"]["api"]["environment"]
    # The release belongs to the image.
    assert set(api) == set(re.findall(r"^\| `(\w+)` ", guide, re.MULTILINE)) - {"SENTRY_RELEASE"} | {"WEB_CONCURRENCY"}
    workflow = yaml.safe_load((project / ".github/workflows/release.yml").read_text("utf-8"))
    (deploy,) = [step for step in workflow["jobs"]["deploy"]["steps"] if step.get("id") == "deploy"]
    asked = re.findall(r"\$\{(\w+)", (project / "compose.yaml").read_text("utf-8"))
    assert set(deploy["env"]) >= set(asked) - {"SENTRY_RELEASE", "VIEWER_PORT"}
