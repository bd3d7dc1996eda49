"""The limiter drops the excess, so that an error in a loop cannot use up the quota.

Events from the same place count together. Each place may send ``burst`` events a minute; the first event
of a place always goes through. Memory is bounded and belongs to the process.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

BURST = 10
WINDOW_SECONDS = 60.0
MAX_PLACES = 1_000


@dataclass
class _Window:
    start: float
    sent: int = 0
    dropped: int = 0


class Limiter:
    """Counts events by place.

    Args:
        burst: How many events of one place may pass within a window.
        window: Length of a window, in seconds.
        max_places: How many places are remembered. The one seen longest ago is forgotten first.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        burst: int = BURST,
        window: float = WINDOW_SECONDS,
        max_places: int = MAX_PLACES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._window = window
        self._max_places = max_places
        self._clock = clock
        self._lock = threading.Lock()
        self._places: OrderedDict[Hashable, _Window] = OrderedDict()
        self._unreported = 0
        self._next_report = clock() + window

    def allows(self, place: Hashable) -> bool:
        """Count one event of ``place`` and say whether it may be sent."""
        now = self._clock()
        with self._lock:
            window = self._places.get(place)
            if window is None or now - window.start >= self._window:
                window = self._places[place] = _Window(now)
            self._places.move_to_end(place)
            while len(self._places) > self._max_places:
                self._places.popitem(last=False)
            if window.sent < self._burst:
                window.sent += 1
                return True
            window.dropped += 1
            self._unreported += 1
            return False

    def take_report(self) -> int:
        """Return how many events were dropped since the last report, at most once per window; otherwise 0."""
        now = self._clock()
        with self._lock:
            if now < self._next_report or not self._unreported:
                return 0
            count, self._unreported = self._unreported, 0
            self._next_report = now + self._window
            return count
