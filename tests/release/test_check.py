"""Whether commit, build, upload and release belong together: what does not is named."""

import ast
import json
import re
import shutil
from collections.abc import Callable

import pytest

from harness.project import Project
from harness.releases import IDENTITY
from harness.sentry_api import SentryApi
from tests.release.support import DONE, FAILED, Ended, a_script, append, later_commit, maps, record, served


def dirty(project: Project) -> None:
    append(project.path / "backend/app/main.py", "# changed\n")
    (project.path / "new file.txt").write_text("new", "utf-8")


def tag_without_bump(project: Project) -> None:
    project.run("git", "tag", "v9.9.9")


def map_in_dist(project: Project) -> None:
    source = maps(project)[0]
    shutil.copy(source, project.path / "frontend/dist/assets" / source.name)


def named_map(project: Project) -> None:
    append(a_script(project), "//# sourceMappingURL=index.js.map\n")


def no_debug_id(project: Project) -> None:
    lines = a_script(project).read_text("utf-8").splitlines()
    a_script(project).write_text("\n".join(line for line in lines if "debugId=" not in line), "utf-8")


def strange_debug_id(project: Project) -> None:
    text = a_script(project).read_text("utf-8")
    head, _, _ = text.rpartition("//# debugId=")
    a_script(project).write_text(f"{head}//# debugId=00000000-0000-4000-8000-000000000000\n", "utf-8")


def upload_without_an_id(project: Project) -> None:
    build = record(project)
    upload = {name: build[name] for name in ("release", "digest")} | {"debug_ids": {}, "server": "https://x.example"}
    (project.path / "release/uploaded.json").write_text(json.dumps(upload), "utf-8")


def upload_of_another_build(project: Project) -> None:
    build = record(project)
    upload = {name: build[name] for name in ("release", "debug_ids")} | {"digest": "0" * 64, "server": "https://x"}
    (project.path / "release/uploaded.json").write_text(json.dumps(upload), "utf-8")


def built_when_dirty(project: Project) -> None:
    build = {**record(project), "uncommitted": ["backend/app/main.py"]}
    (project.path / "release/build.json").write_text(json.dumps(build), "utf-8")


def no_build(project: Project) -> None:
    shutil.rmtree(project.path / "release")


def no_dist(project: Project) -> None:
    shutil.rmtree(project.path / "frontend/dist")


def broken_record(project: Project) -> None:
    (project.path / "release/build.json").write_text('{"release": ""}', "utf-8")


def no_git(project: Project) -> None:
    shutil.rmtree(project.path / ".git")


def broken_git(project: Project) -> None:
    (project.path / ".git/index").write_bytes(b"broken")


def hidden_files(project: Project) -> None:
    project.run("git", "config", "status.showUntrackedFiles", "no")
    (project.path / "new file.txt").write_text("new", "utf-8")


def uncommitted_lock(project: Project) -> None:
    project.run("git", "rm", "--quiet", "--cached", "backend/uv.lock")
    project.run("git", *IDENTITY, "commit", "--quiet", "--message", "Without the lock file")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (dirty, r"^Not committed: backend/app/main\.py, new file\.txt\. Commit it, or take it back"),
        (built_when_dirty, r"^release/build\.json: built when this was not committed: backend/app/main\.py\."),
        (later_commit, r"^release/build\.json: built of [0-9a-f]{12}, but HEAD is [0-9a-f]{12}\. Run: make build"),
        (later_commit, r"^release/build\.json: built as my-app@0\.1\.0\+\w+, but the release of the API is my-app@"),
        (tag_without_bump, r"^The tag v9\.9\.9 is not the version 0\.1\.0 of backend/pyproject\.toml\. Change the"),
        (map_in_dist, r"^frontend/dist/assets/\S+\.js\.map: a source map that visitors could read\."),
        (named_map, r"^frontend/dist/assets/index-\S+\.js: names a source map \(sourceMappingURL\)\."),
        (no_debug_id, r"^frontend/dist/assets/index-\S+\.js: has no debug id, so Sentry cannot find its source map"),
        (strange_debug_id, r"^frontend/dist/assets/index-\S+\.js: its debug id 0{8}-\S+ is not that of the build\."),
        (strange_debug_id, r"^frontend/dist: changed, or built again, since the build was recorded: assets/index-\S+"),
        (upload_without_an_id, r"^frontend/dist/assets/index-\S+\.js: its debug id \S+ was not uploaded\."),
        (upload_of_another_build, r"^release/uploaded\.json: frontend/dist was built again after the source maps of"),
        (no_build, r"^release/build\.json: there is none, so nothing was built yet\. Run: make build$"),
        (no_dist, r"^frontend/dist: changed, or built again, since the build was recorded: .* and \d+ more\. Run:"),
        (broken_record, r"^release/build\.json: not as a build writes it\. Run: make build$"),
        (broken_git, r"^git status: fatal: .*index.*\. Mend that, so that git can tell what is committed$"),
        (hidden_files, r"^Not committed: new file\.txt\. Commit it, or take it back"),
        (uncommitted_lock, r"^backend/uv\.lock: not committed, though it decides which packages are released\."),
        (no_git, r"^There is no commit, so nobody could tell what this release is of\."),
    ],
)
def test_what_does_not_belong_together_is_named(
    spoil: Callable[[Project], None], message: str, built: Project, release: Callable[..., Ended]
) -> None:
    fine = release(built, "check")
    assert fine.returncode == DONE, fine.stderr
    spoil(built)
    ended = release(built, "check")
    assert ended.returncode == FAILED
    assert re.search(message, ended.stderr, re.MULTILINE), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("tag", ["v0.1.0", "before-the-move", "version"])
def test_other_tags_are_no_problem(tag: str, built: Project, release: Callable[..., Ended]) -> None:
    built.run("git", "tag", tag)
    ended = release(built, "check")
    assert (ended.returncode, ended.stderr) == (DONE, "")
    assert ended.stdout == f"{record(built)['release']}: everything belongs together.\n"


@pytest.mark.parametrize("tag", ["v9.9.9", "vnext"])
@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_the_tag_that_started_the_pipeline_is_the_version(
    host: str, tag: str, built: Project, release: Callable[..., Ended]
) -> None:
    def started_by(name: str) -> Ended:
        github = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": name}
        return release(built, "check", **(github if host == "github" else {"CI_COMMIT_TAG": name}))

    for name in (tag, "v0.1.0"):
        built.run("git", "tag", name)
    ended = started_by(tag)
    assert ended.returncode == FAILED
    assert ended.stderr.startswith(f"The tag {tag} is not the version 0.1.0 of backend/pyproject.toml. Change the")
    assert started_by("v0.1.0").returncode == DONE


def test_a_pipeline_of_a_branch_looks_at_the_tags_of_the_commit(built: Project, release: Callable[..., Ended]) -> None:
    variables = {"GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main"}
    assert release(built, "check", **variables).returncode == DONE
    built.run("git", "tag", "v9.9.9")
    assert release(built, "check", **variables).returncode == FAILED


def test_a_project_in_a_folder_of_another_repository_is_no_matter_of_its_neighbours(
    built: Project, release: Callable[..., Ended]
) -> None:
    """The files of the larger repository may be changed, those of the project may not."""
    whole = Project(built.path.parent / "whole")
    shutil.copytree(built.path, whole.path / "app", ignore=shutil.ignore_patterns(".git"))
    whole.commit("Everything")
    (whole.path / "neighbour.txt").write_text("changed", "utf-8")
    project = Project(whole.path / "app")
    commit = whole.run("git", "rev-parse", "HEAD").stdout.strip()
    (project.path / "release/build.json").write_text(json.dumps({**record(project), "commit": commit}), "utf-8")
    variables = {"SENTRY_RELEASE": record(project)["release"]}
    ended = release(project, "check", **variables)
    assert (ended.returncode, ended.stderr) == (DONE, "")
    append(project.path / "README.md", "changed")
    assert release(project, "check", **variables).stderr.startswith("Not committed: README.md. ")


def test_a_build_does_not_take_a_broken_repository_for_a_clean_one(restore: Project) -> None:
    index = restore.path / ".git/index"
    intact = index.read_bytes()
    index.write_bytes(b"broken")
    try:
        ended = restore.run("npm", "--prefix", "frontend", "run", "build", check=False)
    finally:
        index.write_bytes(intact)
    assert ended.returncode == FAILED
    assert re.search(r"^git status: fatal: .*index.*\. Mend that", ended.stderr, re.MULTILINE), ended.stderr


def test_an_old_python_is_told_what_is_needed(built: Project) -> None:
    first = built.path / "ops/release/__init__.py"
    ast.parse(first.read_text("utf-8"), feature_version=(3, 8))
    pretend = "import runpy, sys; sys.version_info = (3, 9, 6); runpy.run_module('ops.release', run_name='__main__')"
    ended = built.run("python3", "-c", pretend, check=False)
    assert ended.returncode == FAILED
    assert re.fullmatch(r"Python 3\.11 or newer is needed, not \S+\. Put it first on PATH, as python3\n", ended.stderr)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VITE_SENTRY_RELEASE": "other@1"}, r"^VITE_SENTRY_RELEASE: other@1, but the release of the API is my-app@"),
        ({"SENTRY_RELEASE": "other@1"}, r"^release/build\.json: built as my-app@\S+, but .* of the API is other@1\."),
    ],
)
def test_a_variable_that_names_another_release_is_named(
    variables: dict[str, str], message: str, built: Project, release: Callable[..., Ended]
) -> None:
    ended = release(built, "check", **variables)
    assert ended.returncode == FAILED
    assert re.search(message, ended.stderr, re.MULTILINE), ended.stderr


def test_a_variable_decides_the_release_everywhere_and_a_build_after_the_upload_is_found(
    restore: Project, api: SentryApi
) -> None:
    environment = {**api.environment, "SENTRY_RELEASE": "my-app@7 of the owner"}
    restore.make("build", "release-check", "sentry-release", "release-finalize", environment=environment)
    assert list(api.releases) == ["my-app@7 of the owner"]

    restore.make("build", environment={**environment, "VITE_SENTRY_ENVIRONMENT": "staging"})
    ended = restore.make("release-check", environment=environment, check=False)
    assert ended.returncode != DONE
    assert "frontend/dist was built again after the source maps of my-app@7 of the owner were uploaded" in ended.stderr
    restore.make("sentry-release", "release-check", environment=environment)

    ended = restore.make("release-check", check=False)
    assert ended.returncode != DONE
    assert "release/build.json: built as my-app@7 of the owner, but the release of the API is" in ended.stderr


def test_a_page_whose_variables_were_set_is_still_the_build(built: Project, release: Callable[..., Ended]) -> None:
    with served(built) as site:
        configure = ["sh", "frontend/configure.sh", str(site.folder)]
        variables = {"VITE_SENTRY_DSN": "https://key@o1.ingest.example/1", "VITE_SENTRY_TUNNEL": ""}
        built.run(*configure, environment=variables)
        assert "ingest.example" in (site.folder / "index.html").read_text("utf-8")
        ended = release(built, "check", "--url", site.url)
    assert (ended.returncode, ended.stderr) == (DONE, "")
