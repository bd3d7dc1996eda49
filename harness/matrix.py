"""Which answers are tested together: every pair of values of the questions that have choices occurs in one project.

Read from copier.yml, so that a new choice or extension is in it at once. Faults of a template come from one answer or
from two that meet (https://csrc.nist.gov/projects/automated-combinatorial-testing-for-software); all triples would be
some forty projects.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import combinations
from typing import Any
from zlib import crc32

import yaml

from harness.project import ROOT, example

Row = dict[str, object]
Pair = tuple[str, object, str, object]

IN_FULL = ("default", "minimal", "full")
"""Examples that other tests take through all commands: they count, and are not repeated."""

MIXES = 100  # tried in a quarter of a second

SAME_EVERYWHERE = "tests/core/sentry/test_scrubber.py"
"""Tests of the backend that no answer reaches, a third of their time without extensions: two of ``IN_FULL`` run them.

tests/test_matrix.py looks whether that is so.
"""

WITH_SERVERS = [
    f"tests/extensions/{name}.py"
    for name in (
        "database/test_failures",
        "database/test_migrations",
        "jobs/test_jobs_ends",
        "jobs/test_jobs_schedule",
        "jobs/test_jobs_worker",
        "prometheus/test_processes",
        "storage/test_client",
        "websocket/test_server",
    )
]
"""Tests of the backend that need real servers and processes, half of their time with all extensions.

Projects of a single extension run them, ``full`` and ``hostile``.
"""

MULTISELECT = "extensions"
# What the expression in copier.yml gives a new project; tests/test_matrix.py looks.
DEFAULT_EXTENSIONS = ["database"]


@cache
def questions() -> dict[str, dict[str, Any]]:
    """Return the questions of copier.yml that have choices."""
    document = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    return {name: item for name, item in document.items() if isinstance(item, dict) and "choices" in item}


def choices(question: str) -> list[str]:
    """Return the values that a question offers."""
    return list(questions()[question]["choices"].values())


@cache
def parameters() -> dict[str, list[object]]:
    """Return what can vary: each question with its values, and each extension with on and off."""
    found: dict[str, list[object]] = {name: list(choices(name)) for name in questions() if name != MULTISELECT}
    return found | {extension: [False, True] for extension in choices(MULTISELECT)}


def answers(row: Row) -> dict[str, object]:
    """Return a row as answers."""
    chosen = [name for name in choices(MULTISELECT) if row[name]]
    return {name: value for name, value in row.items() if name in questions()} | {MULTISELECT: chosen}


def row_of(given: Mapping[str, Any]) -> Row:
    """Return what answers mean for each parameter, with the defaults of what they leave out."""
    extensions: list[str] = given.get(MULTISELECT, DEFAULT_EXTENSIONS)
    chosen = {name: given.get(name, item["default"]) for name, item in questions().items() if name != MULTISELECT}
    return chosen | {name: name in extensions for name in choices(MULTISELECT)}


def in_full() -> list[Row]:
    """Return the rows of the examples that other tests take through all commands."""
    return [row_of(example(name)) for name in IN_FULL]


def leaving_out(*files: str) -> dict[str, str]:
    """Return the variable with which the tests of a backend leave out files."""
    return {"PYTEST_ADDOPTS": " ".join(f"--ignore={file}" for file in files)}


def rows() -> dict[str, Row]:
    """Return the rows to test by name: each extension alone that is not alone in ``in_full``, then the pairs left.

    Of several mixes it is the one with the fewest rows, and of those the one with the fewest extensions.
    """
    return min(map(_mixed, range(MIXES)), key=lambda found: (len(found), sum(map(_extensions, found.values()))))


def _mixed(mix: int) -> dict[str, Row]:
    """Return rows in which every pair occurs, the same for the same number on every machine."""
    known, extensions = in_full(), choices(MULTISELECT)
    left = all_pairs(parameters()) - covered(known)
    found: dict[str, Row] = {}

    def add(name: str, begun: Row) -> None:
        found[name] = _best_row(begun, left, f"{mix} {len(found)}")
        left.difference_update(covered([found[name]]))

    for chosen in extensions:
        alone: Row = {name: name == chosen for name in extensions}
        if not any(alone.items() <= row.items() for row in known):
            add(f"{chosen} alone", alone)
    number = 0
    while left:
        number += 1
        # The pairs of those with most values need most rows.
        one, first, other, second = max(left, key=_difficulty)
        add(f"pairs {number}", {one: first, other: second})
    return found


def _extensions(row: Row) -> int:
    return sum(value is True for value in row.values())


def _difficulty(pair: Pair) -> tuple[int, str]:
    return len(parameters()[pair[0]]) * len(parameters()[pair[2]]), repr(pair)


def all_pairs(varying: Mapping[str, list[object]]) -> set[Pair]:
    """Return every pair of values of two parameters."""
    return {
        (one, first, other, second)
        for one, other in combinations(varying, 2)
        for first in varying[one]
        for second in varying[other]
    }


def covered(given: Iterable[Row]) -> set[Pair]:
    """Return the pairs that occur in rows."""
    names = list(parameters())
    return {(one, row[one], other, row[other]) for row in given for one, other in combinations(names, 2)}


def _best_row(begun: Row, left: set[Pair], mix: str) -> Row:
    """Return a row that has been begun with the values besides that bring most of the pairs left."""
    varying = parameters()
    row = dict(begun)
    for name in varying:
        if name not in row:
            row[name] = max(varying[name], key=lambda value: _worth({**row, name: value}, name, left, mix))
    return {name: row[name] for name in varying}


def _worth(row: Row, name: str, left: set[Pair], mix: str) -> tuple[int, int]:
    """Return how many of the pairs left a row has that hold one parameter, and a number to mix by."""
    gain = sum(
        name in (one, other) and row.get(one, ...) == first and row.get(other, ...) == second
        for one, first, other, second in left
    )
    # Where nothing else decides.
    return gain, crc32(f"{mix} {name} {row[name]}".encode())
