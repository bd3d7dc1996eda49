"""Add or remove extensions of this project: ``make extensions ON=name OFF=name``.

``copier update`` does the work, but deletes the files of what is left out without asking. So this tries the change in a
second working copy first, says what would be added, changed and deleted, which of it you have edited and which files of
yours stay behind, and goes on only when you agree. Needs git and uv.
"""

import argparse
import os
import re
import sys

from ops.extension_preview import attempt, update
from ops.template_update import ANSWERS, ROOT, UpdateError, run

STORED = re.compile(r"^extensions:(?: \[\]|((?:\n- [a-z]+)+))$", re.MULTILINE)


class SwitchError(Exception):
    """Refused; the message says why and what to do."""


def main() -> int:
    """See the module.

    Returns:
        0, or 1 after a message that says what was refused or failed.
    """
    parser = argparse.ArgumentParser(prog="python3 -m ops.extension_switch", description=__doc__)
    parser.add_argument("--on", default="", help="names to add, separated by spaces or commas")
    parser.add_argument("--off", default="", help="names to remove")
    arguments = parser.parse_args()
    try:
        switch(names_in(arguments.on), names_in(arguments.off))
    except (SwitchError, UpdateError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def switch(on: list[str], off: list[str]) -> None:
    """Show the change, ask, and make it.

    Raises:
        SwitchError: refused.
        UpdateError: git or Copier failed.
    """
    present = stored()
    if not on and not off:
        print(f"This project has: {', '.join(present) or 'no extension'}.\nmake extensions ON=name OFF=name")
        return
    wanted = changed(present, on, off)
    if run("git", "status", "--porcelain", "--", "."):
        raise SwitchError("Something is not committed. Commit it first: git is what brings deleted files back.")
    print(f"Trying it in a second working copy: {', '.join(wanted) or 'no extension'} ...", flush=True)
    preview = attempt(wanted, off)
    print(preview.describe())
    if not agreed():
        print("Nothing was changed.")
        return
    update(wanted, ROOT)
    print('Done. Look at it with "git status", run "make setup lint test", then commit.')
    print('Or take it all back: "git reset --hard && git clean -d --force".')


def names_in(text: str) -> list[str]:
    """Return the names of a list as people write it."""
    return [name for name in re.split(r"[\s,]+", text) if name]


def stored() -> list[str]:
    """Return the extensions that the project has, by its answers.

    Raises:
        SwitchError: the file is missing or not as Copier writes it.
    """
    try:
        found = STORED.search((ROOT / ANSWERS).read_text(encoding="utf-8"))
    except OSError as error:
        raise SwitchError(f"{ANSWERS} cannot be read: {error.strerror}. Take it back from git.") from None
    if not found:
        raise SwitchError(f"{ANSWERS} has no list of extensions as Copier writes it. Take it back from git.")
    return (found[1] or "").replace("\n- ", " ").split()


def changed(present: list[str], on: list[str], off: list[str]) -> list[str]:
    """Return what a project has after a change.

    Raises:
        SwitchError: something is to be added that is there, or removed that is not, or both.
    """
    if wrong := sorted(set(on) & set(off)):
        raise SwitchError(f"Both on and off: {', '.join(wrong)}. Decide.")
    if wrong := sorted(set(on) & set(present)):
        raise SwitchError(f"Already there: {', '.join(wrong)}.")
    if wrong := sorted(set(off) - set(present)):
        raise SwitchError(f"Not there: {', '.join(wrong)}. This project has: {', '.join(present) or 'no extension'}.")
    return [name for name in [*present, *on] if name not in off]


def agreed() -> bool:
    """Ask the person; in a script ``CONFIRM=1`` answers.

    Raises:
        SwitchError: nobody can be asked.
    """
    if os.environ.get("CONFIRM") == "1":
        return True
    if not sys.stdin.isatty():
        raise SwitchError("Nobody is here to agree, so nothing was changed. In a script: CONFIRM=1.")
    try:
        return input("Do it? Type yes: ").strip().lower() == "yes"
    except (EOFError, KeyboardInterrupt):
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
