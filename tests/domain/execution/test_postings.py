"""What moves the money besides fills: each booking adds up, and adopted or adjusted shares state their price."""

import pytest

from execution.domain import postings
from execution.domain.ledger import Ledger, Pnl
from execution.domain.postings import Posting, PostingKind, PostingLeg
from markets.domain.market import Market

SHARE = 1_000_000
MARKET = Market("m", "e", "Will it?", "yes", "no")


def booked(*given: Posting) -> Ledger:
    made = Ledger(0)
    for posting in given:
        assert made.post(posting)
    return made


def held(yes: int, no: int, price: int = 4000) -> Posting:
    shares = {"yes": yes * SHARE, "no": no * SHARE}
    return postings.adopted("adopt", MARKET, shares, {"yes": price, "no": price}, 1, "the venue's average")


def test_cash_paid_in_is_capital_and_no_profit() -> None:
    made = booked(postings.transfer("o", 50 * SHARE, 1, "paid in"))
    assert (made.cash, made.capital, made.pnl({})) == (50 * SHARE, 50 * SHARE, Pnl())


def test_a_posting_said_twice_is_booked_once() -> None:
    made = booked(postings.transfer("o", 50 * SHARE, 1, ""))
    assert not made.post(postings.transfer("o", 70 * SHARE, 2, ""))
    assert made.cash == 50 * SHARE


def test_an_adopted_position_costs_what_was_stated_and_no_cash() -> None:
    made = booked(held(10, 0))
    assert (made.cash, made.holding("yes").cost, made.holding("yes").settled) == (0, 4 * SHARE, 10 * SHARE)
    assert made.pnl({"yes": 5000}) == Pnl(unrealised=SHARE)


def test_an_adopted_position_says_what_it_is_and_who_stated_its_price() -> None:
    assert held(10, 3).reason == "10 YES at 0.4, 3 NO at 0.4: the venue's average"


def test_no_position_is_adopted_at_a_guess() -> None:
    with pytest.raises(ValueError, match="no: none is stated|none is stated for no"):
        postings.adopted("a", MARKET, {"no": SHARE}, {"yes": 1}, 1, "")
    with pytest.raises(ValueError, match="asset: other"):
        postings.adopted("a", MARKET, {"other": SHARE}, {"other": 1}, 1, "")


def test_a_merge_frees_one_pusd_for_every_pair_to_the_last_unit() -> None:
    made = booked(held(10, 10), postings.merge("x", MARKET, 3_000_001, 2))
    assert made.cash == 3_000_001
    assert made.positions == {"yes": 6_999_999, "no": 6_999_999}
    assert made.pnl({}).realised == 3_000_001 - 2 * 1_200_000


def test_what_was_split_and_merged_again_changed_nothing() -> None:
    made = booked(
        postings.transfer("o", 9 * SHARE, 1, ""),
        postings.split("s", MARKET, 5_000_001, 2),
        postings.merge("m", MARKET, 5_000_001, 3),
    )
    assert (made.cash, made.positions, made.pnl({})) == (9 * SHARE, {}, Pnl())


def test_resolution_pays_the_winner_and_realises_the_losers_cost() -> None:
    position = {"yes": 10 * SHARE, "no": 5 * SHARE}
    made = booked(held(10, 5), postings.payout("p", MARKET, position, 10_000, 2))
    assert (made.cash, made.positions) == (10 * SHARE, {})
    assert made.pnl({}) == Pnl(realised=4 * SHARE)


def test_a_divided_resolution_pays_both_sides_their_part() -> None:
    made = booked(held(10, 10), postings.payout("p", MARKET, {"yes": 10 * SHARE, "no": 10 * SHARE}, 5_000, 2))
    assert made.cash == 10 * SHARE


def test_rebates_and_rewards_are_income_of_their_own_and_of_their_market() -> None:
    made = booked(postings.income("r", PostingKind.REBATE, 30, 1, "m"), postings.income("w", PostingKind.REWARD, 12, 1))
    assert made.pnl({}) == Pnl(rebates=30, rewards=12)
    assert made.pnl({}, "m") == Pnl(rebates=30)
    assert made.pnl({}).total == made.cash == 42
    with pytest.raises(ValueError, match="no income"):
        postings.income("x", PostingKind.DUST, 1, 1)


def test_what_an_operation_cost_in_cash_is_a_fee() -> None:
    made = booked(Posting("c", PostingKind.CONVERT, (PostingLeg(condition_id="m", cash=-7),), 1, "gas"))
    assert made.pnl({}, "m") == Pnl(fees=7)


def test_shares_of_no_token_are_refused_and_nothing_is_booked() -> None:
    made = Ledger(0)
    with pytest.raises(ValueError, match="moves shares of no token"):
        made.post(Posting("x", PostingKind.ADJUSTED, (PostingLeg(cash=5), PostingLeg(shares=1)), 1))
    assert made.cash == 0


def test_shares_that_vanished_are_a_loss_that_says_so() -> None:
    leg = PostingLeg("yes", "m", -10 * SHARE)
    gone = postings.adjusted("a", PostingKind.ADJUSTED, leg, 4000, 2, "the venue shows none")
    made = booked(held(10, 0), gone)
    assert (made.cash, made.positions) == (0, {})
    assert made.pnl({}) == Pnl(adjustments=-4 * SHARE)


def test_shares_that_appeared_are_a_gain_that_says_so_until_their_cash_is_adjusted_too() -> None:
    there = postings.adjusted("a", PostingKind.ADJUSTED, PostingLeg("yes", "m", 10 * SHARE), 5000, 2, "missed buy")
    paid = postings.adjusted("b", PostingKind.ADJUSTED, PostingLeg(cash=-5 * SHARE), 0, 2, "missed buy")
    made = booked(there, paid)
    assert (made.cash, made.positions) == (-5 * SHARE, {"yes": 10 * SHARE})
    assert made.pnl({"yes": 5000}).total == 0


def test_only_dust_and_adjustments_take_the_venues_figure() -> None:
    with pytest.raises(ValueError, match="no adjustment"):
        postings.adjusted("a", PostingKind.MERGE, PostingLeg(cash=1), 0, 1, "")
