"""Telling Sentry of a release: what happens when it refuses, is away, is slow or breaks off."""

import base64
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from harness.processes import HOST, free_port, poll, start, stop
from harness.project import Project
from harness.sentry_api import CUT, SentryApi
from tests.release.support import DONE, FAILED, OUTAGE, PROJECTS, Ended, a_script, append, clone, maps, record, rename


def test_a_release_is_created_with_commits_and_maps_and_is_deployed_once(
    built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    name, commit = record(built)["release"], record(built)["commit"]
    output = built.path.parent / "output"
    run = partial(release, built, **api.environment, GITHUB_RUN_ID="4711", PUBLIC_URL="https://my-app.example")
    scripts = len(maps(built))
    published = run("publish", GITHUB_OUTPUT=str(output))
    assert published.returncode == DONE, published.stderr
    assert f"The source maps of {name} are uploaded, of {scripts} scripts, and deleted here." in published.stdout
    assert output.read_text() == "sentry=done\n"
    assert maps(built) == []
    uploaded = json.loads((built.path / "release/uploaded.json").read_text("utf-8"))
    assert uploaded == {
        **{field: record(built)[field] for field in ("release", "digest", "debug_ids")},
        "server": api.url,
    }
    assert run("finalize").returncode == DONE
    for said in ("is recorded in Sentry.", "is in Sentry already, for run 4711."):
        assert f"The deploy of {name} to staging {said}" in run("deployed", "staging").stdout
    assert "is recorded" in run("deployed", "production").stdout
    stored = api.releases[name]
    assert stored["projects"] == PROJECTS
    assert stored["commits"][0]["id"] == commit
    assert stored["dateReleased"]
    assert [(each["environment"], each["name"], each["url"]) for each in api.deploys[name]] == [
        ("staging", "4711", "https://my-app.example"),
        ("production", "4711", "https://my-app.example"),
    ]


def test_a_rerun_changes_nothing_and_uploads_nothing_twice(
    built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    first = release(built, "publish", **api.environment)
    stored = json.dumps(api.releases)
    again = release(built, "publish", **api.environment)
    assert (first.returncode, again.returncode) == (DONE, DONE), again.stderr
    assert "are uploaded already." in again.stdout
    assert api.calls.count("upload options") == 1
    assert json.dumps(api.releases) == stored


def test_a_release_that_is_finalized_again_does_not_become_the_newest(
    built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    committed = built.run("git", "show", "--no-patch", "--format=%ct", "HEAD").stdout
    assert release(built, "finalize", **api.environment).returncode == DONE
    released = datetime.fromisoformat(api.releases[record(built)["release"]]["dateReleased"])
    assert released.timestamp() == int(committed)
    shutil.rmtree(built.path / ".git")
    assert release(built, "finalize", **api.environment).returncode == DONE
    later = datetime.fromisoformat(api.releases[record(built)["release"]]["dateReleased"])
    assert later > released, "Without git nobody knows more than the present time."


def test_a_rerun_on_another_machine_sends_no_file_again(
    original: Project, api: SentryApi, release: Callable[..., Ended], tmp_path: Path
) -> None:
    for name in ("first", "second"):
        project = clone(original, tmp_path / name)
        rename(project, "my-app@2")
        ended = release(project, "publish", **api.environment)
        assert ended.returncode == DONE, ended.stderr
    assert api.calls.count("upload") == 1


@pytest.mark.parametrize("command", [("publish",), ("sourcemaps",), ("finalize",), ("deployed", "staging")])
def test_without_a_token_sentry_is_skipped_with_a_notice(
    command: tuple[str, ...], built: Project, release: Callable[..., Ended], tmp_path: Path
) -> None:
    output = tmp_path / "output"
    ended = release(built, *command, GITHUB_OUTPUT=str(output))
    assert ended.returncode == DONE
    assert ended.stdout.startswith("SENTRY_AUTH_TOKEN: not set. ")
    assert ended.stderr == ""
    assert output.exists() == (command == ("publish",))
    if output.exists():
        assert output.read_text() == "sentry=skipped\n"


@pytest.mark.parametrize("command", [("publish",), ("sourcemaps",), ("finalize",), ("deployed", "staging")])
@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "SENTRY_AUTH_TOKEN is not valid there: make a new one, an organization token with the scope org:ci"),
        (403, "SENTRY_AUTH_TOKEN lacks a permission"),
        (404, "Compare SENTRY_URL, SENTRY_ORG and SENTRY_PROJECT, or contracts/project.json"),
        (400, "(http status: 400)"),
    ],
)
def test_a_refusal_fails_at_once(
    status: int,
    advice: str,
    command: tuple[str, ...],
    built: Project,
    api: SentryApi,
    release: Callable[..., Ended],
) -> None:
    api.broken = status
    output = built.path.parent / "output"
    ended = release(built, *command, **api.environment, GITHUB_OUTPUT=str(output))
    assert ended.returncode == FAILED, ended.stderr
    assert "refused. " in ended.stderr
    assert advice in ended.stderr
    assert len(api.requests) == 1
    assert maps(built)
    if command == ("publish",):
        assert output.read_text() == "sentry=refused\n"


def test_a_wrong_token_is_refused_and_not_shown(built: Project, api: SentryApi, release: Callable[..., Ended]) -> None:
    wrong = "sntrys_" + "5ecre7" * 8
    ended = release(built, "publish", SENTRY_URL=api.url, SENTRY_AUTH_TOKEN=wrong, SENTRY_ALLOW_FAILURE="1")
    assert ended.returncode == FAILED
    assert "Creating the release my-app@" in ended.stderr
    assert "(http status: 401)" in ended.stderr
    assert wrong not in ended.stdout + ended.stderr
    assert "Stack backtrace" not in ended.stderr


@pytest.mark.parametrize("command", [("publish",), ("sourcemaps",), ("finalize",), ("deployed", "staging")])
def test_a_server_that_is_down_is_an_outage(
    command: tuple[str, ...], built: Project, release: Callable[..., Ended], tmp_path: Path
) -> None:
    url = f"http://{HOST}:{free_port()}"
    variables = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": "x", "SENTRY_PATIENCE": "10"}
    ended = release(built, *command, **variables, GITHUB_OUTPUT=str(tmp_path / "output"))
    assert ended.returncode == OUTAGE, ended.stderr
    assert f"Sentry could not be reached at {url}. [7] Could not connect to server" in ended.stderr
    assert "; next try in 1 s" in ended.stdout
    assert maps(built)
    if command == ("publish",):
        assert (tmp_path / "output").read_text() == "sentry=unreachable\n"


@pytest.mark.parametrize("status", [503, 500, 502, 429, 408, CUT])
def test_a_short_outage_is_survived(status: int, built: Project, api: SentryApi, release: Callable[..., Ended]) -> None:
    api.failures = [status]
    ended = release(built, "finalize", **api.environment)
    assert ended.returncode == DONE, ended.stderr
    assert ended.stdout.count("; next try in ") == 1
    assert api.releases[record(built)["release"]]["dateReleased"]


@pytest.mark.parametrize("status", [503, 429])
def test_a_long_outage_ends_the_tries(
    status: int, built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    api.broken = status
    ended = release(built, "publish", **api.environment)
    assert ended.returncode == OUTAGE
    assert [line.rpartition("next try in ")[2] for line in ended.stdout.splitlines()] == ["1 s", "3 s", "9 s"]
    assert f"(http status: {status})" in ended.stderr
    assert len(api.requests) == 4


def test_a_slow_server_is_waited_for(built: Project, api: SentryApi, release: Callable[..., Ended]) -> None:
    api.delay = 1.5
    ended = release(built, "finalize", **api.environment)
    assert ended.returncode == DONE, ended.stderr
    assert "next try" not in ended.stdout


def test_a_server_that_never_answers_is_an_outage(
    built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    api.delay = 600
    ended = release(built, "publish", **api.environment, SENTRY_PATIENCE="2")
    assert ended.returncode == OUTAGE
    assert ended.stderr.rstrip().endswith(f"Sentry could not be reached at {api.url}. No answer within 2 s")
    assert running(api) == [], "It has to end with the command that started it."


@pytest.mark.usefixtures("release")
def test_an_upload_that_is_killed_is_none(built: Project, api: SentryApi, tmp_path: Path) -> None:
    rename(built, "my-app@5")
    api.delay = 600
    command = ["python3", "-m", "ops.release", "sourcemaps"]
    process = start(command, cwd=built.path, log=tmp_path / "log", environment=api.environment)
    try:
        poll(lambda: api.calls, awaiting="the upload")
        for found in running(api):
            os.kill(found, signal.SIGKILL)
        assert process.wait(timeout=30) == FAILED
    finally:
        stop(process)
    assert "Uploading the source maps: refused. sentry-cli failed" in (tmp_path / "log").read_text("utf-8")
    assert maps(built)
    assert not (built.path / "release/uploaded.json").exists()


def running(api: SentryApi) -> list[int]:
    """Return the processes of sentry-cli that have this server's address."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may have ended meanwhile
            if (folder / "exe").readlink().name == "sentry-cli" and api.url.encode() in (
                folder / "environ"
            ).read_bytes():
                found.append(int(folder.name))
    return found


def test_an_interrupted_upload_is_tried_again(built: Project, api: SentryApi, release: Callable[..., Ended]) -> None:
    rename(built, "my-app@3")
    api.failing_call, api.failures = "upload", [CUT]
    ended = release(built, "publish", **api.environment)
    assert ended.returncode == DONE, ended.stderr
    assert "Uploading the source maps: " in ended.stdout
    assert "; next try in 1 s" in ended.stdout
    assert maps(built) == []


@pytest.mark.parametrize("call", ["upload options", "upload", "assemble"])
def test_an_upload_that_is_interrupted_again_and_again_keeps_the_maps(
    call: str, built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    rename(built, f"my-app@4+{call.replace(' ', '')}")
    api.failing_call, api.broken = call, CUT
    before = maps(built)
    ended = release(built, "publish", **api.environment, SENTRY_PATIENCE="10")
    assert ended.returncode == OUTAGE, ended.stderr
    assert "were not uploaded, and are still in release/sourcemaps." in ended.stderr
    assert maps(built) == before != []
    assert not (built.path / "release/uploaded.json").exists()
    api.broken = None
    assert release(built, "publish", **api.environment).returncode == DONE


@pytest.mark.parametrize("text", ["0", "soon", "-1", "1.5", "99999"])
def test_patience_is_a_number_of_seconds(
    text: str, built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    ended = release(built, "publish", **api.environment, SENTRY_PATIENCE=text)
    assert ended.returncode == FAILED
    assert ended.stderr == "SENTRY_PATIENCE: not a number of seconds between 1 and 9999\n"


@pytest.mark.parametrize("url", ["sentry.example", "ftp://sentry.example", "https://", "http:// x"])
def test_an_address_of_sentry_that_is_none_is_named(url: str, built: Project, release: Callable[..., Ended]) -> None:
    variables = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": "x"}
    ended = release(built, "publish", **variables)
    assert ended.returncode == FAILED
    assert ended.stderr == "SENTRY_URL: not an address like https://sentry.io\n"


def test_an_address_of_sentry_with_a_password_is_refused_and_not_shown(
    built: Project, release: Callable[..., Ended]
) -> None:
    variables = {"SENTRY_URL": "http://user:hunter2@sentry.example", "SENTRY_AUTH_TOKEN": "x"}
    ended = release(built, "publish", **variables)
    assert ended.returncode == FAILED
    assert ended.stderr.startswith("SENTRY_URL: holds a user name or a password, which would be shown. ")
    assert "hunter2" not in ended.stdout + ended.stderr


def token_for(url: str) -> str:
    """Return an organization token as Sentry makes them: it names the server that it is for."""
    facts = json.dumps({"iat": 1, "url": url, "region_url": url, "org": "my-org"}).encode()
    return f"sntrys_{base64.b64encode(facts).decode()}_{'A' * 43}"


def test_a_token_that_names_the_same_server_gives_no_warning(built: Project, release: Callable[..., Ended]) -> None:
    url = f"http://{HOST}:{free_port()}"
    variables = {"SENTRY_URL": f"{url}/", "SENTRY_AUTH_TOKEN": token_for(url), "SENTRY_ORG": "my-org"}
    ended = release(built, "finalize", **variables, SENTRY_PATIENCE="10")
    assert ended.returncode == OUTAGE, ended.stderr
    assert re.fullmatch(r"Creating the release \S+: Sentry could not be reached at \S+\. \[7\] .*\n", ended.stderr)


def test_a_token_that_names_another_server_is_a_warning_and_not_the_problem(
    built: Project, release: Callable[..., Ended]
) -> None:
    url, other = (f"http://{HOST}:{free_port()}" for _ in range(2))
    variables = {"SENTRY_URL": url, "SENTRY_AUTH_TOKEN": token_for(other), "SENTRY_ORG": "my-org"}
    ended = release(built, "finalize", **variables, SENTRY_PATIENCE="10")
    assert ended.returncode == OUTAGE, ended.stderr
    warning, problem = ended.stderr.splitlines()
    assert warning.startswith(f"sentry-cli: Using {other} (embedded in token) rather than ")
    assert f"Sentry could not be reached at {url}. [7] Could not connect to server" in problem


def test_a_shallow_clone_names_no_commits_and_says_so(
    original: Project, api: SentryApi, release: Callable[..., Ended], tmp_path: Path
) -> None:
    longer = clone(original, tmp_path / "longer")
    (longer.path / "CHANGELOG.md").write_text("Changed.\n", "utf-8")
    longer.commit("Change")
    ended = release(clone(longer, tmp_path / "shallow", "--depth", "1"), "publish", **api.environment)
    assert ended.returncode == DONE, ended.stderr
    assert "This clone is shallow: the release names no commits in Sentry. Get the whole history" in ended.stderr
    assert "commits" not in api.releases[record(longer)["release"]]


def test_a_folder_without_git_names_no_commits_and_says_so(
    built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    shutil.rmtree(built.path / ".git")
    ended = release(built, "publish", **api.environment)
    assert ended.returncode == DONE, ended.stderr
    assert "There is no git repository with a commit here" in ended.stderr


def test_what_is_not_the_recorded_build_is_not_uploaded(
    built: Project, api: SentryApi, release: Callable[..., Ended]
) -> None:
    append(a_script(built), "//\n")
    ended = release(built, "publish", **api.environment)
    assert ended.returncode == FAILED
    assert f"changed, or built again, since the build was recorded: assets/{a_script(built).name}." in ended.stderr
    assert api.requests == []


def test_pipelines_get_annotations_and_a_summary(built: Project, release: Callable[..., Ended], tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    ended = release(built, "publish", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    sentence = "SENTRY_AUTH_TOKEN: not set. Sentry learned nothing of this release."
    assert ended.stdout == f"::notice::{sentence}\n"
    assert summary.read_text() == f"- **notice**: {sentence}\n"
