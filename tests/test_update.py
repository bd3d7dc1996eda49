"""`copier update`: from every release to the present state, with an owner who has changed things."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from copier import VcsRef, run_copy, run_recopy, run_update

from harness.project import ROOT, Project, example
from harness.releases import git, releases
from tests.questions import ANSWERS, remembered
from tests.updates import (
    OWNED,
    add_line,
    append,
    commit_version,
    comparable,
    copy,
    differences,
    files,
    same,
    unmerged,
    update,
)

RELEASES = releases(ROOT)
OLDEST = next(iter(RELEASES))
EXAMPLES = ["default", "minimal", "full"]

Released = Callable[[str, str], Project]


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Copier's cache of templates away from the user's."""
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def originals(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A function that generates the project of an example from a release, once; read it, do not change it."""
    known: dict[tuple[str, str], Project] = {}

    def generate(version: str, name: str) -> Project:
        if (version, name) not in known:
            folder = tmp_path_factory.mktemp(f"{name}-{version}") / "project"
            known[version, name] = copy(template, folder, example(name), f"v{version}")
        return known[version, name]

    return generate


@pytest.fixture
def released(originals: Released, tmp_path: Path) -> Released:
    """A function that makes a project of an example from a release, to be changed and updated."""

    def clone(version: str, name: str) -> Project:
        return Project(Path(shutil.copytree(originals(version, name).path, tmp_path / f"{name}-{version}")))

    return clone


@pytest.fixture(scope="module")
def fresh(template: Path, originals: Released, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A function that generates what an updated project of an example from a release shall be equal to."""
    known: dict[str, Project] = {}

    def generate(version: str, name: str) -> Project:
        answers = comparable(originals(version, name), name)
        key = json.dumps(answers)
        if key not in known:
            known[key] = copy(template, tmp_path_factory.mktemp(f"fresh-{name}") / "project", answers)
        return known[key]

    return generate


@pytest.fixture
def newer_template(template: Path, tmp_path: Path) -> Path:
    """The template with one more version, v99.0.0, that changes, adds and removes files."""
    clone = tmp_path / "newer"
    git("clone", "--quiet", str(template), str(clone), cwd=tmp_path)
    folder = clone / "template"
    (folder / "docs/added.md").write_text("# Added\n", "utf-8")
    (folder / "compose.yaml.jinja").unlink()
    makefile = folder / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").replace("list these commands", "show these commands"), "utf-8")
    commit_version(clone, "v99.0.0")
    return clone


def test_the_history_has_a_release() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert RELEASES
    assert all(f"## {version}" in changelog for version in RELEASES)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("version", RELEASES)
def test_an_untouched_project_of_any_release_becomes_equal_to_a_fresh_copy(
    version: str, name: str, released: Released, fresh: Released
) -> None:
    project = released(version, name)
    update(project)
    assert differences(project.path, fresh(version, name).path) <= OWNED
    stored = [yaml.safe_load((one.path / ANSWERS).read_text("utf-8")) for one in (project, fresh(version, name))]
    assert stored[0] == stored[1]


def owners_work(project: Project, unchanged: set[str]) -> dict[str, str | None]:
    """Do what owners do, commit it, and return the files that are theirs now with their contents, or that are gone.

    Args:
        project: what they work in.
        unchanged: files that no version of the template has changed since.
    """
    root = project.path
    append(root / "README.md", "\nOur own paragraph.\n")
    append(root / "backend/app/main.py", "\n# Our own line.\n")
    (root / "CHANGELOG.md").write_text("# Our changelog\n", "utf-8")
    append(root / "frontend/package-lock.json", "\n")
    added = {
        "backend/uv.lock": "version = 1\n",
        "backend/app/api/routes/orders.py": '"""Our own file in a folder of the template."""\n',
        "backend/app/extensions/ours/__init__.py": '"""Our own extension."""\n',
        "frontend/src/features/orders/OrdersPage.tsx": "export const OrdersPage = () => null;\n",
    }
    for name, content in added.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, "utf-8")
    (root / "docs/troubleshooting.md").unlink()
    # In their own style: narrower Python, wider JSON.
    python = min(name for name in unchanged if name.endswith(".py") and (root / name).stat().st_size > 1500)
    options = ("--isolated", "--quiet", "--line-length", "40")
    subprocess.run([sys.executable, "-m", "ruff", "format", *options, str(root / python)], check=True)
    reformatted = {python, min(name for name in unchanged if name.endswith(".json"))}
    for name in reformatted - {python}:
        (root / name).write_text(json.dumps(json.loads((root / name).read_text("utf-8")), indent=7) + "\n", "utf-8")
    # As an editor on Windows writes them; .gitattributes has git store line feeds.
    for path in (root / "backend/app").rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    project.commit("Our work")
    ours = {*added, *reformatted, *OWNED}
    return {name: (root / name).read_text("utf-8") for name in ours} | {"docs/troubleshooting.md": None}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("version", RELEASES)
def test_an_update_from_any_release_keeps_what_the_owner_did(
    version: str, name: str, released: Released, fresh: Released
) -> None:
    project, goal = released(version, name), fresh(version, name).path
    work = owners_work(project, files(goal) - differences(project.path, goal))

    update(project)

    for path, content in work.items():
        found = project.path / path
        assert (found.read_text("utf-8") if found.exists() else None) == content, path
    assert (project.path / "README.md").read_text("utf-8").endswith("\nOur own paragraph.\n")
    assert (project.path / "backend/app/main.py").read_text("utf-8").endswith("\n# Our own line.\n")
    assert differences(project.path, goal) == {*work, "README.md", "backend/app/main.py"}
    assert remembered(project.path) == remembered(goal)


# What docs/architecture.md tells owners to add to files of the template, a package and a container: the file, the line
# above it, its own line.
ADDED = [
    ("backend/app/api/router.py", "v1.include_router(diagnostics", "v1.include_router(orders.router)"),
    ("backend/app/core/config.py", '    """``LOG_LEVEL``', '\n    currency: str = "EUR"\n    """``CURRENCY``"""'),
    ("backend/pyproject.toml", '    "uvicorn', '    "zope.interface>=7",'),
    (
        "frontend/src/app/App.tsx",
        "import { DiagnosticsPage }",
        'import { OrdersPage } from "../features/orders/OrdersPage";',
    ),
    ("frontend/src/app/App.tsx", "          { index: true", '          { path: "/orders", Component: OrdersPage },'),
]


@pytest.mark.parametrize("version", RELEASES)
def test_what_the_guide_tells_an_owner_to_add_is_no_conflict(version: str, released: Released) -> None:
    project = released(version, "default")
    router = project.path / "backend/app/api/router.py"
    router.write_text(
        router.read_text("utf-8").replace("import diagnostics, health", "import diagnostics, health, orders")
    )
    for name, above, line in ADDED:
        add_line(project.path / name, above, line)
    compose = project.path / "compose.yaml"
    services, volumes, others = compose.read_text("utf-8").partition("\nvolumes:\n")
    compose.write_text(f"{services}\n  ours:\n    image: busybox\n{volumes}{others}", "utf-8")
    project.commit("Our work")
    update(project)
    assert "import diagnostics, health, orders\n" in router.read_text("utf-8")
    assert all(f"{line}\n" in (project.path / name).read_text("utf-8") for name, _, line in ADDED)
    assert yaml.safe_load(compose.read_text("utf-8"))["services"].keys() >= {"api", "viewer", "web", "ours"}


def test_an_updated_project_with_an_owners_work_passes_its_own_checks(released: Released) -> None:
    project = released(OLDEST, "default")
    append(project.path / "README.md", "\nOur own paragraph.\n")
    route = project.path / "backend/app/api/routes/orders.py"
    route.write_text('"""Our own routes."""\n\nfrom fastapi import APIRouter\n\nrouter = APIRouter()\n', "utf-8")
    test = project.path / "backend/tests/api/test_orders.py"
    test.write_text(
        "from app.api.routes.orders import router\n\n\n"
        "def test_there_are_no_orders_yet() -> None:\n    assert not router.routes\n",
        "utf-8",
    )
    project.commit("Our work")
    update(project)
    offline = {"npm_config_prefer_offline": "true", "CI": ""}
    project.make("setup", environment=offline)
    project.make("lint", environment=offline)
    assert "passed" in project.make("test", environment=offline).stdout
    project.commit("Newer version of the template")
    assert unmerged(project) == set()


def extensions_of(project: Project) -> object:
    return remembered(project.path)["extensions"]


@pytest.mark.parametrize(
    "answers",
    [
        {"sentry_backend_project": "api"},
        {"sentry_host": "eu", "sentry_organization": "acme", "sentry_frontend_project": "web"},
        {"license": "mit"},
    ],
    ids=",".join,
)
def test_nobody_gets_a_part_by_an_update_whatever_else_is_answered(
    answers: dict[str, object], released: Released
) -> None:
    project = released(OLDEST, "minimal")
    update(project, answers=answers)
    assert remembered(project.path).items() >= {**answers, "extensions": []}.items()


def test_nobody_gets_a_part_by_a_recopy(released: Released) -> None:
    project = released(OLDEST, "minimal")
    run_recopy(project.path, defaults=True, overwrite=True, quiet=True)
    assert extensions_of(project) == []


@pytest.mark.parametrize("answers", [{}, {"sentry_backend_project": "api"}, {"sentry_host": "custom"}], ids=",".join)
def test_a_new_project_gets_the_default_parts_whatever_else_is_answered(
    answers: dict[str, object], questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("defaults:\n  sentry_organization: acme\n", "utf-8")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
    run_copy(str(questions), tmp_path / "project", data=answers, defaults=True, quiet=True)
    found = remembered(tmp_path / "project")
    assert (found["extensions"], found["sentry_organization"]) == (["database"], "acme")


def test_the_parts_of_a_project_stay_when_the_default_changes(newer_template: Path, tmp_path: Path) -> None:
    project = copy(newer_template, tmp_path / "project", {"extensions": ["redis"]}, "HEAD~1")
    update(project, "v99.0.0")
    assert extensions_of(project) == ["redis"]
    assert same(project.path / "docs/extensions/redis.md", newer_template / "template/docs/extensions/redis.md")


@pytest.mark.parametrize("name", sorted(OWNED))
def test_a_deleted_file_of_the_owner_does_not_come_back(name: str, newer_template: Path, tmp_path: Path) -> None:
    project = copy(newer_template, tmp_path / "project", example("minimal"), "HEAD~1")
    (project.path / name).unlink()
    project.commit("Not ours")
    update(project, "v99.0.0")
    assert not (project.path / name).exists()


def test_a_newer_version_adds_changes_and_removes_files_beside_the_owners_edits(
    newer_template: Path, tmp_path: Path
) -> None:
    project = copy(newer_template, tmp_path / "project", example("default"), "HEAD~1")
    makefile = project.path / "Makefile"
    makefile.write_text(makefile.read_text("utf-8") + "\nseed:\n\techo ours\n", "utf-8")
    project.commit("Our target")

    update(project, "v99.0.0")

    text = makefile.read_text("utf-8")
    assert "show these commands" in text
    assert text.endswith("\nseed:\n\techo ours\n")
    assert (project.path / "docs/added.md").is_file()
    assert not (project.path / "compose.yaml").exists()
    assert yaml.safe_load((project.path / ANSWERS).read_text("utf-8"))["_commit"] == "v99.0.0"


def test_the_same_line_changed_on_both_sides_is_shown_as_a_conflict(newer_template: Path, tmp_path: Path) -> None:
    project = copy(newer_template, tmp_path / "project", example("default"), "HEAD~1")
    makefile = project.path / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").replace("list these commands", "our own words"), "utf-8")
    project.commit("Our words")

    run_update(project.path, defaults=True, overwrite=True, quiet=True, vcs_ref="v99.0.0")

    assert unmerged(project) == {"Makefile"}
    text = makefile.read_text("utf-8")
    assert "our own words" in text
    assert "show these commands" in text


def test_an_answer_can_be_changed_by_an_update(template: Path, tmp_path: Path) -> None:
    project = copy(template, tmp_path / "project", example("default"), "HEAD")
    run_update(
        project.path,
        data={"repository_host": "gitlab", "project_name": "Renamed"},
        defaults=True,
        overwrite=True,
        quiet=True,
        vcs_ref=VcsRef.CURRENT,
    )
    assert (project.path / ".gitlab-ci.yml").is_file()
    assert not (project.path / ".github").exists() or not any((project.path / ".github").rglob("*.yml"))
    assert json.loads((project.path / "contracts/project.json").read_text("utf-8"))["name"] == "Renamed"


def test_the_messages_of_an_update_say_what_it_deletes_and_how_to_find_conflicts(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = copy(template, tmp_path / "project", example("minimal"), "HEAD")
    run_update(project.path, defaults=True, overwrite=True, vcs_ref=VcsRef.CURRENT)
    before, _, after = capsys.readouterr().err.partition("Keeping template version")
    assert "deletes its files, also those you edited" in before
    assert "git status" in after
