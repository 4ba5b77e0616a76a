from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations, permutations
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from execution.domain import postings
from execution.domain.between import Between
from execution.domain.commands import Fill, TradeStatus
from execution.domain.ledger import Ledger, Pnl, fill_cash
from execution.domain.postings import Posting, PostingKind, PostingLeg
from markets.domain.events import Side
from markets.domain.market import Market

SHARE = 1_000_000
START = 100 * SHARE
AFTER = 2  # later than every fill here: balances have caught up
MARKET = Market("m", "e", "Will it?", "yes", "no")
MATCHED, CONFIRMED, FAILED = TradeStatus.MATCHED, TradeStatus.CONFIRMED, TradeStatus.FAILED


def fill(
    trade: str,
    side: Side = Side.BUY,
    price: int = 5000,
    shares: float = 10,
    *,
    asset: str = "yes",
    fee: int = 0,
    status: TradeStatus = CONFIRMED,
    bucket: int = 0,
) -> Fill:
    size = int(shares * SHARE)
    return Fill(1, trade, bucket, "m", asset, side, price, size, fee, True, status, 1)


def ledger(*fills: Fill) -> Ledger:
    made = Ledger(START)
    made.restore(fills)
    return made


def test_a_buy_turns_cash_into_shares() -> None:
    made = ledger(fill("a", price=4000))
    assert made.cash == START - 4 * SHARE
    assert made.inventory(MARKET).yes == 10 * SHARE
    assert made.inventory(MARKET).yes_cost == 4 * SHARE
    assert made.holding("yes").average == 4000


def test_a_replayed_fill_changes_nothing() -> None:
    made = ledger(fill("a"))
    assert not made.apply(fill("a"))
    assert made.cash == START - 5 * SHARE


def test_buckets_of_one_trade_are_fills_of_their_own() -> None:
    made = ledger(fill("a"), fill("a", bucket=1))
    assert made.inventory(MARKET).yes == 20 * SHARE


def test_a_round_trip_realises_its_profit() -> None:
    made = ledger(fill("a", price=4000), fill("b", Side.SELL, 4500))
    assert made.pnl({}) == Pnl(realised=SHARE // 2)
    assert made.cash == START + SHARE // 2


def test_what_is_held_is_told_anew_after_every_booking() -> None:
    made = ledger(fill("a"))
    before = made.inventory(MARKET)
    assert made.inventory(MARKET) is before
    made.apply(fill("b", status=MATCHED))
    assert (made.inventory(MARKET).yes, made.inventory(MARKET).yes_sellable) == (20 * SHARE, 10 * SHARE)
    made.apply(fill("b", status=FAILED))
    assert made.inventory(MARKET) == before
    assert made.inventory(replace(MARKET, yes="other")).yes == 0


def test_selling_a_part_realises_against_the_average_cost() -> None:
    made = ledger(fill("a", price=4000), fill("b", price=6000), fill("c", Side.SELL, 7000, 5))
    assert made.pnl({}).realised == SHARE
    assert made.holding("yes").cost == 7_500_000


def test_fees_are_a_posting_of_their_own() -> None:
    made = ledger(fill("a", fee=12_340))
    assert made.pnl({}) == Pnl(fees=12_340, unmarked=1)
    assert made.cash == START - 5 * SHARE - 12_340


def test_a_provisional_buy_is_held_but_not_sellable() -> None:
    made = ledger(fill("a", status=MATCHED))
    assert (made.inventory(MARKET).yes, made.inventory(MARKET).yes_sellable) == (10 * SHARE, 0)
    assert made.apply(fill("a", status=CONFIRMED))
    assert made.inventory(MARKET).yes_sellable == 10 * SHARE


def test_a_provisional_sell_is_gone_from_what_can_be_sold() -> None:
    made = ledger(fill("a"), fill("b", Side.SELL, shares=4, status=MATCHED))
    assert made.inventory(MARKET).yes_sellable == 6 * SHARE


def test_what_other_sells_reserve_is_not_sellable() -> None:
    made = ledger(fill("a"))
    assert made.inventory(MARKET, {"yes": 4 * SHARE}).yes_sellable == 6 * SHARE
    assert made.inventory(MARKET, {"yes": 40 * SHARE}).yes_sellable == 0


def test_a_failed_settlement_takes_everything_back() -> None:
    made = ledger(fill("a", fee=50, status=MATCHED))
    assert made.apply(fill("a", fee=50, status=FAILED))
    assert made.cash == START
    assert made.inventory(MARKET).yes == 0
    assert made.pnl({"yes": 9000}) == Pnl()


def test_a_failed_buy_under_a_later_sell_undoes_the_profit_too() -> None:
    made = ledger(
        fill("a", price=4000),
        fill("b", price=2000, status=MATCHED),
        fill("c", Side.SELL, 5000),
        fill("b", price=2000, status=FAILED),
    )
    assert made.pnl({}).realised == SHARE
    assert made.inventory(MARKET).yes == 0
    assert made.cash == START + SHARE


def test_a_settlement_is_final_whatever_comes_after() -> None:
    made = ledger(fill("a"))
    assert not made.apply(fill("a", status=FAILED))
    assert not made.apply(fill("a", status=MATCHED))
    gone = ledger(fill("a", status=FAILED))
    assert not gone.apply(fill("a"))
    assert gone.cash == START


def test_retries_on_the_way_to_confirmation_change_nothing() -> None:
    made = ledger(fill("a", status=MATCHED))
    assert not made.apply(fill("a", status=TradeStatus.RETRYING))
    assert not made.apply(fill("a", status=TradeStatus.MINED))
    assert made.apply(fill("a"))


def test_pairs_are_mergeable_once_settled() -> None:
    made = ledger(fill("a"), fill("b", asset="no", shares=4), fill("c", asset="no", shares=2, status=MATCHED))
    assert made.mergeable("m") == 4 * SHARE
    assert made.mergeable("other") == 0


def test_marks_value_what_is_held_in_one_market_or_all() -> None:
    made = ledger(fill("a", price=4000), fill("b", price=3000, asset="no"))
    marks = {"yes": 4500, "no": 5500}
    assert made.pnl(marks).unrealised == 3 * SHARE
    assert made.pnl(marks, "m") == made.pnl(marks)
    assert made.pnl(marks, "other") == Pnl()
    assert made.pnl({"yes": 4500}).unmarked == 1


STEPS = st.lists(
    st.builds(
        fill,
        st.sampled_from([f"t{n}" for n in range(12)]),
        st.sampled_from(Side),
        st.integers(1, 9999),
        st.integers(1, 50).map(lambda n: n * 0.37),
        asset=st.sampled_from(["yes", "no"]),
        fee=st.integers(0, 9999),
        status=st.sampled_from(TradeStatus),
    ),
    max_size=40,
)


@given(STEPS)
def test_postings_always_add_up(steps: list[Fill]) -> None:
    made = Ledger(START)
    for step in steps:
        made.apply(step)
        cost = sum(made.holding(asset).cost for asset in ("yes", "no"))
        pnl = made.pnl({})
        assert made.cash + cost == START + pnl.realised - pnl.fees


@given(STEPS)
def test_a_ledger_equals_one_that_never_heard_of_the_failed(steps: list[Fill]) -> None:
    final: dict[str, TradeStatus] = {}
    for step in steps:
        if final.get(step.trade_id) not in (CONFIRMED, FAILED):
            final[step.trade_id] = step.status
    made, clean = Ledger(START), Ledger(START)
    made.restore(steps)
    clean.restore(step for step in steps if final[step.trade_id] is not FAILED)
    assert made.cash == clean.cash
    assert made.positions == clean.positions
    assert made.pnl({}) == clean.pnl({})


def test_the_venue_may_show_a_trade_under_way_or_not_yet() -> None:
    made = ledger(fill("a"), fill("b", status=MATCHED, fee=7), fill("c", Side.SELL, 6000, 4, status=MATCHED))
    assert made.shares_there("yes", AFTER) == Between(6 * SHARE, 20 * SHARE)
    assert made.cash_there(AFTER) == Between(90 * SHARE - 7, 97_400_000)
    assert made.in_flight == 2
    assert made.shares_there("other", AFTER) == Between(0, 0)


def test_once_all_is_settled_the_venue_must_show_exactly_what_we_hold() -> None:
    made = ledger(fill("a", status=MATCHED), fill("b", status=MATCHED), fill("a"), fill("b", status=FAILED))
    assert made.shares_there("yes", AFTER) == Between(10 * SHARE, 10 * SHARE)
    assert made.cash_there(AFTER) == Between(95 * SHARE, 95 * SHARE)


def test_balances_that_have_not_caught_up_with_what_just_settled_are_no_surprise() -> None:
    made = ledger(fill("a", status=MATCHED), fill("a"), fill("b", price=6000, status=MATCHED), fill("b", status=FAILED))
    assert made.shares_there("yes", 1) == Between(0, 20 * SHARE)
    assert made.cash_there(1) == Between(START - 11 * SHARE, START)
    made.post(postings.transfer("t", 7, 1, "deposit"))
    assert made.cash_there(1).high == START + 7


def test_how_far_a_figure_is_away_has_a_sign_and_none_inside() -> None:
    assert [Between(2, 5).away(figure) for figure in (0, 2, 4, 5, 9)] == [-2, 0, 0, 0, 4]


def test_a_failed_buy_under_a_merge_leaves_the_merged_shares_owed() -> None:
    made = ledger(fill("a", price=4000, status=MATCHED), fill("b", price=6000, asset="no"))
    assert made.post(postings.merge("x", MARKET, 10 * SHARE, 2))
    made.apply(fill("a", price=4000, status=FAILED))
    assert made.positions == {"yes": -10 * SHARE}
    assert made.cash == START - 6 * SHARE + 10 * SHARE


# Against brute force: whatever is said, in whatever order and how often

WORDS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(TradeStatus)), max_size=60)
TRADES = tuple(
    fill(
        f"t{n}", Side.SELL if n % 3 == 2 else Side.BUY, 1_000 + 777 * n, 1.37 * (n + 1),
        asset=("yes", "no")[n % 2], fee=n * 31, bucket=n % 2,
    )
    for n in range(10)
)  # fmt: skip


def told(number: int, status: TradeStatus) -> Fill:
    return msgspec.structs.replace(TRADES[number], status=status)


def last_words(words: list[tuple[int, TradeStatus]]) -> dict[int, TradeStatus]:
    """By the venue's own rules: CONFIRMED and FAILED are the end, whatever is said later."""
    ends: dict[int, TradeStatus] = {}
    for number, status in words:
        if ends.get(number) not in (CONFIRMED, FAILED):
            ends[number] = status
    return ends


@given(WORDS)
def test_a_ledger_equals_brute_force_over_any_order_of_words(words: list[tuple[int, TradeStatus]]) -> None:
    made = ledger(*(told(number, status) for number, status in words))
    ends = last_words(words)
    counted = [told(number, status) for number, status in ends.items() if status is not FAILED]
    assert made.cash == START + sum(fill_cash(each) - each.fee for each in counted)
    assert made.pnl({}).fees == sum(each.fee for each in counted)
    flying = [each for each in counted if each.status is not CONFIRMED]
    assert made.in_flight == len(flying)
    for asset in ("yes", "no"):
        bought = [each for each in counted if each.asset == asset and each.side is Side.BUY]
        sold = sum(each.size for each in counted if each.asset == asset and each.side is Side.SELL)
        assert made.holding(asset).shares == sum(each.size for each in bought) - sold
        assert made.holding(asset).settled == sum(each.size for each in bought if each.status is CONFIRMED) - sold
        steady = made.holding(asset).shares - sum(_shares(each) for each in flying if each.asset == asset)
        ends_at = [steady + sum(_shares(each) for each in subset) for subset in _subsets(flying, asset)]
        assert made.shares_there(asset, AFTER) == Between(min(ends_at), max(ends_at))
    moved = [fill_cash(each) - each.fee for each in flying]
    assert made.cash_there(AFTER).low == made.cash - sum(cash for cash in moved if cash > 0)
    assert made.cash_there(AFTER).high == made.cash - sum(cash for cash in moved if cash < 0)


def _shares(each: Fill) -> int:
    return each.size if each.side is Side.BUY else -each.size


def _subsets(flying: list[Fill], asset: str) -> Iterator[tuple[Fill, ...]]:
    """All the ways in which trades under way may have settled."""
    mine = [each for each in flying if each.asset == asset]
    return chain.from_iterable(combinations(mine, count) for count in range(len(mine) + 1))


@given(WORDS, st.randoms(use_true_random=False))
def test_settlements_told_in_another_order_leave_the_same_ledger(
    words: list[tuple[int, TradeStatus]], shuffled: Random
) -> None:
    first = [told(number, MATCHED) for number in dict.fromkeys(number for number, _ in words)]
    ends = [told(number, status) for number, status in last_words(words).items() if status in (CONFIRMED, FAILED)]
    one = ledger(*first, *ends)
    shuffled.shuffle(ends)
    other = ledger(*first, *ends, *ends)
    assert one.cash == other.cash
    assert [one.holding(asset) for asset in ("yes", "no")] == [other.holding(asset) for asset in ("yes", "no")]


LEGS = st.builds(
    PostingLeg,
    st.sampled_from(["yes", "no", ""]),
    st.just("m"),
    st.integers(-20, 20).map(lambda n: n * 370_003),
    st.integers(-9, 9).map(lambda n: n * 111_111),
).filter(lambda leg: leg.asset or not leg.shares)
POSTINGS = st.lists(
    st.builds(
        Posting,
        st.sampled_from([f"p{n}" for n in range(8)]),
        st.sampled_from(PostingKind),
        st.lists(LEGS, max_size=3).map(tuple),
        st.just(1),
    ),
    max_size=12,
)


@given(WORDS, POSTINGS, st.integers(0, 10_000))
def test_what_was_earned_is_what_equity_grew_by_beyond_capital(
    words: list[tuple[int, TradeStatus]], given_postings: list[Posting], yes: int
) -> None:
    made = Ledger(START)
    fills = [told(number, status) for number, status in words]
    for at in range(max(len(fills), len(given_postings))):
        for each in fills[at : at + 1]:
            made.apply(each)
        for posting in given_postings[at : at + 1]:
            made.post(posting)
    marks = {"yes": yes, "no": 10_000 - yes}
    worth = sum(marks[asset] * shares // 10_000 for asset, shares in made.positions.items())
    assert made.cash + worth - made.capital == made.pnl(marks).total
    assert made.pnl(marks) == made.pnl(marks, "m")


def test_the_order_of_confirmations_does_not_matter() -> None:
    fills = {
        "a": fill("a", status=MATCHED),
        "b": fill("b", Side.SELL, 7000, 4, status=MATCHED),
        "c": fill("c", status=MATCHED),
    }
    ends = []
    for order in permutations(fills):
        made = ledger(*fills.values())
        for trade in order:
            was = fills[trade]
            made.apply(fill(trade, was.side, was.price, was.size / SHARE))
        ends.append((made.cash, made.holding("yes")))
    assert all(end == ends[0] for end in ends)


def test_what_a_settled_sale_left_costs_the_same_before_and_after_a_cheaper_buy_settles() -> None:
    made = ledger(fill("a", price=5000), fill("b", price=1000, status=MATCHED), fill("c", Side.SELL, 5500))
    before = made.confirmed("yes")
    ((_, paid, _),) = made.unconfirmed("yes")
    assert (before.shares, before.cost + paid) == (0, 3 * SHARE)
    made.apply(fill("b", price=1000))
    assert (made.confirmed("yes").shares, made.confirmed("yes").cost) == (10 * SHARE, 3 * SHARE)


def test_what_may_still_fail_is_told_apart_from_what_is_confirmed() -> None:
    waiting = fill("b", price=6000, status=MATCHED)
    made = ledger(fill("a", price=4000), waiting, fill("c", Side.SELL, 7000, 5))
    assert made.holding("yes").shares == 15 * SHARE
    assert (made.confirmed("yes").shares, made.confirmed("yes").cost) == (5 * SHARE, 2 * SHARE)
    assert made.unconfirmed("yes") == ((10 * SHARE, 6 * SHARE, 0),)
    made.apply(fill("b", price=6000))
    assert made.confirmed("yes") == made.holding("yes")
    assert made.unconfirmed("yes") == made.unconfirmed("an asset never held") == ()
    assert made.confirmed("an asset never held").shares == 0


def test_what_an_unproved_sale_earned_is_told_at_the_cost_of_its_own_time() -> None:
    made = ledger(fill("a", price=1000), fill("b", Side.SELL, 9000, status=MATCHED), fill("c", price=4000))
    assert made.unconfirmed("yes") == ((-10 * SHARE, -9 * SHARE, 8 * SHARE),)
