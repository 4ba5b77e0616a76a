"""Breakers: every row of the table, every missing row, and the wait before re-arming."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.breakers import (
    RESETS,
    TRANSITIONS,
    Breaker,
    BreakerKind,
    BreakerState,
    IllegalSignal,
    Reset,
    Signal,
    after,
    settled,
)

CLOSED, OPEN, HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
HEALTH, TIME, OPERATOR = BreakerKind.STALE_BOOK, BreakerKind.ERROR_RATE, BreakerKind.DRIFT

COMMON = [
    (CLOSED, Signal.TRIP, OPEN),
    (CLOSED, Signal.FINE, CLOSED),
    (OPEN, Signal.TRIP, OPEN),
    (HALF, Signal.TRIP, OPEN),
    (HALF, Signal.FINE, HALF),
    (HALF, Signal.HELD, CLOSED),
]
ROWS = [
    *((kind, *row) for kind in (HEALTH, TIME, OPERATOR) for row in COMMON),
    (HEALTH, OPEN, Signal.FINE, HALF),
    (TIME, OPEN, Signal.FINE, OPEN),
    (TIME, OPEN, Signal.EXPIRED, HALF),
    (OPERATOR, OPEN, Signal.FINE, OPEN),
    (OPERATOR, OPEN, Signal.RELEASED, HALF),
]
LEGAL = {(RESETS[kind], state, signal) for kind, state, signal, _ in ROWS}
MISSING = [
    row for row in product((HEALTH, TIME, OPERATOR), BreakerState, Signal) if (RESETS[row[0]], *row[1:]) not in LEGAL
]


def in_state(kind: BreakerKind, state: BreakerState) -> Breaker:
    return Breaker(kind, "0xc", state, "before", 100)


@pytest.mark.parametrize(("kind", "state", "signal", "then"), ROWS)
def test_every_row_leads_where_the_table_says(
    kind: BreakerKind, state: BreakerState, signal: Signal, then: BreakerState
) -> None:
    moved = after(in_state(kind, state), signal, 200, "seen")
    assert moved.state is then
    assert (moved.reason, moved.since_ns) == (("before", 100) if then is state else ("seen", 200))


@pytest.mark.parametrize(("kind", "state", "signal"), MISSING)
def test_every_missing_row_raises(kind: BreakerKind, state: BreakerState, signal: Signal) -> None:
    with pytest.raises(IllegalSignal, match=f"a {kind} breaker that is {state} cannot take '{signal}'"):
        after(in_state(kind, state), signal, 200)


def test_the_table_has_no_row_that_is_not_tested() -> None:
    assert {(reset, *row) for reset, table in TRANSITIONS.items() for row in table} == LEGAL


def test_every_kind_says_how_it_may_close() -> None:
    assert set(RESETS) == set(BreakerKind)
    assert set(RESETS.values()) == set(Reset)


def test_a_breaker_that_gets_better_still_says_what_tripped_it() -> None:
    tripped = after(Breaker(HEALTH, "0xc"), Signal.TRIP, 100, "book stale")
    assert after(tripped, Signal.FINE, 200).reason == "book stale"


def test_health_must_last_before_orders_pass_again() -> None:
    tripped = after(Breaker(HEALTH, "0xc"), Signal.TRIP, 100)
    better = after(tripped, Signal.FINE, 200)
    assert not better.lets_through
    assert settled(better, 209, hold_ns=10) is better
    assert settled(better, 210, hold_ns=10).lets_through


def test_what_is_reset_by_time_waits_for_the_last_of_its_trips() -> None:
    tripped = after(Breaker(TIME), Signal.TRIP, 100, "9 of 10", until_ns=150)
    again = after(tripped, Signal.TRIP, 140, "10 of 11", until_ns=190)
    assert (again.since_ns, again.reason) == (100, "9 of 10")
    assert settled(again, 189) is again
    assert settled(again, 190).state is HALF


def test_what_an_operator_must_release_stays_open_for_ever() -> None:
    tripped = after(Breaker(OPERATOR), Signal.TRIP, 100)
    assert settled(after(tripped, Signal.FINE, 200), 10**18) is tripped


def test_a_relapse_starts_the_wait_again() -> None:
    breaker = after(after(Breaker(HEALTH), Signal.TRIP, 100), Signal.FINE, 200)
    relapsed = after(breaker, Signal.TRIP, 205)
    assert settled(relapsed, 10_000, hold_ns=10) is relapsed
    assert settled(after(relapsed, Signal.FINE, 300), 305, hold_ns=10).state is HALF


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=40))
def test_orders_pass_only_after_a_full_hold_without_a_fault(steps: list[tuple[int, bool]]) -> None:
    breaker, now, faults = Breaker(HEALTH), 0, []
    for wait, healthy in steps:
        now += wait
        breaker = after(breaker, Signal.FINE if healthy else Signal.TRIP, now)
        breaker = settled(breaker, now, hold_ns=10)
        if not healthy:
            faults.append(now)
        if breaker.lets_through and faults:
            assert now - faults[-1] >= 10
