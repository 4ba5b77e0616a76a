"""Breakers: every row of the table, every missing row, and the wait before re-arming."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.breakers import (
    TRANSITIONS,
    Breaker,
    BreakerKind,
    BreakerState,
    IllegalSignal,
    Signal,
    after,
    settled,
)

CLOSED, OPEN, HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
BOOK, FEED = BreakerKind.STALE_BOOK, BreakerKind.FEED_SILENCE

ROWS = [
    (BOOK, CLOSED, Signal.BOOK_STALE, OPEN),
    (BOOK, CLOSED, Signal.BOOK_BROKEN, OPEN),
    (BOOK, CLOSED, Signal.BOOK_VERIFIED, CLOSED),
    (BOOK, OPEN, Signal.BOOK_STALE, OPEN),
    (BOOK, OPEN, Signal.BOOK_BROKEN, OPEN),
    (BOOK, OPEN, Signal.BOOK_VERIFIED, HALF),
    (BOOK, HALF, Signal.BOOK_STALE, OPEN),
    (BOOK, HALF, Signal.BOOK_BROKEN, OPEN),
    (BOOK, HALF, Signal.BOOK_VERIFIED, HALF),
    (BOOK, HALF, Signal.HELD, CLOSED),
    (FEED, CLOSED, Signal.FEED_SILENT, OPEN),
    (FEED, CLOSED, Signal.FEED_HEARD, CLOSED),
    (FEED, OPEN, Signal.FEED_SILENT, OPEN),
    (FEED, OPEN, Signal.FEED_HEARD, HALF),
    (FEED, HALF, Signal.FEED_SILENT, OPEN),
    (FEED, HALF, Signal.FEED_HEARD, HALF),
    (FEED, HALF, Signal.HELD, CLOSED),
]
LEGAL = {(kind, state, signal) for kind, state, signal, _ in ROWS}
MISSING = [row for row in product(BreakerKind, BreakerState, Signal) if row not in LEGAL]


def in_state(kind: BreakerKind, state: BreakerState) -> Breaker:
    return Breaker(kind, "0xc", state, "before", 100)


@pytest.mark.parametrize(("kind", "state", "signal", "then"), ROWS)
def test_every_row_leads_where_the_table_says(
    kind: BreakerKind, state: BreakerState, signal: Signal, then: BreakerState
) -> None:
    moved = after(in_state(kind, state), signal, 200)
    assert moved.state is then
    if then is state:
        assert (moved.reason, moved.since_ns) == ("before", 100)
    else:
        assert (moved.reason, moved.since_ns) == (signal.value, 200)


@pytest.mark.parametrize(("kind", "state", "signal"), MISSING)
def test_every_missing_row_raises(kind: BreakerKind, state: BreakerState, signal: Signal) -> None:
    with pytest.raises(IllegalSignal, match=f"a {kind} breaker that is {state} cannot take '{signal}'"):
        after(in_state(kind, state), signal, 200)


def test_the_table_has_no_row_that_is_not_tested() -> None:
    assert {(kind, *row) for kind, table in TRANSITIONS.items() for row in table} == LEGAL


def test_health_must_last_before_orders_pass_again() -> None:
    tripped = after(Breaker(BOOK, "0xc"), Signal.BOOK_STALE, 100)
    better = after(tripped, Signal.BOOK_VERIFIED, 200)
    assert not better.lets_through
    assert settled(better, 209, hold_ns=10) is better
    assert settled(better, 210, hold_ns=10).lets_through


def test_a_relapse_starts_the_wait_again() -> None:
    breaker = after(after(Breaker(FEED), Signal.FEED_SILENT, 100), Signal.FEED_HEARD, 200)
    relapsed = after(breaker, Signal.FEED_SILENT, 205)
    assert settled(relapsed, 10_000, hold_ns=10) is relapsed
    assert settled(after(relapsed, Signal.FEED_HEARD, 300), 305, hold_ns=10).state is HALF


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40))
def test_orders_pass_only_after_a_full_hold_without_a_fault(steps: list[tuple[int, bool]]) -> None:
    breaker, now, faults = Breaker(FEED), 0, []
    for wait, healthy in steps:
        now += wait
        breaker = after(breaker, Signal.FEED_HEARD if healthy else Signal.FEED_SILENT, now)
        breaker = settled(breaker, now, hold_ns=10)
        if not healthy:
            faults.append(now)
        if breaker.lets_through and faults:
            assert now - faults[-1] >= 10
