"""The order rate: never more than a burst at once, never more than the rate in the long run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.units import NANOS_PER_SECOND
from risk.domain.rate import OrderRate

START = 1_785_000_000 * NANOS_PER_SECOND


def test_a_fresh_bucket_has_a_seconds_worth() -> None:
    assert OrderRate(30, START).room(START) == 30


def test_what_is_taken_comes_back_with_time() -> None:
    rate = OrderRate(10, START)
    rate.take(10, START)
    assert rate.room(START) == 0
    assert rate.room(START + NANOS_PER_SECOND // 10 - 1) == 0
    assert rate.room(START + NANOS_PER_SECOND // 10) == 1
    assert rate.room(START + 100 * NANOS_PER_SECOND) == 10


def test_looking_often_loses_no_fraction() -> None:
    rate = OrderRate(3, START)
    rate.take(3, START)
    for step in range(1, 1000):
        rate.room(START + step * NANOS_PER_SECOND // 1000)
    assert rate.room(START + NANOS_PER_SECOND) == 3


def test_taking_more_than_there_is_raises_and_takes_nothing() -> None:
    rate = OrderRate(5, START)
    with pytest.raises(ValueError, match="6 orders taken with room for 5"):
        rate.take(6, START)
    with pytest.raises(ValueError, match="-1 orders taken"):
        rate.take(-1, START)
    assert rate.room(START) == 5


def test_a_clock_that_steps_back_changes_nothing() -> None:
    rate = OrderRate(5, START)
    rate.take(5, START)
    assert rate.room(START - NANOS_PER_SECOND) == 0
    assert rate.room(START) == 0


def test_a_new_rate_keeps_what_is_left_up_to_its_burst() -> None:
    rate = OrderRate(10, START, burst=20)
    rate.set_rate(2, START)
    assert rate.room(START) == 2
    rate.set_rate(10, START)
    assert rate.room(START) == 2
    assert rate.room(START + NANOS_PER_SECOND) == 10


@pytest.mark.parametrize(("per_second", "burst"), [(0, None), (-1, 5), (5, 0)])
def test_a_rate_below_one_is_an_error(per_second: int, burst: int | None) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        OrderRate(per_second, START, burst)


@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 3 * NANOS_PER_SECOND), st.integers(1, 60)), max_size=30),
)
def test_no_window_ever_sees_more_than_a_burst_and_its_refill(
    per_second: int, burst: int, wants: list[tuple[int, int]]
) -> None:
    rate = OrderRate(per_second, START, burst)
    now, taken = START, []
    for wait, wanted in wants:
        now += wait
        count = min(wanted, rate.room(now))
        rate.take(count, now)
        taken.append((now, count))
    for first, (begin, _) in enumerate(taken):
        for last, (end, _) in enumerate(taken[first:], first):
            orders = sum(count for _, count in taken[first : last + 1])
            assert orders * NANOS_PER_SECOND <= burst * NANOS_PER_SECOND + (end - begin) * per_second
