"""The processes of one server, which count together in the files of one folder.

Each has a number, and holds the lock of it as long as it lives: the system gives the lock back however the process
ends. Its successor takes the number and the counts over, so that no count ever falls and no file is left behind.
"""

import fcntl
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.config import ConfigurationError

MAX_WORKERS = 1_000
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def shared_folder(configured: Path | None) -> Path | None:
    """Return the folder in which processes count together, or nothing where this process is the only one.

    Args:
        configured: What the settings say; needed with servers that start their processes in another way than uvicorn.
    """
    if configured:
        return configured
    # uvicorn's workers are made by multiprocessing; what they have in common is the process that made them.
    parent = multiprocessing.parent_process()
    if parent is None:
        return None
    return Path(tempfile.gettempdir()) / f"prometheus-{os.getuid()}-{parent.pid}"


class Workers:
    """The processes that count in a folder, with this one among them from the first count on.

    Args:
        folder: Made when it is missing. What is in it from an earlier server is deleted.
        is_temporary: Whether the last process to leave deletes it.

    Raises:
        ConfigurationError: the folder cannot be made, or belongs to somebody else.
    """

    def __init__(self, folder: Path, *, is_temporary: bool) -> None:
        self.folder = folder
        self._is_temporary = is_temporary
        self._process = -1
        self._number = -1
        self._lock = -1
        self.number()

    def number(self) -> int:
        """Return the number of this process; no other that lives has it. A forked process gets one of its own."""
        if self._process != os.getpid():
            self._enter()
        return self._number

    def forget_dead(self) -> None:
        """Delete what only counts while a process lives, of those that do not."""
        with self._alone():
            for number in self._numbers():
                if not self._is_held(number):
                    self._forget(number)

    def leave(self) -> None:
        """Give the number back. Totals stay for as long as there is another process."""
        with self._alone():
            os.close(self._lock)
            self._forget(self._number)
            if self._is_temporary and not any(map(self._is_held, self._numbers())):
                shutil.rmtree(self.folder)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Others can write into the temporary folder: a link or a folder of theirs would lead elsewhere.
            is_foreign = self.folder.is_symlink() or self.folder.stat().st_uid != os.getuid()
            if not os.access(self.folder, os.W_OK) or (self._is_temporary and is_foreign):
                raise PermissionError
        except OSError as error:
            reason = f"{type(error).__name__}: processes cannot count together in {self.folder}"
            raise ConfigurationError(f"{VARIABLE}: {reason}; name a folder that can be written") from None

    def _enter(self) -> None:
        if self._lock >= 0:
            # That of the process that this one was forked from.
            os.close(self._lock)
        with self._alone():
            held = {number for number in self._numbers() if self._is_held(number)}
            if not held:
                for file in self.folder.glob("*.db"):
                    file.unlink()
            self._number = next(number for number in range(MAX_WORKERS) if number not in held)
            self._lock = os.open(self._file(self._number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._forget(self._number)
            self._process = os.getpid()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from entering, leaving and tidying up."""
        lock = self._lock_folder()
        try:
            yield
        finally:
            os.close(lock)

    def _lock_folder(self) -> int:
        while True:
            self._make_folder()
            path = self.folder / "lock"
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            # The last process may have deleted the folder while this one waited.
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return lock
            os.close(lock)

    def _file(self, number: int) -> Path:
        return self.folder / f"worker-{number}.lock"

    def _numbers(self) -> list[int]:
        return [int(file.stem.partition("-")[2]) for file in self.folder.glob("worker-*.lock")]

    def _is_held(self, number: int) -> bool:
        lock = os.open(self._file(number), os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _forget(self, number: int) -> None:
        for file in self.folder.glob(f"gauge_live*_{number}.db"):
            file.unlink(missing_ok=True)
