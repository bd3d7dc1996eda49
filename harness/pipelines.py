"""Run the generated workflows of GitHub for real: act, which runs every step on this machine.

What is not GitHub's: the actions of the marketplace are the small ones of ``standins/actions``; Node, uv and docker are
those of this machine; each environment sees all secrets; and ``$/``, which act does not know, is written ``./``.
"""

import json
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.processes import clean_environment
from harness.project import Project
from harness.releases import git

ACTIONS = Path(__file__).with_name("standins") / "actions"
USES = re.compile(r"uses: ([\w-]+/[\w-]+)(?:/[\w/-]+)?@([0-9a-f]{40})")
PASSED_BEFORE = """\
on: workflow_call
jobs:
  check:
    runs-on: ubuntu-24.04
    steps: [{ run: echo passed before }]
"""


@dataclass(frozen=True)
class GithubRun:
    """A run that has ended.

    Attributes:
        code: 0 when every job succeeded or was skipped.
        lines: what act reports, in the order of time; the output of steps is in ``msg``.
        state: folder with the artifacts and what the stand-ins noted.
    """

    code: int
    lines: list[dict[str, Any]]
    state: Path

    @property
    def results(self) -> dict[str, str]:
        """How each job ended that was not skipped, by the name of workflow and job, as in ``release/deploy``."""
        return {line["job"].strip(): line["jobResult"] for line in self.lines if "jobResult" in line}

    def output(self, job: str | None = None) -> str:
        """Return what a job printed, or all jobs did."""
        return "".join(f"{line['msg'].rstrip()}\n" for line in self.lines if job in (None, line.get("job", "").strip()))


@dataclass
class Github:
    """A repository on GitHub, as its workflows see it.

    Attributes:
        origin: the bare repository that they check out.
        state: where runs keep their artifacts.
        secrets: by name.
        variables: by name; what an expression sees as ``vars``.
        environment: of every step, such as PATH.
    """

    origin: Path
    state: Path
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    @classmethod
    def of(cls, project: Project, folder: Path) -> "Github":
        """Put the last commit of a project there; ``folder`` is new and holds everything."""
        folder.mkdir()
        git("clone", "--quiet", "--bare", str(project.path), str(folder / "origin.git"), cwd=folder)
        git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=folder / "origin.git")
        return cls(folder / "origin.git", folder)

    def run(  # noqa: PLR0913 - a run has that many facts
        self,
        event: str,
        workflow: str,
        *,
        ref: str = "main",
        payload: Mapping[str, object] | None = None,
        run_id: int = 1,
        checked: bool = False,
        job: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> GithubRun:
        """Run a workflow to its end.

        Args:
            event: its name, such as ``push``.
            workflow: file name below ``.github/workflows``.
            ref: branch or tag.
            payload: what GitHub says of the event.
            run_id: the same for a run and its repetitions.
            job: only this one and those that it needs.
            environment: of every step of this run besides.
            checked: whether the workflow ``ci.yml``, called by another, has passed before and is not run again.
        """
        self.runs += 1
        place = self.state / f"run-{self.runs}"
        git("clone", "--quiet", "--branch", ref, str(self.origin), str(place / "repository"), cwd=self.state)
        repository = place / "repository"
        git("remote", "set-url", "origin", "https://github.com/owner/my-app.git", cwd=repository)
        workflows = repository / ".github/workflows"
        replaced = []
        for file in sorted(workflows.glob("*.yml")):
            text = file.read_text("utf-8")
            file.write_text(text.replace("uses: $/", "uses: ./"), "utf-8")
            replaced += USES.findall(text)
        if checked:
            (workflows / "ci.yml").write_text(PASSED_BEFORE, "utf-8")
        is_tag = bool(git("tag", "--list", ref, cwd=repository))
        full_ref = f"refs/{'tags' if is_tag else 'heads'}/{ref}"
        facts = {"ref": full_ref, "repository": {"default_branch": "main", "full_name": "owner/my-app"}}
        (place / "event.json").write_text(json.dumps({**facts, **(payload or {})}), "utf-8")
        state = self.state / f"state-{run_id}"
        state.mkdir(exist_ok=True)
        machine = {**self.environment, **(environment or {})}
        steps = {
            **machine,
            "GITHUB_RUN_ID": str(run_id),
            "PIPELINE_ORIGIN": str(self.origin),
            "PIPELINE_STATE": str(state),
        }
        command = [f"{sysconfig.get_path('scripts')}/act", event, "--json", "--workflows", str(workflows / workflow)]
        command += ["--platform", "ubuntu-24.04=-self-hosted", "--no-skip-checkout", "--no-cache-server"]
        command += ["--eventpath", str(place / "event.json"), "--actor", "somebody", "--rm"]
        command += ["--insecure-secrets"]  # what a step prints is not masked, so that a test can see it
        if job:
            command += ["--job", job]
        for name, sha in sorted(set(replaced)):
            command += ["--local-repository", f"{name}@{sha}={ACTIONS / name.replace('/', '__')}"]
        for option, values in (("--secret", self.secrets), ("--var", self.variables), ("--env", steps)):
            for name, value in values.items():
                command += [option, f"{name}={value}"]
        result = subprocess.run(
            command,
            cwd=repository,
            env=clean_environment({**machine, "XDG_CACHE_HOME": str(place / "cache")}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        (place / "act.log").write_text(result.stdout + result.stderr, "utf-8")
        shutil.rmtree(place / "cache", ignore_errors=True)
        return GithubRun(result.returncode, lines, state)
