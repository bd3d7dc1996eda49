"""How long `copier copy` and `copier update` take, as whole processes.

Beside a template of one file, and beside one with the same tree of files with a single character in each: the
second is what Copier itself spends on that many files (docs/decisions/0008-generation-time.md).
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from benchmarks.table import Row, interleaved
from harness.limits import file_limit
from harness.project import EXAMPLES
from harness.releases import IDENTITY, candidate, git, releases

ROUNDS = 7
OWN_COST_LIMIT = 1.7


def measure(folder: Path) -> Iterator[Row]:
    """Yield the rows; ``folder`` is empty and may be filled."""
    template = candidate(folder / "template")
    sample, names = folder / "sample", ["default", "minimal", "full"]
    copying(template, sample)()
    files = [path.relative_to(sample) for path in sample.rglob("*") if path.is_file()]
    one = placeholder_template(folder / "one", [Path("README.md")])
    same_tree = placeholder_template(folder / "same", files)

    actions = [copying(one, folder / "out"), copying(same_tree, folder / "out")]
    actions += [copying(template, folder / name, EXAMPLES / f"{name}.yml") for name in names]
    base, copier_itself, *taken = interleaved(actions, ROUNDS)

    default = taken[0]
    note = f"{default:.2f} s against {copier_itself:.2f} s for one character in each file"
    yield Row("copier copy, default answers / same tree", default / copier_itself, "times", OWN_COST_LIMIT, note)
    for name, seconds in zip(names, taken, strict=True):
        note = f"{seconds:.2f} s against {base:.2f} s"
        yield Row(f"copier copy, {name} answers / one file", seconds / base, "times", None, note)
    yield Row("the same tree / one file", copier_itself / base, "times", None, "what Copier itself spends")
    for name in names:
        count = sum(path.is_file() for path in (folder / name).rglob("*"))
        chosen = yaml.safe_load((folder / name / ".copier-answers.yml").read_text("utf-8"))["extensions"]
        yield Row(f"files, {name} answers", count, "files", file_limit(len(chosen)))
    yield from measure_updates(template, copying(one, folder / "out"), folder)


def measure_updates(template: Path, base: Callable[[], None], folder: Path) -> Iterator[Row]:
    """Yield the rows of updates, which render three times: one that changes nothing, and one from each release."""
    starts = {"HEAD": "HEAD", **{version: f"v{version}" for version in releases()}}
    actions = [updating(template, folder / f"from-{name}", version) for name, version in starts.items()]
    one_file, *taken = interleaved([base, *actions], 3)
    for name, seconds in zip(starts, taken, strict=True):
        note = f"{seconds:.2f} s against {one_file:.2f} s"
        yield Row(f"copier update, {name} to HEAD / copy of one file", seconds / one_file, "times", None, note)


def updating(template: Path, destination: Path, version: str) -> Callable[[], None]:
    """Return an action that updates a project of a version to the present state, each time from the start."""
    run_copier("copy", "--defaults", "--quiet", "--vcs-ref", version, str(template), str(destination))
    git("init", "--quiet", cwd=destination)
    git("add", "--all", cwd=destination)
    git(*IDENTITY, "commit", "--quiet", "--message", "Start", cwd=destination)

    def update() -> None:
        git("reset", "--quiet", "--hard", cwd=destination)
        git("clean", "--quiet", "-d", "--force", cwd=destination)
        run_copier("update", "--defaults", "--quiet", "--vcs-ref", "HEAD", str(destination))

    return update


def placeholder_template(folder: Path, files: list[Path]) -> Path:
    """Make a template without questions whose files hold one character each, in git like the real one."""
    for file in files:
        (folder / "template" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "template" / file).write_text(".", "utf-8")
    (folder / "copier.yml").write_text("_subdirectory: template\n", "utf-8")
    git("init", "--quiet", cwd=folder)
    git("add", "--all", "--force", cwd=folder)
    git(*IDENTITY, "commit", "--quiet", "--message", "Placeholders", cwd=folder)
    git("tag", "v1.0.0", cwd=folder)
    return folder


def copying(template: Path, destination: Path, answers: Path | None = None) -> Callable[[], None]:
    """Return an action that generates into a folder emptied before."""
    data = ["--data-file", str(answers)] if answers else []

    def copy() -> None:
        shutil.rmtree(destination, ignore_errors=True)
        run_copier("copy", "--defaults", "--quiet", *data, str(template), str(destination))

    return copy


def run_copier(*arguments: str) -> None:
    """Run Copier as its users do, as a process of its own."""
    subprocess.run([sys.executable, "-m", "copier", *arguments], check=True, capture_output=True)
