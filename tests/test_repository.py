"""The template repository itself: its code, its workflow and what it must never contain."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.project import ROOT
from harness.releases import git
from tests.conftest import Installed

BIN = Path(sys.executable).parent
TRACKED = [ROOT / name for name in git("ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()]
TEXTS = [path for path in TRACKED if path.is_file() and path.suffix != ".png"]
WORKFLOW = ROOT / ".github/workflows/ci.yml"


def run(*command: str | Path, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join
)
def test_the_code_of_the_repository_is_clean(command: tuple[str, ...]) -> None:
    result = run(BIN / command[0], *command[1:])
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_workflow_runs_ci_run_pinned_and_without_privileges() -> None:
    workflow: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]), step


@pytest.mark.parametrize("where", ["repository", "default", "hostile"])
@pytest.mark.parametrize(
    "command",
    [
        ("zizmor", "--offline", "--no-progress", "--persona", "auditor"),
        ("actionlint", "-shellcheck", str(BIN / "shellcheck")),
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
    ],
    ids=lambda command: str(command[0]),
)
def test_workflows_pass_their_linters(where: str, command: tuple[str, ...], rendered: Installed) -> None:
    root = ROOT if where == "repository" else rendered(where).path
    files = sorted((root / ".github/workflows").glob("*.yml"))
    assert files
    if command[0] == "zizmor":
        files += sorted((root / ".github").glob("dependabot.yml"))
    result = run(BIN / command[0], *command[1:], *files, cwd=root)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("example_name", "file", "schema"),
    [
        ("default", ".github/dependabot.yml", "vendor.dependabot"),
        ("full", ".gitlab-ci.yml", "vendor.gitlab-ci"),
        ("full", "compose.yaml", "vendor.compose-spec"),
        ("full", "compose.production.yaml", "vendor.compose-spec"),
        ("full", "renovate.json", "vendor.renovate"),
    ],
)
def test_generated_files_follow_their_schemas(example_name: str, file: str, schema: str, rendered: Installed) -> None:
    arguments = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    result = run(BIN / "check-jsonschema", "--builtin-schema", schema, *arguments, rendered(example_name).path / file)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["backend/Dockerfile", "frontend/Dockerfile"])
def test_dockerfiles_pass_hadolint(name: str, rendered: Installed) -> None:
    result = run(BIN / "hadolint", rendered("default").path / name)
    assert result.returncode == 0, result.stdout + result.stderr


def test_git_ignores_no_file_that_is_rendered() -> None:
    # The rules of the generated project's .gitignore hold in template/ as well, where its names have a suffix more.
    ignored = git("ls-files", "--others", "--ignored", "--exclude-standard", "template", cwd=ROOT).splitlines()
    assert [name for name in ignored if "__pycache__" not in name] == []


def test_requirements_are_hashed_and_name_no_index() -> None:
    for path in (ROOT / "requirements.txt", ROOT / "harness/bugsink-requirements.txt"):
        text = path.read_text("utf-8")
        pinned = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==", text, re.MULTILINE)
        assert len(pinned) > 10
        assert text.count("\\\n    --hash=sha256:") >= len(pinned)
        assert "--index" not in text
        assert "://" not in text


def test_requirements_satisfy_the_project_file() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    text = (ROOT / "requirements.txt").read_text("utf-8")
    for requirement in wanted:
        name = re.split(r"[<>=\[]", requirement)[0]
        assert re.search(rf"^{re.escape(name)}==", text, re.MULTILINE), name
        assert "<" in requirement, f"{name} has no upper bound"


def test_nothing_names_a_registry_or_a_machine() -> None:
    hosts = [
        "registry." + "npmjs.org",
        "files." + "pythonhosted.org",
        "pypi." + "org/simple",
        "/ro" + "ot/",
        "/wo" + "rk/",
    ]
    for path in TEXTS:
        text = path.read_text("utf-8")
        if path != Path(__file__) and path.name != "test_rendering.py":
            assert not [host for host in hosts if host in text], path


def test_the_changelog_names_releases_as_the_update_tests_find_them() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings
    assert all(re.fullmatch(r"\d+\.\d+\.\d+|Unreleased", heading) for heading in headings)


def test_links_between_documents_lead_somewhere() -> None:
    for path in TEXTS:
        if path.suffix != ".md" or "template" in path.parts:
            continue
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), (path, target)


@pytest.mark.parametrize("name", ["default", "minimal", "full", "hostile"])
def test_links_between_generated_documents_lead_somewhere(name: str, rendered: Installed) -> None:
    project = rendered(name)
    for path in project.path.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), (path, target)


def test_jinja_files_hold_at_most_five_statements_and_none_is_nested() -> None:
    for path in (ROOT / "template").rglob("*.jinja"):
        text = path.read_text("utf-8")
        assert len(re.findall(r"\{%-? *(?:if|for|include|set|macro)\b", text)) <= 5, path
        depth = 0
        for word in re.findall(r"\{%-? *(if|for|endif|endfor)\b", text):
            depth += -1 if word.startswith("end") else 1
            assert depth <= 1, path
