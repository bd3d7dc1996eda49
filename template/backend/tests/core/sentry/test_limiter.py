"""The limiter."""

from hypothesis import given
from hypothesis import strategies as st

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


def test_what_was_dropped_is_reported_once_a_minute() -> None:
    clock = Clock()
    limiter = Limiter(burst=1, window=60, clock=clock)
    for _ in range(4):
        limiter.allows("loop")

    assert limiter.take_report() == 0
    clock.now = 60.0
    assert limiter.take_report() == 3
    assert limiter.take_report() == 0
    clock.now = 120.0
    assert limiter.take_report() == 0
