"""Exposure by value, and against trying every subset of fills under every outcome."""

from dataclasses import replace
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE
from risk.domain.exposure import ExposureBook, UnknownMarket
from risk.domain.payoff import Growth, ProposedOrder, RestingOrder, Unsettled

SHARES = SIZE_ONE
PUSD = CASH_ONE


def binary(name: str, event: str = "ev") -> Market:
    return Market(name, event, name, f"{name}-yes", f"{name}-no")


def outcome(name: str, set_size: int, event: str = "nr") -> Market:
    return replace(binary(name, event), neg_risk=True, set_size=set_size)


def test_nothing_held_loses_nothing() -> None:
    book = ExposureBook([binary("a")])
    assert (book.worst_market("a"), book.worst_event("ev"), book.worst_total()) == (0, 0, 0)
    assert book.worst_event("an event of no market") == 0


def test_a_position_can_lose_what_it_cost() -> None:
    book = ExposureBook([binary("a")])
    book.set_position("a", 100 * SHARES, 0, 40 * PUSD, 0)
    assert book.worst_total() == 40 * PUSD
    book.set_position("a", 100 * SHARES, 100 * SHARES, 40 * PUSD, 55 * PUSD)
    assert book.worst_total() == 0


def test_a_resting_buy_may_lose_its_notional_and_two_buys_of_a_pair_only_the_dearer() -> None:
    book = ExposureBook([binary("a")])
    book.set_order(1, "a", True, Side.BUY, 4000, 100 * SHARES)
    assert book.worst_market("a") == 40 * PUSD
    book.set_order(2, "a", False, Side.BUY, 5000, 100 * SHARES)
    assert book.worst_market("a") == 50 * PUSD


def test_an_order_that_is_told_again_changes_nothing_and_one_that_differs_does() -> None:
    book = ExposureBook([binary("a")])
    book.set_order(1, "a", True, Side.BUY, 4000, 100 * SHARES, strategy="spread")
    before = book.worst_total(), book.total().shares, book.total().notional, book.total().orders
    book.set_order(1, "a", True, Side.BUY, 4000, 100 * SHARES, strategy="spread")
    assert (book.worst_total(), book.total().shares, book.total().notional, book.total().orders) == before
    book.set_order(1, "a", True, Side.BUY, 4000, 100 * SHARES, PUSD, strategy="spread")
    assert book.worst_total() == 41 * PUSD
    book.set_order(1, "a", True, Side.BUY, 4000, 0)
    assert (book.worst_total(), book.total().orders, book.resting("a")) == (0, 0, [])


def test_a_resting_sell_gives_up_the_payout_it_would_have_had() -> None:
    book = ExposureBook([binary("a")])
    book.set_position("a", 100 * SHARES, 0, 0, 0)
    book.set_order(1, "a", True, Side.SELL, 6000, 150 * SHARES)
    assert book.worst_market("a") == 20 * PUSD  # YES wins: 50 sold short; the 60 earned by the 100 held are banked
    book.set_order(1, "a", True, Side.SELL, 6000, 300 * SHARES)
    assert book.worst_market("a") == 80 * PUSD


def test_a_profitable_sale_of_half_a_pair_leaves_the_other_half_at_its_cost() -> None:
    book = ExposureBook([binary("a")])
    book.set_position("a", 100 * SHARES, 100 * SHARES, 40 * PUSD, 60 * PUSD)
    assert book.worst_total() == 0
    book.set_order(1, "a", True, Side.SELL, 9000, 100 * SHARES)
    assert book.worst_total() == 60 * PUSD  # as it is once the sale has filled: NO for 60, and 50 earned
    book.set_order(1, "a", True, Side.SELL, 9000, 0)
    book.set_position("a", 0, 100 * SHARES, 0, 60 * PUSD)
    assert book.worst_total() == 60 * PUSD


def test_what_a_resting_sale_gives_up_follows_what_the_shares_have_cost() -> None:
    book = ExposureBook([binary("a")])
    book.set_position("a", 100 * SHARES, 100 * SHARES, 40 * PUSD, 60 * PUSD)
    book.set_order(1, "a", True, Side.SELL, 5000, 100 * SHARES, PUSD)
    assert book.worst_market("a") == 61 * PUSD
    book.set_position("a", 100 * SHARES, 100 * SHARES, 50 * PUSD, 50 * PUSD)
    assert book.worst_market("a") == 51 * PUSD
    book.set_order(1, "a", True, Side.SELL, 5000, 0)
    assert book.worst_market("a") == 0


def test_a_fill_that_may_be_taken_back_counts_like_the_order_it_filled() -> None:
    book = ExposureBook([binary("a")])
    book.set_position("a", 100 * SHARES, 0, 40 * PUSD, 0)
    bought = ProposedOrder("a", False, Side.BUY, 5000, 100 * SHARES)
    book.set_order(1, *bought)
    assert book.worst_total() == 40 * PUSD
    book.set_order(1, "a", False, Side.BUY, 5000, 0)
    book.set_position("a", 100 * SHARES, 0, 40 * PUSD, 0, [Unsettled(False, 100 * SHARES, 50 * PUSD)])
    assert book.worst_total() == 40 * PUSD  # without it the YES shares may still lose what they cost
    book.set_position("a", 100 * SHARES, 100 * SHARES, 40 * PUSD, 50 * PUSD)
    assert book.worst_total() == 0


def test_a_sale_keeps_what_it_banked_although_dearer_shares_were_bought_since() -> None:
    book = ExposureBook([binary("a")])
    sold, bought = Unsettled(True, -20 * SHARES, -18 * PUSD, 16 * PUSD), Unsettled(False, 20 * SHARES, 6 * PUSD)
    book.set_position("a", 40 * SHARES, 40 * SHARES, 10 * PUSD, 10 * PUSD, [sold, bought])
    assert book.worst_total() == 4 * PUSD  # 20 YES are left, and 8 for them and 16 for the NO were paid


def test_a_market_with_nothing_but_unsettled_fills_is_not_forgotten() -> None:
    book = ExposureBook([binary("a")])
    book.set_position("a", 0, 0, 0, 0, [Unsettled(True, 100 * SHARES, 40 * PUSD)])
    book.set_markets([])
    assert book.worst_total() == 40 * PUSD


def test_an_order_that_is_gone_counts_no_more() -> None:
    book = ExposureBook([binary("a")])
    book.set_order(1, "a", True, Side.BUY, 4000, 100 * SHARES)
    book.set_order(1, "a", True, Side.BUY, 4000, 25 * SHARES)
    assert book.worst_total() == 10 * PUSD
    book.set_order(1, "a", True, Side.BUY, 4000, 0)
    book.set_order(9, "a", True, Side.BUY, 4000, 0)
    assert book.worst_total() == 0
    assert book.resting("a") == []


def test_every_no_of_a_complete_set_pays_all_but_one() -> None:
    book = ExposureBook([outcome("a", 2), outcome("b", 2)])
    for name in ("a", "b"):
        book.set_position(name, 0, 100 * SHARES, 0, 48 * PUSD)
    assert book.worst_event("nr") == 0
    assert book.worst_market("a") == 48 * PUSD


def test_every_yes_of_an_incomplete_set_may_all_lose() -> None:
    complete = ExposureBook([outcome("a", 2), outcome("b", 2)])
    incomplete = ExposureBook([outcome("a", 3), outcome("b", 3)])
    augmented = ExposureBook([replace(outcome(name, 2), augmented=True) for name in "ab"])
    for book in (complete, incomplete, augmented):
        for name in ("a", "b"):
            book.set_position(name, 100 * SHARES, 0, 45 * PUSD, 0)
    assert complete.worst_event("nr") == 0
    assert incomplete.worst_event("nr") == augmented.worst_event("nr") == 90 * PUSD


def test_ordinary_binaries_of_one_event_may_all_go_wrong_together() -> None:
    book = ExposureBook([binary("a"), binary("b"), binary("c", "elsewhere")])
    for name in ("a", "b", "c"):
        book.set_position(name, 100 * SHARES, 0, 30 * PUSD, 0)
    assert book.worst_event("ev") == 60 * PUSD
    assert book.worst_total() == 90 * PUSD


def test_a_market_that_is_gone_but_held_still_counts() -> None:
    book = ExposureBook([binary("a"), binary("b")])
    book.set_position("a", 100 * SHARES, 0, 30 * PUSD, 0)
    book.set_order(1, "b", False, Side.BUY, 2000, 100 * SHARES)
    book.set_markets([binary("c")])
    assert book.worst_total() == 50 * PUSD
    book.set_order(1, "b", False, Side.BUY, 2000, 0)
    book.set_position("a", 0, 0, 0, 0)
    book.set_markets([binary("c")])
    with pytest.raises(UnknownMarket, match="no exposure can be computed for a"):
        book.worst_market("a")


def test_learning_that_a_set_is_complete_regroups_what_is_held() -> None:
    book = ExposureBook([outcome("a", 0)])
    book.set_position("a", 100 * SHARES, 0, 45 * PUSD, 0)
    book.set_markets([outcome("a", 2), outcome("b", 2)])
    book.set_order(1, "b", True, Side.BUY, 4500, 100 * SHARES)
    assert book.worst_event("nr") == 45 * PUSD  # b wins and our order for it did not fill
    book.set_order(1, "b", True, Side.BUY, 4500, 0)
    book.set_position("b", 100 * SHARES, 0, 45 * PUSD, 0)
    assert book.worst_event("nr") == 0


def test_markets_learned_one_by_one_are_grouped_like_those_learned_together() -> None:
    book = ExposureBook()
    for market in (binary("c"), outcome("a", 2), binary("d"), outcome("b", 2), replace(binary("c"), no="late")):
        book.add_market(market)
        book.set_position(market.condition_id, 100 * SHARES, 0, 45 * PUSD, 0)
    assert book.worst_event("nr") == 0
    assert book.worst_event("ev") == 90 * PUSD
    book.add_market(binary("d", "elsewhere"))
    assert (book.worst_event("ev"), book.worst_event("elsewhere")) == (45 * PUSD, 45 * PUSD)
    assert book.worst_total() == 90 * PUSD


def test_a_proposal_is_judged_without_leaving_a_trace() -> None:
    book = ExposureBook([outcome("a", 2), outcome("b", 2), binary("c")])
    book.set_position("c", 10 * SHARES, 0, 5 * PUSD, 0)
    legs = [ProposedOrder(name, True, Side.BUY, 4500, 100 * SHARES, PUSD) for name in ("a", "b")]
    assert book.worst_event_with("nr", legs) == 46 * PUSD
    assert book.worst_event_filled("nr", legs) == 0
    assert book.worst_market_with("a", legs) == 46 * PUSD
    assert book.worst_total_with(legs) == 51 * PUSD
    assert book.worst_event_with("ev", legs) == 5 * PUSD
    outlook = book.outlook("nr", legs)
    assert outlook[:3] == ([("a", 46 * PUSD), ("b", 46 * PUSD)], 46 * PUSD, 51 * PUSD)
    assert outlook.growth == [Growth(name, 100 * SHARES, 46 * PUSD, 0, 0, 1) for name in ("a", "b")]
    with pytest.raises(ValueError, match="an order in nr is no part of a proposal in ev"):
        book.outlook("ev", legs)
    assert book.worst_total() == 5 * PUSD


NAMES = ("a", "b", "c", "d")
SIZES = st.integers(0, 50).map(lambda shares: shares * SHARES // 7)
ORDERS = st.builds(
    ProposedOrder,
    st.sampled_from(NAMES),
    st.booleans(),
    st.sampled_from(Side),
    st.integers(1, PRICE_ONE - 1),
    SIZES.map(lambda size: size + 1),
    st.integers(0, 1000),
)
POSITIONS = st.tuples(st.sampled_from(NAMES), SIZES, SIZES, SIZES, SIZES)


def markets_of(kind: str) -> list[Market]:
    if kind == "binaries":
        return [binary(name) for name in NAMES]
    set_size = {"complete": 3, "incomplete": 4, "unknown": 0}[kind]
    return [*(outcome(name, set_size) for name in NAMES[:3]), binary("d")]


def outcomes_of(kind: str) -> list[dict[str, bool]]:
    """Every way the four markets can resolve."""
    if kind == "binaries":
        return [{name: bool(bits >> at & 1) for at, name in enumerate(NAMES)} for bits in range(16)]
    winners = [*NAMES[:3]] if kind == "complete" else [*NAMES[:3], "nobody"]
    return [{**{n: n == winner for n in NAMES[:3]}, "d": d} for winner in winners for d in (True, False)]


Positions = dict[str, tuple[int, int, int, int]]
FLAT = (0, 0, 0, 0)


def profit(order: ProposedOrder, yes_wins: bool, held: tuple[int, int, int, int] = FLAT) -> int:
    """Of one fill; what a sale of held shares earns over their average cost is banked."""
    pays = order.size if order.is_yes == yes_wins else 0
    if order.side is Side.BUY:
        return pays - -(-order.price * order.size // PRICE_ONE) - order.fee
    shares, cost = (held[0], held[2]) if order.is_yes else (held[1], held[3])
    of_ours = min(order.size, shares)
    banked = order.price * order.size // PRICE_ONE * of_ours // order.size - of_ours * cost // shares if shares else 0
    return order.price * order.size // PRICE_ONE - order.fee - pays - max(banked, 0)


def brute(kind: str, positions: Positions, may_fill: list[ProposedOrder], names: str) -> int:
    """The worst over every outcome and every subset of fills, looking only at the markets `names`."""
    orders = [order for order in may_fill if order.condition_id in names]
    subsets = list(chain.from_iterable(combinations(orders, count) for count in range(len(orders) + 1)))
    worst = 0

    def gains(order: ProposedOrder, wins: dict[str, bool]) -> int:
        return profit(order, wins[order.condition_id], positions.get(order.condition_id, FLAT))

    for wins in outcomes_of(kind):
        held = sum(
            (yes if wins[name] else no) - yes_cost - no_cost
            for name, (yes, no, yes_cost, no_cost) in positions.items()
            if name in names
        )
        for subset in subsets:
            worst = max(worst, -held - sum(gains(order, wins) for order in subset))
    return worst


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["binaries", "complete", "incomplete", "unknown"]),
    st.lists(POSITIONS, max_size=6),
    st.lists(st.tuples(st.integers(1, 4), ORDERS), max_size=6),
    st.lists(ORDERS, max_size=3),
)
def test_the_worst_case_is_the_worst_of_every_subset_of_fills(
    kind: str,
    moves: list[tuple[str, int, int, int, int]],
    placed: list[tuple[int, ProposedOrder]],
    proposal: list[ProposedOrder],
) -> None:
    book = ExposureBook(markets_of(kind))
    positions: Positions = {}
    resting: dict[int, ProposedOrder] = {}
    for name, *amounts in moves:
        yes, no, yes_cost, no_cost = amounts
        positions[name] = (yes, no, yes_cost, no_cost)
        book.set_position(name, yes, no, yes_cost, no_cost)
    for order_id, order in placed:
        resting[order_id] = order
        book.set_order(order_id, *order)
    orders = list(resting.values())
    both = [*orders, *proposal]
    groups = ["a", "b", "c", "d"] if kind == "binaries" else ["abc", "d"]
    assert book.worst_total() == sum(brute(kind, positions, orders, names) for names in groups)
    assert book.worst_total_with(proposal) == sum(brute(kind, positions, both, names) for names in groups)
    shared, members = ("ev", groups) if kind == "binaries" else ("nr", groups[:1])
    assert book.worst_event(shared) == sum(brute(kind, positions, orders, names) for names in members)
    assert book.worst_event_with(shared, proposal) == sum(brute(kind, positions, both, names) for names in members)
    for name in NAMES:
        assert book.worst_market(name) == brute("binaries", positions, orders, name)
        assert book.worst_market_with(name, proposal) == brute("binaries", positions, both, name)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), ORDERS), max_size=6), st.lists(POSITIONS, max_size=6))
def test_regrouping_the_same_markets_changes_nothing(
    placed: list[tuple[int, ProposedOrder]], moves: list[tuple[str, int, int, int, int]]
) -> None:
    book = ExposureBook(markets_of("complete"))
    for move in moves:
        book.set_position(*move)
    for order_id, order in placed:
        book.set_order(order_id, *order)
    before = (book.worst_total(), [book.worst_market(name) for name in NAMES])
    book.set_markets(reversed(markets_of("complete")))
    assert (book.worst_total(), [book.worst_market(name) for name in NAMES]) == before
    for order_id, order in placed:
        book.set_order(order_id, order.condition_id, order.is_yes, order.side, order.price, 0)
    for name in NAMES:
        book.set_position(name, 0, 0, 0, 0)
    assert book.worst_total() == 0


def told(book: ExposureBook) -> list[tuple[int, ...]]:
    sums = [each for name in NAMES for each in book.sums(name, "spread")]
    losses = [(book.worst_total(), *(book.worst_market(name) for name in NAMES))]
    return losses + [(each.shares, each.notional, each.orders) for each in sums]


@settings(max_examples=60, deadline=None)
@given(st.lists(ORDERS, max_size=4), st.lists(POSITIONS, max_size=3), st.sampled_from([{}, {"nr": "sports"}]))
def test_orders_of_one_market_told_together_count_like_orders_told_one_by_one(
    orders: list[ProposedOrder], moves: list[tuple[str, int, int, int, int]], categories: dict[str, str]
) -> None:
    together, one_by_one = ExposureBook(markets_of("complete")), ExposureBook(markets_of("complete"))
    for book in (together, one_by_one):
        book.set_categories(categories)
        for move in moves:
            book.set_position(*move)
    before = told(together)
    numbered = list(enumerate(order._replace(condition_id="a") for order in orders))
    resting = [(number, RestingOrder(*order[1:5], True), order.fee) for number, order in numbered]
    together.add_orders("a", resting, "spread")
    for number, order in numbered:
        one_by_one.set_order(number, *order, is_quote=True, strategy="spread")
    assert told(together) == told(one_by_one)
    for number, _ in numbered:
        together.end_order(number)
    assert told(together) == before


@settings(max_examples=60, deadline=None)
@given(st.lists(ORDERS, max_size=5))
def test_all_filled_is_what_the_positions_would_be(orders: list[ProposedOrder]) -> None:
    book = ExposureBook(markets_of("complete"))
    for_sure = [order for order in orders if order.condition_id != "d"]
    worst = 0
    for wins in outcomes_of("complete"):
        worst = max(worst, -sum(profit(order, wins[order.condition_id]) for order in for_sure))
    assert book.worst_event_filled("nr", orders) == worst
