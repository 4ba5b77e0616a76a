"""The venue's clock against ours: what is proved by whole seconds told between a question and its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND
from risk.domain.clock import Skew, TimeRead, bounds, estimate, wrong

SECOND = NANOS_PER_SECOND
MILLI = NANOS_PER_MILLI
START = 1_800_000_000 * SECOND


def read(at_ns: int, skew_ns: int, took_ns: int = 80 * MILLI, answered_ns: int = 40 * MILLI) -> TimeRead:
    """Asked at `at_ns` of our clock; the venue's is `skew_ns` ahead and cuts its answer down to seconds."""
    venue_ns = at_ns + answered_ns + skew_ns
    return TimeRead(at_ns, at_ns + took_ns, venue_ns // SECOND * SECOND, SECOND)


def test_one_answer_proves_a_second_and_its_own_travel() -> None:
    skew = bounds(TimeRead(START, START + 100 * MILLI, START, SECOND))
    assert skew == Skew(-100 * MILLI, SECOND)


def test_many_answers_prove_more_than_one() -> None:
    reads = [read(START + number * 1_370 * MILLI, 300 * MILLI) for number in range(12)]
    skew = estimate(reads)
    assert skew.low_ns <= 300 * MILLI <= skew.high_ns
    assert skew.high_ns - skew.low_ns < SECOND // 3


def test_what_was_told_before_a_clock_was_set_is_forgotten() -> None:
    before = [read(START + number * 1_370 * MILLI, 5 * SECOND) for number in range(5)]
    after = read(START + 10 * SECOND, 0)
    assert estimate([*before, after]) == bounds(after)


def test_nobody_knows_without_an_answer() -> None:
    with pytest.raises(ValueError, match="nobody has told the time yet"):
        estimate([])


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "said"),
    [
        (-100, 900, ""),
        (1_500, 2_500, ""),
        (2_100, 3_000, "our clock is at least 2100 ms behind the venue's"),
        (-4_000, -2_100, "our clock is at least 2100 ms ahead of the venue's"),
        (-4_000, -1_900, ""),
    ],
)
def test_only_what_is_proved_to_be_too_much_is_wrong(low_ms: int, high_ms: int, said: str) -> None:
    assert wrong(Skew(low_ms * MILLI, high_ms * MILLI), 2_000) == said


@given(
    st.integers(-10 * SECOND, 10 * SECOND),
    st.lists(
        st.tuples(st.integers(0, 20 * SECOND), st.integers(0, 2 * SECOND), st.floats(0, 1)), min_size=1, max_size=12
    ),
)
def test_the_truth_lies_within_what_is_proved(skew_ns: int, asked: list[tuple[int, int, float]]) -> None:
    at_ns, reads = START, []
    for pause_ns, took_ns, when in asked:
        at_ns += pause_ns
        reads.append(read(at_ns, skew_ns, took_ns, int(took_ns * when)))
        at_ns += took_ns
    low_ns, high_ns = estimate(reads)
    assert low_ns <= skew_ns <= high_ns
