"""Balances against the ledger: late settlements are expected, dust is dust, and drift is proved by two looks."""

import pytest

from execution.domain import postings
from execution.domain.between import Between
from execution.domain.commands import Fill, TradeStatus
from execution.domain.drift import APART_NS, CASH, LAG_NS, Difference, DriftWatch
from execution.domain.ledger import Ledger
from execution.domain.reconcile import CorrectionKind
from markets.domain.events import Side
from markets.domain.market import Market

SHARE = 1_000_000
START = 100 * SHARE
MARKET = Market("m", "e", "Will it?", "yes", "no")
LATER = 2 * LAG_NS


def bought(status: TradeStatus = TradeStatus.CONFIRMED, at_ns: int = 0) -> Fill:
    return Fill(1, "t", 0, "m", "yes", Side.BUY, 5_000, 10 * SHARE, 0, True, status, at_ns)


def ledger(*fills: Fill) -> Ledger:
    made = Ledger(START)
    made.restore(fills)
    return made


def seen(watch: DriftWatch, made: Ledger, cash: int, yes: int, now_ns: int) -> dict[str, Difference]:
    found = watch.look(made, cash, {"yes": yes} if yes else {}, ["yes", "no"], now_ns)
    return {each.subject: each for each in found}


def test_equal_figures_differ_in_nothing() -> None:
    watch = DriftWatch()
    assert seen(watch, ledger(bought()), START - 5 * SHARE, 10 * SHARE, LATER) == {}
    assert not watch.pending


@pytest.mark.parametrize("status", [TradeStatus.MATCHED, TradeStatus.MINED, TradeStatus.RETRYING])
@pytest.mark.parametrize(("cash", "yes"), [(START, 0), (START - 5 * SHARE, 10 * SHARE), (START - 5 * SHARE, 0)])
def test_a_trade_under_way_is_no_drift_whatever_of_it_is_shown(status: TradeStatus, cash: int, yes: int) -> None:
    assert seen(DriftWatch(), ledger(bought(status)), cash, yes, LATER) == {}


def test_a_balance_may_be_late_with_what_was_confirmed_but_not_for_ever() -> None:
    made, watch = ledger(bought(at_ns=LATER)), DriftWatch()
    assert seen(watch, made, START, 0, LATER + LAG_NS) == {}
    found = seen(watch, made, START, 0, LATER + LAG_NS + 1)
    assert (found["yes"].away, found[CASH].away) == (-10 * SHARE, 5 * SHARE)


def test_one_difference_proves_nothing_and_two_looks_apart_do() -> None:
    made, watch = ledger(bought()), DriftWatch()
    first = seen(watch, made, START - 5 * SHARE, 3 * SHARE, LATER)["yes"]
    assert watch.pending
    assert not first.proved
    assert not seen(watch, made, START - 5 * SHARE, 3 * SHARE, LATER + APART_NS - 1)["yes"].proved
    again = seen(watch, made, START - 5 * SHARE, 3 * SHARE, LATER + APART_NS)["yes"]
    assert again.proved
    assert again.correction().kind is CorrectionKind.POSITION_DRIFT
    assert again.correction().detail == "3 there, 10 here"


def test_a_difference_that_went_away_or_changed_sides_starts_again() -> None:
    made, watch = ledger(bought()), DriftWatch()
    seen(watch, made, START - 5 * SHARE, 9 * SHARE, LATER)
    seen(watch, made, START - 5 * SHARE, 10 * SHARE, LATER + 1)
    assert seen(watch, made, START - 5 * SHARE, 9 * SHARE, LATER + APART_NS)["yes"].since_ns == LATER + APART_NS
    assert seen(watch, made, START - 5 * SHARE, 11 * SHARE, LATER + 3 * APART_NS)["yes"].since_ns > LATER + APART_NS


def test_of_several_looks_only_the_least_difference_is_proved() -> None:
    made, watch = ledger(bought()), DriftWatch()
    for at_ns, yes in ((LATER, 2), (LATER + APART_NS, 9), (LATER + 2 * APART_NS, 4)):
        found = seen(watch, made, START - 5 * SHARE, yes * SHARE, at_ns)["yes"]
    assert (found.away, found.shown) == (-SHARE, 4 * SHARE)


def test_less_than_an_order_can_be_is_dust() -> None:
    found = seen(DriftWatch(), ledger(bought()), START - 5 * SHARE + 9_999, 10 * SHARE - 9_999, LATER)
    assert [each.dust for each in found.values()] == [True, True]
    assert {each.correction().kind for each in found.values()} == {CorrectionKind.DUST}
    assert not seen(DriftWatch(), ledger(bought()), START - 5 * SHARE, 10 * SHARE - 10_000, LATER)["yes"].dust


def test_what_nobody_booked_is_there_all_the_same() -> None:
    found = seen(DriftWatch(), ledger(), START, 4 * SHARE, LATER)["yes"]
    assert (found.away, found.expected, found.exact) == (4 * SHARE, Between(0, 0), True)


def test_an_explained_difference_is_forgotten() -> None:
    made, watch = ledger(), DriftWatch()
    seen(watch, made, START, 4 * SHARE, LATER)
    made.post(postings.adopted("a", MARKET, {"yes": 4 * SHARE}, {"yes": 5_000}, 0, "operator"))
    watch.forget("yes")
    assert not watch.pending
    assert seen(watch, made, START, 4 * SHARE, LATER) == {}


def test_a_range_is_told_with_both_ends_and_cash_with_its_unit() -> None:
    made = ledger(bought(TradeStatus.MATCHED))
    found = seen(DriftWatch(), made, START + SHARE, 12 * SHARE, LATER)
    assert found["yes"].describe() == "12 there, 0 to 10 here"
    assert found[CASH].describe() == "101.000000 pUSD there, 95.000000 pUSD to 100.000000 pUSD here"
