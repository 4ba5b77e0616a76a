import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.budget import MAX_BATCH, MINUTE, TIERS, Bucket, Budget, CancelWindow, Tier, Urgency
from markets.domain.units import NANOS_PER_SECOND

SECOND = NANOS_PER_SECOND
NOW = 1_800_000_000 * SECOND
U = Urgency


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(rate=40, burst=60)
    assert bucket.left(NOW) == 60
    bucket.take(60, NOW)
    assert bucket.wait_ns(1, 0, NOW) == SECOND // 40
    assert bucket.left(NOW + SECOND // 40) == 1
    assert bucket.left(NOW + 10 * SECOND) == 60


def test_a_wait_is_exactly_long_enough() -> None:
    bucket = Bucket(rate=7, burst=10)
    bucket.take(10, NOW)
    wait = bucket.wait_ns(3, 0, NOW)
    assert bucket.wait_ns(3, 0, NOW + wait - 1) == 1
    assert bucket.wait_ns(3, 0, NOW + wait) == 0


def test_what_is_more_than_the_burst_is_refused_and_not_waited_for() -> None:
    with pytest.raises(ValueError, match="more than the burst of 10"):
        Bucket(rate=7, burst=10).wait_ns(8, 3, NOW)


def test_a_clock_set_back_changes_nothing() -> None:
    bucket = Bucket(rate=40, burst=60)
    bucket.take(60, NOW)
    assert bucket.left(NOW - MINUTE) == 0
    assert bucket.left(NOW) == 0


@given(
    rate=st.integers(1, 1_000),
    burst=st.integers(15, 2_000),
    asks=st.lists(st.tuples(st.integers(0, 2 * SECOND), st.integers(1, 15)), max_size=60),
)
def test_in_no_window_is_more_taken_than_burst_and_rate_allow(
    rate: int, burst: int, asks: list[tuple[int, int]]
) -> None:
    bucket = Bucket(rate, burst)
    taken: list[tuple[int, int]] = []
    now = NOW
    for pause, tokens in asks:
        now += pause
        if not bucket.wait_ns(tokens, 0, now):
            bucket.take(tokens, now)
            taken.append((now, tokens))
    for start, end in itertools.combinations_with_replacement(range(len(taken)), 2):
        span = taken[end][0] - taken[start][0]
        spent = sum(tokens for _, tokens in taken[start : end + 1])
        assert spent * SECOND <= burst * SECOND + span * rate


@given(pauses=st.lists(st.integers(0, SECOND), min_size=1, max_size=30))
def test_how_often_a_bucket_is_looked_at_changes_nothing(pauses: list[int]) -> None:
    often, once = Bucket(37, 90), Bucket(37, 90)
    often.take(90, NOW)
    once.take(90, NOW)
    now = NOW
    for pause in pauses:
        now += pause
        often.left(now)
    assert often.left(now) == once.left(now)


def test_requotes_leave_what_more_urgent_orders_need() -> None:
    budget = Budget()
    spent = {}
    for urgency in (U.REQUOTE, U.ARBITRAGE, U.EXIT):
        spent[urgency] = 0
        while not budget.admit(1, urgency, NOW):
            spent[urgency] += 1
    assert spent == {U.REQUOTE: 48, U.ARBITRAGE: 6, U.EXIT: 6}
    assert budget.orders.left(NOW) == 0


def test_the_more_urgent_is_served_first_when_tokens_come_back() -> None:
    budget = Budget()
    budget.orders.take(60, NOW)
    waits = [budget.admit(1, urgency, NOW) for urgency in (U.RISK, U.EXIT, U.ARBITRAGE, U.REQUOTE)]
    assert waits == sorted(waits)
    assert waits[0] == waits[1] < waits[2] < waits[3]


def test_what_is_not_admitted_costs_nothing() -> None:
    budget = Budget()
    budget.orders.take(50, NOW)
    assert budget.admit(15, U.REQUOTE, NOW) > 0
    assert budget.orders.left(NOW) == 10


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("urgency", list(Urgency))
def test_a_batch_of_any_class_can_be_admitted_in_every_tier(tier: Tier, urgency: Urgency) -> None:
    budget = Budget(tier)
    assert 1 <= budget.batch(urgency) <= MAX_BATCH
    assert budget.admit(budget.batch(urgency), urgency, NOW) == 0
    assert budget.cancel_batch() <= TIERS[tier].cancel_burst


def test_a_cancel_is_never_held_back_and_its_debt_never_stops_an_order() -> None:
    budget = Budget()
    budget.cancelling(500, NOW)
    assert budget.cancels.left(NOW) == -380
    assert budget.admit(15, U.REQUOTE, NOW) == 0


def test_the_venues_lower_count_is_believed_its_higher_one_is_not() -> None:
    budget = Budget()
    budget.told(budget.orders, 37, NOW)
    assert budget.orders.left(NOW) == 37
    budget.told(budget.orders, 60, NOW)
    assert budget.orders.left(NOW) == 37


def test_turned_away_there_is_no_token_before_the_stated_time() -> None:
    budget = Budget()
    budget.refused(budget.orders, SECOND, NOW)
    assert budget.admit(1, U.EXIT, NOW + SECOND - 1) > 0
    assert budget.admit(1, U.EXIT, NOW + SECOND + SECOND // 40) == 0


def test_a_new_tier_gives_its_room_and_forgives_nothing() -> None:
    budget = Budget()
    budget.orders.take(60, NOW)
    budget.retier(Tier.ELITE, NOW)
    assert (budget.orders.left(NOW), budget.orders.rate) == (840, 600)
    budget.retier(Tier.STANDARD, NOW)
    assert budget.orders.left(NOW) == 0


def test_a_cancel_counts_for_exactly_one_minute() -> None:
    window = CancelWindow()
    window.note(2, 0)
    assert window.left(3, MINUTE - 1) == 1
    assert window.left(3, MINUTE) == 3


def test_a_lowered_limit_leaves_nothing_but_never_less() -> None:
    window = CancelWindow()
    window.note(5, 0)
    assert window.left(3, 1) == 0


def test_in_no_minute_are_there_more_than_the_limit() -> None:
    window = CancelWindow()
    sent: list[int] = []
    for now in range(0, 5 * MINUTE, MINUTE // 7):
        allowed = min(2, window.left(9, now))
        window.note(allowed, now)
        sent += [now] * allowed
    assert all(sum(start <= at < start + MINUTE for at in sent) <= 9 for start in sent)
