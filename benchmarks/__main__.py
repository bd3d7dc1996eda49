"""Run every benchmark and print the table.

Machines are noisy, so figures are ratios: both sides of one are measured in turns within the same run, and
their medians are compared. A row over its limit makes the exit code 1.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks import generation
from benchmarks.table import Row, printed


def main() -> int:
    """Return 0 when every row is within its limit."""
    with tempfile.TemporaryDirectory() as folder:
        rows: list[Row] = list(generation.measure(Path(folder)))
    print(printed(rows))
    return 0 if all(row.within for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
