"""How long `copier copy` and `copier update` take, as whole processes.

Beside a template of one file, and beside one with the same tree of files with a single character in each: the
second is what Copier itself spends on that many files (docs/decisions/0008-generation-time.md).
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.table import Row, interleaved
from harness.project import EXAMPLES
from harness.releases import IDENTITY, candidate, git

ROUNDS = 7
OWN_COST_LIMIT = 1.6
FILE_LIMIT = 168


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
        yield Row(f"files, {name} answers", count, "files", FILE_LIMIT)
    yield from measure_update(template, folder / "updated", base)


def measure_update(template: Path, destination: Path, base: float) -> Iterator[Row]:
    """Yield the row of an update that changes nothing, which renders the project three times."""
    copying(template, destination)()
    git("init", "--quiet", cwd=destination)
    git("add", "--all", cwd=destination)
    git(*IDENTITY, "commit", "--quiet", "--message", "Start", cwd=destination)

    def update() -> None:
        run_copier("update", "--defaults", "--quiet", "--vcs-ref", "HEAD", str(destination))

    (seconds,) = interleaved([update], 3)
    yield Row("copier update, default answers / one file", seconds / base, "times", None, f"{seconds:.2f} s")


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
