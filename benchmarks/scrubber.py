"""The scrubber of a generated backend: what gets past it, how its time grows, and what it costs.

The work is done by ``scrubber_probe``, which runs in the generated backend's own environment.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from harness.processes import clean_environment
from harness.project import example, render
from harness.releases import candidate

EVENTS = 100_000
GROWTH_LIMIT = 1.1
RATIO_LIMIT = 20.0


def measure(folder: Path) -> Iterator[Row]:
    """Yield the rows; ``folder`` is empty and may be filled. Takes some minutes and says on stderr how far it is."""
    project = render(candidate(folder / "template"), folder / "scrubbed", example("default"))
    project.make("backend/.venv/.ready")
    backend = project.path / "backend"
    probe = shutil.copy(Path(__file__).with_name("scrubber_probe.py"), folder / "scrubber_probe.py")

    def ask(*arguments: str) -> dict[str, Any]:
        command = [str(backend / ".venv/bin/python"), str(probe), *arguments]
        environment = clean_environment({"PYTHONPATH": str(backend)})
        answer = subprocess.run(command, cwd=backend, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        result: dict[str, Any] = json.loads(answer.stdout)
        return result

    cost = ask("cost")
    for name, figures in cost.items():
        note = f"{figures['own']:.0f} against {figures['sdk']:.0f} microseconds, {figures['bytes'] / 1000:.1f} kB"
        limit = RATIO_LIMIT if "error" in name else None
        yield Row(f"scrubber, {name} / recursive EventScrubber", figures["own"] / figures["sdk"], "times", limit, note)
    for shape, exponent in ask("growth").items():
        yield Row(f"scrubber, growth with {shape}", exponent, "exponent", GROWTH_LIMIT)
    fuzz = ask("fuzz", str(EVENTS))
    note = f"{fuzz['events']} events"
    yield Row("scrubber, canaries that left", fuzz["left"], "", 0, f"{note}; first: {fuzz['first_left'] or 'none'}")
    yield Row(
        "scrubber, survivors changed", fuzz["changed"], "", 0, f"{note}; first: {fuzz['first_changed'] or 'none'}"
    )
    yield Row("scrubber, events that change the second time", fuzz["unstable"], "", 0, note)
