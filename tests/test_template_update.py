"""``make template-update``: the newest version of the template as a pull request, on a server that takes pushes."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from copier import run_copy

from harness.forge import TOKEN, Forge, forge
from harness.pipelines import Github
from harness.processes import HOST, free_port
from harness.project import Project, example
from harness.releases import IDENTITY, git
from tests.conftest import Installed

BRANCH = "template-update/99.0.0"
OLD_WORDS, NEW_WORDS = "list these commands", "show these commands"


@dataclass(frozen=True)
class Owner:
    """Somebody's project, and the server that its repository lives on."""

    project: Project
    forge: Forge

    def update(self, host: str = "github", token: str = TOKEN, *, code: int = 0) -> str:
        """Run the command as the pipeline of a host does, and return what it says."""
        variables = getattr(self.forge, host) | {"TEMPLATE_UPDATE_TOKEN": token}
        result = self.project.make("template-update", environment=variables, check=False)
        output = result.stdout + result.stderr
        assert bool(result.returncode) == bool(code), output
        assert TOKEN not in output
        return output

    def offered(self, name: str) -> str:
        """Return a file of the branch that was pushed."""
        return git("show", f"{BRANCH}:{name}", cwd=self.forge.repository)

    def pushed(self) -> list[str]:
        """Return the branches that were pushed."""
        return git("branch", "--list", "--format=%(refname:short)", cwd=self.forge.repository).splitlines()


@pytest.fixture(scope="module")
def newer_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with one more version, v99.0.0: other words, a workflow, a package, a question."""
    clone = tmp_path_factory.mktemp("newer") / "template"
    git("clone", "--quiet", str(template), str(clone), cwd=template)
    folder = clone / "template"
    makefile = folder / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").replace(OLD_WORDS, NEW_WORDS), "utf-8")
    workflow = folder / ".github/workflows/ci.yml"
    workflow.write_text("# Newer.\n" + workflow.read_text("utf-8"), "utf-8")
    (folder / "docs/añadido.md").write_text("# Added\n", "utf-8")
    manifest = folder / "frontend/package.json"
    manifest.write_text(
        manifest.read_text("utf-8").replace('"dependencies": {', '"dependencies": {\n    "ms": "2.1.3",')
    )
    questions = clone / "copier.yml"
    text = questions.read_text("utf-8")
    question = "mascot:\n  type: str\n  help: Who?\n  default: an owl\n\nlicense:\n"
    questions.write_text(text.replace("license:\n", question, 1), "utf-8")
    git("add", "--all", cwd=clone)
    git(*IDENTITY, "commit", "--quiet", "--message", "Newer", cwd=clone)
    git("tag", "v99.0.0", cwd=clone)
    return clone


@pytest.fixture
def owner(newer_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Owner]:
    """A project of the version before, in a shallow clone as a pipeline makes it."""
    monkeypatch.setenv("COPIER_CACHE_DIR", str(tmp_path / "cache"))
    start = Project(tmp_path / "start")
    run_copy(str(newer_template), start.path, data=example("default"), defaults=True, quiet=True, vcs_ref="HEAD~1")
    start.commit("Start")
    server = tmp_path / "server.git"
    git("clone", "--quiet", "--bare", str(start.path), str(server), cwd=tmp_path)
    git("clone", "--quiet", "--depth", "1", server.as_uri(), str(tmp_path / "project"), cwd=tmp_path)
    with forge(server) as running:
        yield Owner(Project(tmp_path / "project"), running)


def test_the_weekly_workflow_offers_it(owner: Owner, tmp_path: Path) -> None:
    github = Github.of(owner.project, tmp_path / "github")
    github.secrets = {"TEMPLATE_UPDATE_TOKEN": TOKEN}
    github.environment = {name: owner.forge.github[name] for name in ("GITHUB_API_URL", "GITHUB_SERVER_URL")}
    run = github.run("schedule", "template-update.yml")
    assert run.code == 0, run.output()
    assert TOKEN not in run.output()
    (request,) = owner.forge.requests
    assert (request["head"], request["base"]) == (BRANCH, "main")
    assert owner.offered(".github/workflows/ci.yml").startswith("# Newer.")


def in_conflict(owner: Owner) -> None:
    makefile = owner.project.path / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").replace(OLD_WORDS, "our own words"), "utf-8")
    owner.project.commit("Our own words")


@pytest.mark.parametrize(
    ("host", "branch", "base", "body"),
    [
        ("github", "head", "base", "body"),
        ("gitlab", "source_branch", "target_branch", "description"),
    ],
)
def test_a_newer_version_is_offered_with_its_lock_file_and_its_new_answers(
    host: str, branch: str, base: str, body: str, owner: Owner
) -> None:
    before = git("status", "--porcelain", cwd=owner.project.path)
    output = owner.update(host)
    (request,) = owner.forge.requests
    assert f"Version 99.0.0 of the template is offered: {request['web_url']}" in output
    assert (request[branch], request[base], request["draft"]) == (BRANCH, "main", False)
    assert request["title"].startswith("Update from version 0.")
    assert "+mascot: an owl" in request[body]
    assert "Conflicts" not in request[body]
    assert NEW_WORDS in owner.offered("Makefile")
    assert owner.offered(".github/workflows/ci.yml").startswith("# Newer.")
    assert owner.offered("docs/añadido.md") == "# Added"
    lock = json.loads(owner.offered("frontend/package-lock.json"))
    assert lock["packages"]["node_modules/ms"]["version"] == "2.1.3"
    assert "resolved" not in lock["packages"]["node_modules/ms"]
    assert git("status", "--porcelain", cwd=owner.project.path) == before == ""
    assert git("worktree", "list", cwd=owner.project.path).count("\n") == 0


@pytest.mark.parametrize("has_drafts", [True, False])
def test_conflicts_are_shown_in_a_draft_and_never_hidden(has_drafts: bool, owner: Owner) -> None:  # noqa: FBT001
    in_conflict(owner)
    owner.forge.has_drafts = has_drafts
    output = owner.update()
    (request,) = owner.forge.requests
    assert "::warning::Version 99.0.0 of the template is offered, with conflicts to decide" in output
    assert request["draft"] is has_drafts
    assert request["title"].startswith("Draft: ")
    assert "- [ ] `Makefile`" in request["body"]
    text = owner.offered("Makefile")
    assert "<<<<<<< before updating\nhelp: ## our own words\n=======\nhelp: ## show" in text


def test_a_version_is_offered_once_and_an_interrupted_offer_is_finished(owner: Owner) -> None:
    owner.update()
    commit = git("rev-parse", BRANCH, cwd=owner.forge.repository)
    assert "was offered already" in owner.update()
    assert len(owner.forge.requests) == 1
    assert git("rev-parse", BRANCH, cwd=owner.forge.repository) == commit

    owner.forge.requests.clear()  # as if the first run had been interrupted after its push
    assert "is offered" in owner.update()
    assert len(owner.forge.requests) == 1


def test_without_a_token_the_newer_version_is_only_told(owner: Owner) -> None:
    output = owner.update(token="")
    assert "::notice::The template has version 99.0.0" in output
    assert "TEMPLATE_UPDATE_TOKEN is not set" in output
    assert owner.pushed() == ["main"]


def test_a_template_that_is_away_fails_with_a_sentence(owner: Owner) -> None:
    answers = owner.project.path / ".copier-answers.yml"
    text = answers.read_text("utf-8")
    source = f"http://{HOST}:{free_port()}/template.git"
    answers.write_text(re.sub(r"^_src_path: .*$", f"_src_path: {source}", text, flags=re.MULTILINE), "utf-8")
    assert f"::error::copier check-update failed: fatal: unable to access '{source}/'" in owner.update(code=1)


def test_a_wrong_token_fails_and_the_message_says_what_it_needs(owner: Owner) -> None:
    output = owner.update(token=TOKEN[::-1], code=1)
    assert "::error::" in output
    assert "answered 401" in output
    assert "TEMPLATE_UPDATE_TOKEN has to allow" in output
    assert owner.pushed() == ["main"]


def test_a_host_that_is_away_fails_with_a_sentence(owner: Owner) -> None:
    away = {**owner.forge.github, "GITHUB_API_URL": f"http://{HOST}:{free_port()}", "TEMPLATE_UPDATE_TOKEN": TOKEN}
    result = owner.project.make("template-update", environment=away, check=False)
    assert result.returncode != 0
    assert "could not be reached" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200 OK\r\n\r\n<!doctype html>", b"220 mail.example ESMTP\r\n"])
def test_another_server_in_place_of_the_api_fails_with_a_sentence(answer: bytes, owner: Owner) -> None:
    owner.forge.instead = answer
    output = owner.update(code=1)
    assert "::error::" in output
    assert "pulls answered with no JSON: a proxy or another server is there." in output
    assert "Traceback" not in output


def test_the_newest_version_is_left_alone(newer_template: Path, tmp_path: Path) -> None:
    answers: dict[str, Any] = example("default")
    run_copy(str(newer_template), tmp_path / "new", data=answers, defaults=True, quiet=True, vcs_ref="v99.0.0")
    project = Project(tmp_path / "new")
    project.commit("Start")
    assert "has the newest version of its template, 99.0.0" in project.make("template-update").stdout


def test_a_schedule_of_a_tag_offers_to_the_default_branch(rendered: Installed) -> None:
    """GitLab's pipeline of a tag is of no branch."""
    variables = {"CI_PROJECT_ID": "1", "CI_PROJECT_URL": "x", "CI_API_V4_URL": "x", "CI_DEFAULT_BRANCH": "trunk"}
    program = "import os; from ops.pull_requests import find_host; print(find_host(os.environ, 'token').base)"
    assert rendered("default").run("python3", "-c", program, environment=variables).stdout == "trunk\n"
