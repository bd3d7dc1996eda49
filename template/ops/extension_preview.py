"""What adding and removing extensions would do to the files of the project, found out by doing it elsewhere."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ops.template_update import ANSWERS, COPIER, ROOT, names, remembered, run, working_copy


@dataclass(frozen=True)
class Preview:
    """What a change would do to the files of the project.

    Attributes:
        added: new files.
        changed: files that get other lines.
        deleted: files that go.
        edited: those of ``deleted`` that are not as the template made them.
        left: files of nobody but the owner in the folders of what goes, and files that still name it.
        conflicts: files that would hold both the owner's and the template's lines.
    """

    added: list[str]
    changed: list[str]
    deleted: list[str]
    edited: list[str]
    left: list[str]
    conflicts: list[str]

    def describe(self) -> str:
        """Return it for a person to read."""
        parts = [
            ("new", self.added),
            ("changed", self.changed),
            ("DELETED", [f"{name}   <- edited by you" if name in self.edited else name for name in self.deleted]),
            ("yours, they stay: remove them, or mend what they import", self.left),
            ("conflicts for you to decide", self.conflicts),
        ]
        return "\n".join(f"{title}:\n" + "".join(f"  {name}\n" for name in names) for title, names in parts if names)


def attempt(wanted: list[str], off: list[str]) -> Preview:
    """Make the change in a second working copy and return what it did there.

    Raises:
        UpdateError: Copier failed; it names a choice that does not exist.
    """
    with working_copy() as copy:
        update(wanted, copy)
        conflicts = names("diff", "-z", "--relative", "--name-only", "--diff-filter=U", cwd=copy)
        conflicts |= names("ls-files", "-z", "--others", "--", "*.rej", cwd=copy)
        run("git", "add", "--all", ".", cwd=copy)
        files = {
            kind: names(
                "diff", "-z", "--relative", "--cached", "--no-renames", "--name-only", f"--diff-filter={kind}", cwd=copy
            )
            for kind in "AMD"
        }
        left = {name for part in off for name in left_of(part, copy)}
    edited = files["D"] & edits() if files["D"] else set()
    changed_ = files["M"] - conflicts - {ANSWERS}
    return Preview(*map(sorted, (files["A"], changed_, files["D"], edited, left, conflicts)))


def left_of(part: str, copy: Path) -> set[str]:
    """Return the files that still belong to an extension, or name its modules, after it went."""
    named = re.compile(rf"extensions[./]{part}\b")
    return {
        name
        for name in names("ls-files", "-z", cwd=copy)
        # A submodule is listed as well, and so is a link that leads nowhere.
        if named.search(name) or ((copy / name).is_file() and named.search(text(copy / name).decode(errors="replace")))
    }


def edits() -> set[str]:
    """Return the files that are not as the template made them from the answers.

    Raises:
        UpdateError: Copier failed, or nobody knows where the template is.
    """
    options = ("--quiet", "--defaults", "--vcs-ref", remembered("_commit"), "--data-file", str(ROOT / ANSWERS))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        run(*COPIER, "copy", *options, remembered("_src_path"), str(made))
        files = {path.relative_to(made).as_posix(): text(path) for path in made.rglob("*") if path.is_file()}
    return {name for name, content in files.items() if (ROOT / name).is_file() and text(ROOT / name) != content}


def text(path: Path) -> bytes:
    """Return what is in a file, whatever its line endings are."""
    return path.read_bytes().replace(b"\r\n", b"\n")


def update(wanted: list[str], folder: Path) -> None:
    """Let Copier change the extensions, without a newer version of the template.

    Raises:
        UpdateError: Copier failed.
    """
    options = ("--vcs-ref", ":current:", "--defaults", "--quiet", "--data", f"extensions=[{', '.join(wanted)}]")
    run(*COPIER, "update", *options, cwd=folder)
