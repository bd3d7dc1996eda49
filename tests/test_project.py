"""The generated project's own commands: everything it promises its owner is green from the first minute."""

import json
import os
import re
from pathlib import Path

import pytest

from harness.browser import chromium_path
from harness.matrix import SAME_EVERYWHERE, leaving_out
from harness.processes import HOST, free_port
from harness.project import Project, example, render
from tests.conftest import Installed

EXAMPLES = ["default", "minimal", "full", "hostile"]
# The others run all of the checks in their pipelines: default in test_github.py, full in test_gitlab.py. Which other
# answers meet is computed: test_matrix.py.
WITHOUT_PIPELINE = ["minimal", "hostile"]


@pytest.mark.parametrize("name", WITHOUT_PIPELINE)
def test_lint_finds_nothing(name: str, installed: Installed) -> None:
    installed(name).make("lint")


# That lint finds nothing says the same of the others.
@pytest.mark.parametrize("name", ["hostile"])
def test_the_formatters_change_nothing(name: str, installed: Installed) -> None:
    project = installed(name)
    project.make("format")
    assert project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("name", WITHOUT_PIPELINE)
def test_the_unit_tests_pass(name: str, installed: Installed) -> None:
    output = installed(name).make("test", environment=leaving_out(SAME_EVERYWHERE)).stdout
    assert re.search(r"\d+ passed", output)
    assert "skipped" not in output


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_build_has_debug_ids_and_its_source_maps_are_not_served(name: str, installed: Installed) -> None:
    project = installed(name)
    project.make("build", "release-check")
    dist = project.path / "frontend/dist"
    scripts = sorted(dist.rglob("*.js"))
    assert scripts
    assert list(dist.rglob("*.map")) == []
    for script in scripts:
        text = script.read_text("utf-8")
        assert "sourceMappingURL" not in text, script
        debug_id = re.search(r"^//# debugId=([0-9a-f-]{36})$", text, re.MULTILINE)
        assert debug_id, script
        source_map = project.path / "release/sourcemaps" / f"{script.relative_to(dist)}.map"
        assert json.loads(source_map.read_text("utf-8"))["debugId"] == debug_id.group(1), script


def test_a_worker_has_a_debug_id_too(restore: Project) -> None:
    frontend = restore.path / "frontend"
    (frontend / "src/job.worker.ts").write_text('self.postMessage("done");\n', "utf-8")
    with (frontend / "src/main.tsx").open("a", encoding="utf-8") as main:
        main.write('new Worker(new URL("./job.worker.ts", import.meta.url), { type: "module" });\n')
    restore.make("build")
    record = json.loads((restore.path / "release/build.json").read_text("utf-8"))
    (worker,) = [name for name in record["debug_ids"] if "job.worker" in name]
    assert (restore.path / f"release/sourcemaps/{worker}.map").is_file()


@pytest.mark.parametrize(
    ("name", "files"),
    # Answers change names and texts in the page, which the hostile ones do most; no answer changes how it behaves.
    [("hostile", ["accessibility", "csp", "diagnostics", "errors"]), ("minimal", ["diagnostics", "csp"])],
)
def test_the_browser_tests_pass(name: str, files: list[str], installed: Installed) -> None:
    command = ("npm", "--prefix", "frontend", "run", "e2e", "--", *files)
    output = installed(name).run(*command, environment={"CHROMIUM_PATH": chromium_path()}).stdout
    assert re.search(r"\d+ passed", output)
    assert not re.search(r"\d+ (skipped|flaky|failed)", output)


@pytest.mark.parametrize("name", ["default"])
def test_sentry_costs_no_more_than_its_budget(name: str, installed: Installed) -> None:
    assert "before first paint" in installed(name).make("size").stdout


def test_a_broken_budget_is_told_with_its_number(restore: Project) -> None:
    boot = restore.path / "frontend/src/lib/sentry/boot.ts"
    line = 'import * as everything from "@sentry/core";\nObject.assign(window, { everything });\n'
    boot.write_text(line + boot.read_text("utf-8"), "utf-8")
    result = restore.make("size", check=False)
    assert result.returncode != 0
    assert re.search(r"before first paint: \d{5,} bytes after gzip -9, and the budget is 1536\.", result.stderr)


def test_generated_documents_of_the_api_are_up_to_date(default_project: Project) -> None:
    default_project.make("openapi")
    assert default_project.run("git", "status", "--porcelain").stdout == ""


def test_help_lists_every_target_with_a_description(default_project: Project) -> None:
    makefile = (default_project.path / "Makefile").read_text("utf-8")
    declared = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert declared
    targets = declared.group(1).split()
    assert set(targets) >= {"setup", "dev", "test", "lint", "format", "build", "e2e", "clean", "help"}
    listed = default_project.make("help").stdout
    for target in targets:
        assert re.search(rf"make {target} +\S", listed), target


def test_release_is_the_slug_the_version_and_the_commit(default_project: Project) -> None:
    commit = default_project.run("git", "rev-parse", "HEAD").stdout.strip()
    assert default_project.make("release").stdout.strip() == f"my-app@0.1.0+{commit[:12]}"


def test_the_lock_file_of_npm_names_no_host(default_project: Project) -> None:
    text = (default_project.path / "frontend/package-lock.json").read_text("utf-8")
    assert '"resolved"' not in text
    assert "registry." not in text


def test_everything_works_in_a_folder_with_spaces_and_without_an_installed_uv(template: Path, tmp_path: Path) -> None:
    project = render(template, tmp_path / "späce dir" / "my app", example("default"))
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if not (Path(folder) / "uv").exists())
    environment = {"PATH": path, "npm_config_prefer_offline": "true"}
    project.make("build", "release", environment=environment)
    assert (project.path / ".tools/bin/uv").exists()

    unreachable = {"SENTRY_URL": f"http://{HOST}:{free_port()}", "SENTRY_AUTH_TOKEN": "none", "SENTRY_PATIENCE": "10"}
    upload = project.make("sourcemaps", environment=environment | unreachable, check=False)
    assert upload.returncode != 0
    assert "were not uploaded, and are still in release/sourcemaps" in upload.stderr
