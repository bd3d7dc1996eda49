"""Rows of the benchmark table, and how they are compared and printed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the figure, in ``unit``.
        limit: the largest figure allowed, or nothing when the row only informs.
        note: what the figure was made of.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def within(self) -> bool:
        """Say whether the figure keeps its limit."""
        return self.limit is None or self.value <= self.limit


def interleaved(actions: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Run each action once a round, in turns, and return the median seconds of each."""
    seconds: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, taken in zip(actions, seconds, strict=True):
            began = time.perf_counter()
            action()
            taken.append(time.perf_counter() - began)
    return [median(taken) for taken in seconds]


def printed(rows: Sequence[Row]) -> str:
    """Return the table as aligned text."""
    lines = [("measured", "figure", "limit", "", "made of")]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:g}"
        verdict = "" if row.limit is None else ("ok" if row.within else "OVER")
        lines.append((row.name, f"{row.value:.3g} {row.unit}".strip(), limit, verdict, row.note))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
