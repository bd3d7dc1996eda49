"""How long `copier copy` and `copier update` take, as whole processes, beside a template of one file."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.table import Row, interleaved
from harness.project import EXAMPLES
from harness.releases import IDENTITY, candidate, git

ROUNDS = 7
RATIO_LIMIT = 1.6
FILE_LIMIT = 120


def measure(folder: Path) -> Iterator[Row]:
    """Yield the rows; ``folder`` is empty and may be filled."""
    template = candidate(folder / "template")
    tiny = one_file_template(folder / "tiny")
    names = ["default", "minimal", "full"]
    actions = [copying(tiny, folder / "out")]
    actions += [copying(template, folder / "out", EXAMPLES / f"{name}.yml") for name in names]
    base, *taken = interleaved(actions, ROUNDS)

    for name, seconds, action in zip(names, taken, actions[1:], strict=True):
        action()
        count = sum(path.is_file() for path in (folder / "out").rglob("*"))
        note = f"{seconds:.2f} s against {base:.2f} s for one file"
        yield Row(
            f"copier copy, {name} answers", seconds / base, "times", RATIO_LIMIT if name == "default" else None, note
        )
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
    yield Row("copier update, default answers", seconds / base, "times", None, f"{seconds:.2f} s")


def one_file_template(folder: Path) -> Path:
    """Make the smallest template there is, in git like the real one."""
    folder.mkdir()
    (folder / "copier.yml").write_text("_subdirectory: template\n", "utf-8")
    (folder / "template").mkdir()
    (folder / "template/README.md").write_text("# One file\n", "utf-8")
    git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    git(*IDENTITY, "commit", "--quiet", "--message", "One file", cwd=folder)
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
