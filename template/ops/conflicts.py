"""Refuse to go on while the project holds an undecided conflict: ``make lint``, ``make build``, images and commits.

``copier update`` and ``git merge`` leave conflicts as markers in files, as unmerged entries of git's index, or as
``.rej`` files, and Copier ends with 0 in spite of them. Needs git and no package; where there is no git, no update
can have left anything.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Seven signs and a space at the start of a line. The line of equals signs between them is no proof: it underlines
# headings as well.
MARKERS = r"^(<{7}|>{7}|\|{7}) "
DECIDE = "Decide what shall stay, then git add it"


class GitError(Exception):
    """git failed; the message is its own."""


def main() -> int:
    """Say each undecided conflict in one sentence.

    Returns:
        0 when there is none, otherwise 1.
    """
    parser = argparse.ArgumentParser(prog="python3 -m ops.conflicts", description=__doc__)
    parser.add_argument("--staged", action="store_true", help="look at what would be committed, not at the files")
    found = problems(staged=parser.parse_args().staged)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def problems(*, staged: bool = False) -> list[str]:
    """Return a sentence for each undecided conflict, the first line of each file only.

    Args:
        staged: whether to read the files as they would be committed.
    """
    where = ["--cached"] if staged else ["--untracked"]
    try:
        if git("rev-parse", "--is-inside-work-tree").strip() != "true":
            return []
        matches = git("grep", *where, "--no-color", "--no-column", "-z", "-n", "-I", "-E", MARKERS, empty=1)
        entries = git("ls-files", "-z", "--unmerged").split("\0")
        rejected = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.rej").split("\0")
    except GitError as error:
        return [] if "not a git repository" in str(error) else [f"Nobody can tell whether a conflict is open: {error}"]
    marked: dict[str, str] = {}
    # A name may hold a line feed, and a line any other sign that Python takes for the end of one.
    for name, number in re.findall(r"([^\0]+)\0([0-9]+)\0[^\n]*\n", matches):
        marked.setdefault(name, number)
    unmerged = {entry.partition("\t")[2] for entry in entries if entry}
    return [
        *(f"{name}:{number}: a conflict that is not decided. {DECIDE}." for name, number in marked.items()),
        *(f"{name}: git holds it as unmerged. {DECIDE}." for name in sorted(unmerged - marked.keys())),
        *(
            f"{name}:1: changes of yours that could not be applied. Put them into {name.removesuffix('.rej')}, "
            "then delete this file."
            for name in rejected
            if name and (ROOT / name).exists()
        ),
    ]


def git(*arguments: str, empty: int = 0) -> str:
    """Return what git prints about this folder; ``empty`` is its code when it finds nothing.

    Raises:
        GitError: it failed or is missing; the message is its own.
    """
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        result = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
    except OSError:
        raise GitError("not a git repository, because there is no git") from None
    if result.returncode not in {0, empty}:
        raise GitError(result.stderr.decode(errors="replace").strip())
    return result.stdout.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
