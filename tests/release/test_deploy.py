"""Starting a release: which images are refused, and what a newer release keeps from being replaced."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.project import Project
from tests.release.support import DONE, FAILED, Ended, later_commit, record, rename, served


def to_deploy(project: Project, **images: str) -> dict[str, str]:
    """Write down which images were pushed, and return the variables of a machine that nobody reaches."""
    build = record(project)
    pushed = {"release": build["release"], "digest": build["digest"], "api": "x/api@sha256:0", "web": "x/web@sha256:0"}
    (project.path / "release/images.json").write_text(json.dumps(pushed | images), "utf-8")
    dsn = "https://key@o1.ingest.example/1"
    return {"DEPLOY_HOST": "deploy@app.invalid", "SENTRY_DSN": dsn, "VITE_SENTRY_DSN": dsn, "CI": "true"}


@pytest.mark.parametrize("other", [{"release": "my-app@0.0.9"}, {"digest": "0" * 64}])
def test_images_of_another_build_are_not_deployed(
    other: dict[str, str], built: Project, release: Callable[..., Ended]
) -> None:
    ended = release(built, "deploy", "staging", **to_deploy(built, **other))
    assert ended.returncode == FAILED
    assert re.match(r"release/images\.json: the images are of my-app@\S+, but since then my-app@\S+ was", ended.stderr)
    assert ended.stderr.endswith(" Run: make images PUSH=1\n")


def test_a_list_of_images_that_names_no_build_is_refused(built: Project, release: Callable[..., Ended]) -> None:
    variables = to_deploy(built)
    (built.path / "release/images.json").write_text('{"api": "x", "web": "y"}', "utf-8")
    ended = release(built, "deploy", "staging", **variables)
    assert (ended.returncode, ended.stderr) == (
        FAILED,
        "release/images.json: not as a push writes it. Run: make images PUSH=1\n",
    )


def test_production_without_a_machine_is_a_warning(built: Project, release: Callable[..., Ended]) -> None:
    ended = release(built, "deploy", "production", GITHUB_ACTIONS="true")
    assert ended.returncode == DONE
    assert ended.stdout.startswith("::warning::DEPLOY_HOST is not set: nothing was deployed to production. ")


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A PATH without docker, and how a deploy ends that went on and missed it."""
    (tmp_path / "bin").mkdir()
    for program in ("python3", "git"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return "docker was not found. "


def test_a_pipeline_does_not_replace_a_newer_release(
    built: Project, release: Callable[..., Ended], no_docker: str
) -> None:
    variables = to_deploy(built)
    later_commit(built)
    output = built.path.parent / "output"
    with served(built) as site:
        site.release = built.run("python3", "backend/app/core/sentry/release.py").stdout.strip()
        variables |= {"PUBLIC_URL": site.url, "GITHUB_OUTPUT": str(output)}
        ended = release(built, "deploy", "staging", **variables)
        by_hand = release(built, "deploy", "staging", **(variables | {"CI": ""}))
    assert ended.returncode == DONE, ended.stderr
    newer = f"{site.url} serves {site.release}, which is newer than {record(built)['release']}"
    assert ended.stderr.startswith(f"{newer}: nothing was deployed. To have an older release again, ")
    assert output.read_text() == "deployed=false\n"
    assert by_hand.returncode == FAILED
    assert by_hand.stderr.startswith(f"{newer} and is replaced.\n{no_docker}")


def test_a_repeated_deploy_replaces_an_older_release_but_none_that_git_does_not_know(
    built: Project, release: Callable[..., Ended], no_docker: str
) -> None:
    older = record(built)["release"]
    later_commit(built)
    rename(built, built.run("python3", "backend/app/core/sentry/release.py").stdout.strip())
    commit = built.run("git", "rev-parse", "HEAD").stdout.strip()
    (built.path / "release/build.json").write_text(json.dumps({**record(built), "commit": commit}), "utf-8")
    variables = to_deploy(built)
    with served(built) as site:
        variables["PUBLIC_URL"] = site.url
        for running, attempt in ((older, "2"), (record(built)["release"], "2"), ("my-app@9+0123456789ab", "1")):
            site.release = running
            ended = release(built, "deploy", "staging", **variables, GITHUB_RUN_ATTEMPT=attempt)
            assert (ended.returncode, ended.stderr.startswith(no_docker)) == (FAILED, True), ended.stderr
        ended = release(built, "deploy", "staging", **variables, GITHUB_RUN_ATTEMPT="2")
    assert ended.returncode == DONE, ended.stderr
    assert f"{site.url} serves my-app@9+0123456789ab, and git does not know here whether that is newer" in ended.stderr
    assert "this repeated attempt deployed nothing. Let it have the whole history" in ended.stderr


def test_a_repeated_deploy_says_that_it_cannot_see_what_runs(
    built: Project, release: Callable[..., Ended], no_docker: str
) -> None:
    ended = release(built, "deploy", "staging", **to_deploy(built), GITHUB_RUN_ATTEMPT="2")
    assert ended.returncode == FAILED
    assert ended.stderr.startswith(
        "PUBLIC_URL is not set, so nobody saw whether this repeated deploy replaces a newer one.\n" + no_docker
    )
