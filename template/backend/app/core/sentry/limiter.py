"""The limiter drops the excess, so that an error in a loop cannot use up the quota.

Events from the same place count together: each place may send ``burst`` events a minute, all places together
``total``. The first event of a place always goes through. Memory is bounded and belongs to the process.
"""

import logging
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

BURST = 10
TOTAL = 100
WINDOW_SECONDS = 60.0
MAX_PLACES = 1_000

logger = logging.getLogger(__name__)


@dataclass
class _Window:
    start: float
    sent: int = 0


class Limiter:
    """Counts events by place.

    Args:
        burst: How many events of one place may pass within a window.
        total: How many events may pass within a window; first events of a place pass beyond it.
        window: Length of a window, in seconds.
        max_places: How many places are remembered. The one seen longest ago is forgotten first.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        burst: int = BURST,
        total: int = TOTAL,
        window: float = WINDOW_SECONDS,
        max_places: int = MAX_PLACES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._total = total
        self._window = window
        self._max_places = max_places
        self._clock = clock
        # Not a plain lock: collecting garbage may report an error in the midst of counting one.
        self._lock = threading.RLock()
        self._places: OrderedDict[Hashable, _Window] = OrderedDict()
        self._all = _Window(clock())
        self._dropped = 0
        self._reporter: threading.Timer | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_again, weakref.ref(self)))

    def allows(self, place: Hashable) -> bool:
        """Count one event of ``place`` and say whether it may be sent."""
        now = self._clock()
        with self._lock:
            is_new = place not in self._places
            window = self._places.setdefault(place, _Window(now))
            self._places.move_to_end(place)
            if len(self._places) > self._max_places:
                self._places.popitem(last=False)
            for counted in (window, self._all):
                if now - counted.start >= self._window:
                    counted.start, counted.sent = now, 0
            if is_new or (window.sent < self._burst and self._all.sent < self._total):
                window.sent += 1
                self._all.sent += 1
                return True
            self._dropped += 1
            reporter = None
            if self._reporter is None:
                reporter = self._reporter = threading.Timer(self._window, self._report)
                reporter.daemon = True
        if reporter:
            # Not while the lock is held: starting a thread waits for it.
            reporter.start()
        return False

    def _report(self) -> None:
        with self._lock:
            dropped, self._dropped, self._reporter = self._dropped, 0, None
        logger.warning("The limiter dropped %s events within %g seconds", dropped, self._window)


def _begin_again(reference: "weakref.ref[Limiter]") -> None:
    """Give a forked process its own lock and report: it has none of the threads that hold or make the old ones."""
    limiter = reference()
    if limiter:
        limiter._lock = threading.RLock()  # noqa: SLF001 its own module
        limiter._reporter, limiter._dropped = None, 0  # noqa: SLF001 as above
