"""The panel: what trips each breaker, what it covers, and that a restart forgets nothing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND
from risk.domain import thresholds
from risk.domain.breakers import BreakerKind, BreakerState
from risk.domain.panel import Kept, Panel, Release
from risk.domain.thresholds import DEFINITIONS, ThresholdError, Thresholds
from risk.domain.windows import LEARNED, RECENT, Rolling

SECOND, MILLI = NANOS_PER_SECOND, NANOS_PER_MILLI
START = 1_800_000_000 * SECOND
TERMS = Thresholds(failures=3, rejects=4, rejects_window_s=10, error_least=10, error_percent=50)


def a_panel() -> Panel:
    return Panel(TERMS)


def test_nothing_stands_in_the_way_of_a_fresh_panel() -> None:
    assert a_panel().standing("0x1") is None


def test_answers_lost_in_a_row_trip_and_an_answer_between_them_does_not_count_on() -> None:
    panel = a_panel()
    panel.lost(START)
    panel.lost(START)
    panel.acknowledged(START, MILLI)
    panel.lost(START)
    panel.lost(START)
    assert panel.standing("0x1") is None
    panel.lost(START)
    standing = panel.standing("0x1")
    assert standing is not None
    assert (standing.kind, standing.reason) == (BreakerKind.FAILURES, "3 orders in a row without an answer")


def test_a_burst_of_refusals_stops_its_own_market_only() -> None:
    panel = a_panel()
    for step in range(4):
        panel.refused(START + step * SECOND, "0x1", "order_crosses")
    standing = panel.standing("0x1")
    assert standing is not None
    assert standing.kind is BreakerKind.REJECTS
    assert standing.reason == "4 orders refused in 10 s, last: order_crosses"
    assert panel.standing("0x2") is None


def test_refusals_far_apart_are_no_burst() -> None:
    panel = a_panel()
    for step in range(20):
        panel.refused(START + step * 4 * SECOND, "0x1", "order_crosses")
        panel.acknowledged(START + step * 4 * SECOND, MILLI)
        panel.acknowledged(START + step * 4 * SECOND, MILLI)
    assert panel.tripped == ()


@pytest.mark.parametrize("code", ["dry_run", "engine_stopping", "venue_restarting"])
def test_what_is_not_the_venues_judgement_trips_nothing(code: str) -> None:
    panel = a_panel()
    for _ in range(100):
        panel.refused(START, "0x1", code)
    assert panel.tripped == ()


def test_a_rate_of_errors_needs_enough_orders_to_be_one() -> None:
    panel = a_panel()
    for number in range(4):
        panel.refused(START, f"0x{number}", "no")
    for _ in range(5):
        panel.acknowledged(START, MILLI)
    assert not panel.tripped
    panel.refused(START, "0x9", "no")
    (breaker,) = panel.tripped
    assert (breaker.kind, breaker.target) == (BreakerKind.ERROR_RATE, "")
    assert breaker.reason == "5 of 10 orders refused or lost in 60 s"


def test_acknowledgements_twenty_times_slower_than_usual_trip_at_the_third() -> None:
    panel = a_panel()
    for step in range(LEARNED + RECENT - 1):
        panel.acknowledged(START + step * SECOND, 10 * MILLI)
    for _ in range(2):
        panel.acknowledged(START + 60 * SECOND, 200 * MILLI)
    assert not panel.tripped
    panel.acknowledged(START + 61 * SECOND, 200 * MILLI)
    (breaker,) = panel.tripped
    assert breaker.kind is BreakerKind.ACK_LATENCY
    assert breaker.reason == "acknowledgements take 200 ms, 10 ms is usual"


def test_slow_from_the_beginning_is_measured_by_the_absolute_bound() -> None:
    panel = a_panel()
    for _ in range(5):
        panel.acknowledged(START, 3_000 * MILLI)
    assert [breaker.kind for breaker in panel.tripped] == [BreakerKind.ACK_LATENCY]


def test_what_is_usual_forgets_a_slow_beginning_and_is_not_drawn_up_by_a_venue_that_slows_down() -> None:
    panel = Panel()
    for took in [400] * 30 + [40] * 60:
        panel.acknowledged(START, took * MILLI)
    for _ in range(60):
        panel.acknowledged(START, 240 * MILLI)  # six times what is usual: no trip, and not the new usual
    assert panel.breaker(BreakerKind.ACK_LATENCY).lets_through
    for _ in range(3):
        panel.acknowledged(START, 840 * MILLI)
    assert not panel.breaker(BreakerKind.ACK_LATENCY).lets_through


def test_what_is_reset_by_time_comes_back_after_its_cooldown_and_a_hold() -> None:
    panel = a_panel()
    for _ in range(3):
        panel.lost(START)
    panel.settle(START + TERMS.cooldown_ns - 1)
    assert panel.breaker(BreakerKind.FAILURES).state is BreakerState.OPEN
    panel.settle(START + TERMS.cooldown_ns)
    assert panel.breaker(BreakerKind.FAILURES).state is BreakerState.HALF_OPEN
    panel.settle(START + TERMS.cooldown_ns + TERMS.hold_ns)
    assert panel.standing("0x1") is None
    panel.lost(START + TERMS.cooldown_ns + TERMS.hold_ns)
    assert panel.standing("0x1") is None  # counted afresh


def test_a_release_opens_the_way_for_what_tripped_before_it_only() -> None:
    panel = a_panel()
    panel.trip(BreakerKind.DRIFT, START, "1 share unexplained")
    panel.release([Release(BreakerKind.DRIFT, "", START - 1)])
    assert panel.breaker(BreakerKind.DRIFT).state is BreakerState.OPEN
    panel.release([Release(BreakerKind.DRIFT, "", START + SECOND)])
    panel.settle(START + SECOND + TERMS.hold_ns)
    assert panel.standing("0x1") is None


def test_an_operator_cannot_release_what_has_a_rule_of_its_own() -> None:
    panel = a_panel()
    panel.trip(BreakerKind.FEED_SILENCE, START, "feed silent")
    panel.release([Release(BreakerKind.FEED_SILENCE, "", START + SECOND)])
    assert panel.breaker(BreakerKind.FEED_SILENCE).state is BreakerState.OPEN


def test_moves_are_handed_out_once_each_as_it_is_now() -> None:
    panel = a_panel()
    panel.trip(BreakerKind.CLOCK_SKEW, START, "3 s")
    panel.fine(BreakerKind.CLOCK_SKEW, START + SECOND)
    assert [(each.kind, each.state) for each in panel.drain_moved()] == [
        (BreakerKind.CLOCK_SKEW, BreakerState.HALF_OPEN)
    ]
    assert panel.drain_moved() == []


Step = tuple[int, str, int]
STEPS = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from(["ack", "no", "lost", "trip", "fine"]), st.integers(0, 2)),
    max_size=60,
)


def play(panel: Panel, steps: list[Step], now: int) -> int:
    for wait, what, market in steps:
        now += wait * SECOND
        target = f"0x{market}"
        match what:
            case "ack":
                panel.acknowledged(now, (market + 1) * 150 * MILLI)
            case "no":
                panel.refused(now, target, "no")
            case "lost":
                panel.lost(now)
            case "trip":
                panel.trip(BreakerKind.STALE_BOOK, now, "book stale", target)
            case "fine":
                panel.fine(BreakerKind.STALE_BOOK, now, target)
        panel.settle(now)
    return now


def written_and_read(panel: Panel) -> Panel:
    fresh = Panel(TERMS)
    for target in ("", *panel.targets()):
        fresh.restore(target, msgspec.json.decode(msgspec.json.encode(panel.keep(target)), type=Kept))
    return fresh


@given(STEPS, STEPS)
def test_a_panel_taken_up_again_goes_on_as_if_it_had_never_stopped(before: list[Step], then: list[Step]) -> None:
    panel = a_panel()
    now = play(panel, before, START)
    again = written_and_read(panel)
    play(panel, then, now)
    play(again, then, now)
    assert set(again.tripped) == set(panel.tripped)
    assert [again.keep(target) for target in ("", "0x0", "0x1", "0x2")] == [
        panel.keep(target) for target in ("", "0x0", "0x1", "0x2")
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=50), st.integers(1, 20))
def test_a_rolling_count_is_what_a_recount_of_the_window_gives(steps: list[tuple[int, bool]], span_s: int) -> None:
    window, noted, second = Rolling(), list[tuple[int, bool]](), 1_000
    for wait, good in steps:
        second += wait
        window.note(second * SECOND, good=good, bad=not good)
        noted.append((second, good))
        inside = [each for at, each in noted if at > second - span_s]
        assert window.count(second * SECOND, span_s) == (sum(inside), len(inside) - sum(inside))


@pytest.mark.parametrize("known", DEFINITIONS, ids=lambda known: known.name)
def test_a_threshold_out_of_bounds_is_refused_with_its_name_bounds_and_value(known: thresholds.Threshold) -> None:
    with pytest.raises(ThresholdError) as caught:
        thresholds.resolve({known.name: known.maximum + 1})
    assert str(caught.value) == (
        f"{known.name}: {known.maximum + 1} is outside {known.minimum}..{known.maximum} ({known.unit})"
    )
    assert thresholds.resolve({known.name: known.maximum})


def test_a_name_that_is_no_threshold_is_refused() -> None:
    with pytest.raises(ThresholdError, match="hold: is no threshold; there are hold_s, cooldown_s"):
        thresholds.resolve({"hold": 3})
