"""Say what this machine lacks, before anything is installed. Standard library only: it runs with any ``python3``."""

import shutil
import subprocess
import sys
from collections.abc import Iterator

PYTHON = (3, 11)
NODE = (20, 19)


def missing() -> Iterator[str]:
    """Yield one sentence for each thing to install."""
    if sys.version_info < PYTHON:
        yield f"Python {sys.version_info.major}.{sys.version_info.minor} is too old: install Python 3.11 or newer."
    else:
        yield from _missing_venv()
    for program in ("git", "npm"):
        if shutil.which(program) is None:
            yield f"{program} is missing: install it."
    if shutil.which("node") is None:
        yield "node is missing: install Node 20.19 or newer."
    elif (version := node_version()) < NODE:
        yield f"Node {version[0]}.{version[1]} is too old: install Node 20.19 or newer."


def _missing_venv() -> Iterator[str]:
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships Python without it
    except ImportError:
        yield "Python cannot make virtual environments: install the package python3-venv."


def node_version() -> tuple[int, int]:
    """Return the major and minor version of the installed Node."""
    printed = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = printed.strip().lstrip("v").split(".")[:2]
    return int(major), int(minor)


if __name__ == "__main__":
    sentences = list(missing())
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    sys.exit(1 if sentences else 0)
