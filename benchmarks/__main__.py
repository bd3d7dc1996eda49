"""Run benchmarks and print the table: all of them, or the parts named as arguments.

Machines are noisy, so figures are ratios: both sides of one are measured in turns within the same run, and
their medians are compared. A row over its limit makes the exit code 1.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import backend, browser, database, generation, scrubber
from benchmarks.table import Row, printed

PARTS = {
    "generation": generation.measure,
    "backend": backend.measure,
    "database": database.measure,
    "scrubber": scrubber.measure,
    "browser": browser.measure,
}


def main() -> int:
    """Return 0 when every row is within its limit."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; none means all")
    chosen = parser.parse_args().parts
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    rows: list[Row] = []
    for part in chosen or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            for row in PARTS[part](Path(folder)):
                rows.append(row)
                print(f"{part}: {row.name}: {row.value:.3g} {row.unit}", file=sys.stderr, flush=True)
    print(printed(rows))
    return 0 if all(row.within for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
