"""`copier update`: from every release to the present state, with an owner who has changed things."""

import filecmp
import json
from pathlib import Path

import pytest
import yaml
from copier import VcsRef, run_copy, run_update

from harness.project import ROOT, Project, example
from harness.releases import git, releases

RELEASES = releases(ROOT)
OWNED = {"CHANGELOG.md", "frontend/package-lock.json"}
ANSWERS_FILE = ".copier-answers.yml"


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Copier's cache of templates away from the user's."""
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))


def copy(template: Path, destination: Path, name: str, version: str) -> Project:
    """Generate a project of an example from one version of the template, and commit it."""
    run_copy(str(template), destination, data=example(name), defaults=True, quiet=True, vcs_ref=version)
    project = Project(destination)
    project.commit("Start")
    return project


def update(project: Project, version: str | None = None) -> None:
    """Update without trust and without prompts, and expect no conflict: Copier exits with 0 in spite of one."""
    run_update(project.path, defaults=True, overwrite=True, quiet=True, vcs_ref=version)
    assert project.run("git", "ls-files", "--unmerged").stdout == ""
    assert not list(project.path.rglob("*.rej"))


def differences(first: Path, second: Path) -> set[str]:
    """Return the paths that only one of two projects has, or that differ in content."""
    names = {
        path.relative_to(root).as_posix()
        for root in (first, second)
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }
    return {name for name in names if not same(first / name, second / name)}


def same(first: Path, second: Path) -> bool:
    return first.is_file() and second.is_file() and filecmp.cmp(first, second, shallow=False)


@pytest.fixture
def newer_template(template: Path, tmp_path: Path) -> Path:
    """The template with one more version, v99.0.0, that changes, adds and removes files."""
    clone = tmp_path / "newer"
    git("clone", "--quiet", str(template), str(clone), cwd=tmp_path)
    folder = clone / "template"
    (folder / "docs/added.md").write_text("# Added\n", "utf-8")
    (folder / "compose.yaml").unlink()
    makefile = folder / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").replace("list these commands", "show these commands"), "utf-8")
    git("add", "--all", cwd=clone)
    git("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "Newer", cwd=clone)
    git("tag", "v99.0.0", cwd=clone)
    return clone


def test_the_history_has_a_release() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert RELEASES
    assert all(f"## {version}" in changelog for version in RELEASES)


@pytest.mark.parametrize("name", ["default", "minimal", "full"])
@pytest.mark.parametrize("version", RELEASES)
def test_an_untouched_project_of_any_release_becomes_equal_to_a_fresh_copy(
    version: str, name: str, template: Path, tmp_path: Path
) -> None:
    project = copy(template, tmp_path / "project", name, f"v{version}")
    update(project)
    fresh = tmp_path / "fresh"
    run_copy(str(template), fresh, data=example(name), defaults=True, quiet=True)
    assert differences(project.path, fresh) <= OWNED
    assert yaml.safe_load((project.path / ANSWERS_FILE).read_text("utf-8")) == yaml.safe_load(
        (fresh / ANSWERS_FILE).read_text("utf-8")
    )


@pytest.mark.parametrize("name", ["default", "minimal", "full"])
@pytest.mark.parametrize("version", RELEASES)
def test_an_update_from_any_release_keeps_what_the_owner_did(
    version: str, name: str, template: Path, tmp_path: Path
) -> None:
    project = copy(template, tmp_path / "project", name, f"v{version}")
    readme = project.path / "README.md"
    readme.write_text(readme.read_text("utf-8") + "\nOur own paragraph.\n", "utf-8")
    main = project.path / "backend/app/main.py"
    main.write_text(main.read_text("utf-8") + "\n# Our own line.\n", "utf-8")
    route = project.path / "backend/app/api/routes/orders.py"
    route.write_text('"""Our own file in a folder of the template."""\n', "utf-8")
    (project.path / "docs/troubleshooting.md").unlink()
    changelog = project.path / "CHANGELOG.md"
    changelog.write_text("# Our changelog\n", "utf-8")
    lock = project.path / "backend/uv.lock"
    lock.write_text("version = 1\n", "utf-8")
    project.commit("Our work")

    update(project)

    assert readme.read_text("utf-8").endswith("\nOur own paragraph.\n")
    assert main.read_text("utf-8").endswith("\n# Our own line.\n")
    assert route.read_text("utf-8").startswith('"""Our own file')
    assert not (project.path / "docs/troubleshooting.md").exists()
    assert changelog.read_text("utf-8") == "# Our changelog\n"
    assert lock.read_text("utf-8") == "version = 1\n"
    fresh = tmp_path / "fresh"
    run_copy(str(template), fresh, data=example(name), defaults=True, quiet=True)
    ours = {
        "README.md",
        "docs/troubleshooting.md",
        "backend/app/main.py",
        "backend/app/api/routes/orders.py",
        "backend/uv.lock",
    }
    assert differences(project.path, fresh) <= OWNED | ours


@pytest.mark.parametrize("name", sorted(OWNED))
def test_a_deleted_file_of_the_owner_does_not_come_back(name: str, newer_template: Path, tmp_path: Path) -> None:
    project = copy(newer_template, tmp_path / "project", "minimal", "HEAD~1")
    (project.path / name).unlink()
    project.commit("Not ours")
    update(project, "v99.0.0")
    assert not (project.path / name).exists()


def test_a_newer_version_adds_changes_and_removes_files_beside_the_owners_edits(
    newer_template: Path, tmp_path: Path
) -> None:
    project = copy(newer_template, tmp_path / "project", "default", "HEAD~1")
    makefile = project.path / "Makefile"
    makefile.write_text(makefile.read_text("utf-8") + "\nseed:\n\techo ours\n", "utf-8")
    project.commit("Our target")

    update(project, "v99.0.0")

    text = makefile.read_text("utf-8")
    assert "show these commands" in text
    assert text.endswith("\nseed:\n\techo ours\n")
    assert (project.path / "docs/added.md").is_file()
    assert not (project.path / "compose.yaml").exists()
    assert yaml.safe_load((project.path / ANSWERS_FILE).read_text("utf-8"))["_commit"] == "v99.0.0"


def test_the_same_line_changed_on_both_sides_is_shown_as_a_conflict(newer_template: Path, tmp_path: Path) -> None:
    project = copy(newer_template, tmp_path / "project", "default", "HEAD~1")
    makefile = project.path / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").replace("list these commands", "our own words"), "utf-8")
    project.commit("Our words")

    run_update(project.path, defaults=True, overwrite=True, quiet=True, vcs_ref="v99.0.0")

    assert {line.split("\t")[1] for line in project.run("git", "ls-files", "--unmerged").stdout.splitlines()} == {
        "Makefile"
    }
    text = makefile.read_text("utf-8")
    assert "our own words" in text
    assert "show these commands" in text


def test_an_answer_can_be_changed_by_an_update(template: Path, tmp_path: Path) -> None:
    project = copy(template, tmp_path / "project", "default", "HEAD")
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


def test_the_message_after_updating_says_how_to_find_conflicts(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = copy(template, tmp_path / "project", "minimal", "HEAD")
    run_update(project.path, defaults=True, overwrite=True, vcs_ref=VcsRef.CURRENT)
    assert "git status" in capsys.readouterr().err
