"""What takes long to make and is kept below ``.cache``: made on first use, once, whoever asks at the same time."""

import hashlib
import tempfile
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

from harness.project import ROOT

CACHE = ROOT / ".cache"


def cached(name: str, recipe: str, make: Callable[[Path], Path]) -> Path:
    """Return the folder of something, made on first use.

    Args:
        name: What it is called.
        recipe: All that decides what it is like; another recipe is another folder.
        make: Makes it in the empty folder that it is given, and returns which folder there is to keep.
    """
    place = CACHE / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not place.exists():
            # Only a finished one gets the name, so an interrupted start does no harm.
            with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
                make(Path(unfinished)).rename(place)
    return place
