"""The limiter."""

import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.sentry import limiter as limiter_module
from app.core.sentry.limiter import Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_place_may_send_a_burst_and_the_excess_is_dropped() -> None:
    limiter = Limiter(burst=3, clock=Clock())

    assert [limiter.allows("loop") for _ in range(5)] == [True, True, True, False, False]


def test_places_do_not_share_a_burst() -> None:
    limiter = Limiter(burst=1, clock=Clock())

    assert [limiter.allows(place) for place in ("a", "b", "a", "b")] == [True, True, False, False]


def test_a_new_window_begins_after_a_minute() -> None:
    clock = Clock()
    limiter = Limiter(burst=1, window=60, clock=clock)
    limiter.allows("loop")

    clock.now = 59.9
    assert not limiter.allows("loop")
    clock.now = 60.0
    assert limiter.allows("loop")


@given(st.lists(st.integers(0, 30), max_size=200))
def test_the_first_event_of_a_place_is_never_hidden(places: list[int]) -> None:
    limiter = Limiter(burst=1, max_places=5, clock=Clock())
    seen: set[int] = set()

    for place in places:
        allowed = limiter.allows(place)
        assert allowed or place in seen
        seen.add(place)


def test_memory_is_bounded() -> None:
    limiter = Limiter(max_places=10, clock=Clock())

    for place in range(1_000):
        limiter.allows(place)

    assert len(limiter._places) == 10


def test_all_places_together_have_a_limit_that_first_events_pass() -> None:
    clock = Clock()
    limiter = Limiter(burst=10, total=3, window=60, clock=clock)

    assert [limiter.allows(place) for place in ("a", "a", "b", "a", "b", "c")] == [True, True, True, False, False, True]
    clock.now = 60.0
    assert limiter.allows("a")


def test_what_was_dropped_is_logged_once_a_window(caplog: pytest.LogCaptureFixture) -> None:
    limiter = Limiter(burst=1, window=0.05, clock=Clock())
    with limiter._lock:  # The report waits until all are counted.
        for _ in range(4):
            limiter.allows("loop")
    reporter = limiter._reporter
    assert reporter is not None

    reporter.join()

    assert caplog.messages == ["The limiter dropped 3 events within 0.05 seconds"]


def test_an_error_that_is_reported_in_the_midst_of_counting_one_does_not_stop_the_process() -> None:
    limiter = Limiter()

    class Place:
        def __hash__(self) -> int:
            limiter.allows("collected as garbage")
            return 1

    counting = threading.Thread(target=limiter.allows, args=(Place(),), daemon=True)
    counting.start()
    counting.join(timeout=60)

    assert not counting.is_alive()


def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have(caplog: pytest.LogCaptureFixture) -> None:
    limiter = Limiter(burst=1, window=0.05, clock=Clock())
    limiter._reporter = threading.Timer(3600, str)
    holding = threading.Thread(target=limiter._lock.acquire)
    holding.start()
    holding.join()

    limiter_module._begin_again(weakref.ref(limiter))

    def count() -> None:
        with limiter._lock:  # The report waits until all are counted.
            for _ in range(3):
                limiter.allows("place")

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    counting.join(timeout=60)
    assert not counting.is_alive()
    reporter = limiter._reporter
    assert reporter is not None
    reporter.join(timeout=60)
    assert caplog.messages == ["The limiter dropped 2 events within 0.05 seconds"]


def test_each_window_with_losses_has_one_report(caplog: pytest.LogCaptureFixture) -> None:
    limiter = Limiter(burst=1, window=3600)
    answers: list[bool] = []
    for _ in range(2):
        threads = [threading.Thread(target=lambda: answers.append(limiter.allows("loop"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reporter = limiter._reporter
        assert reporter is not None
        # As if the window had ended: on a busy machine a short one may end between the threads.
        reporter.cancel()
        limiter._report()

    assert len(caplog.messages) == 2
    assert sum(int(text.split()[3]) for text in caplog.messages) == answers.count(False)


def test_nothing_is_logged_when_nothing_was_dropped() -> None:
    limiter = Limiter(burst=2, clock=Clock())
    limiter.allows("once")

    assert limiter._reporter is None
