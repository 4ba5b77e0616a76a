"""What stands against a strategy's caps: its open orders and what it holds, baskets' shares for the Dutch book."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, SIZE_ONE
from risk.domain.caps import CapKind, Level
from risk.domain.exposure import ExposureBook
from risk.domain.gate import DUTCH_BOOK, SPREAD, Approved, Guard, RefusalCode, Refused, evaluate_basket, evaluate_quotes
from risk.domain.limits import Limits, spelled
from risk.domain.payoff import Shift, Unsettled
from strategies.domain.intents import Basket, Leg, Quote, QuoteSet, Route

SHARES, PUSD = SIZE_ONE, CASH_ONE
NOW = 1_000 * NANOS_PER_SECOND
CLEAR = Guard(None, True, 0, 100, True)
MARKETS = {name: Market(name, "ev", name, f"{name}-yes", f"{name}-no", Generation.V1) for name in "ab"}
BID = Quote("a-yes", Side.BUY, 4000, 20 * SHARES)
SALE = Quote("a-yes", Side.SELL, 6000, 20 * SHARES)


def a_book() -> ExposureBook:
    return ExposureBook(MARKETS.values())


def figures(book: ExposureBook, strategy: str) -> tuple[int, int, int]:
    used = book.sums("a", strategy).strategy
    return used.shares, used.notional, used.orders


def capped(kind: CapKind, strategy: str, value: int) -> Limits:
    return Limits(10**15, 10**15, 10**15, own={spelled(kind, Level.STRATEGY, strategy): value})


def quotes(limits: Limits, book: ExposureBook, *wanted: Quote) -> object:
    return evaluate_quotes(QuoteSet("a", wanted), MARKETS["a"], book, limits, CLEAR, NOW)


def set_of(limits: Limits, book: ExposureBook, shares: int) -> object:
    """A basket of YES of both markets, at 0.40 each."""
    legs = tuple(Leg(name, f"{name}-yes", Side.BUY, 4000, shares * SHARES, 0, 0) for name in MARKETS)
    basket = Basket("plan", "ev", Route.BUY_ALL_YES, shares * SHARES, legs, 0)
    return evaluate_basket(basket, MARKETS, book, limits, CLEAR, NOW)


@pytest.mark.parametrize(
    ("kind", "room", "said"),
    [
        (CapKind.SHARES, 120 * SHARES, "strategy could hold 120 shares, cap 119"),
        (CapKind.NOTIONAL, 48 * PUSD, "strategy could cost 48 pUSD, cap 47 pUSD"),
    ],
)
def test_what_the_quoter_holds_leaves_it_so_much_less_to_buy(kind: CapKind, room: int, said: str) -> None:
    book = a_book()
    book.set_position("b", 0, 100 * SHARES, 0, 40 * PUSD)
    assert isinstance(quotes(capped(kind, SPREAD, room), book, BID), Approved)
    one_less = room - (SHARES if kind is CapKind.SHARES else PUSD)
    assert quotes(capped(kind, SPREAD, one_less), book, BID) == Refused((RefusalCode.STRATEGY_CAP,), said)


@pytest.mark.parametrize("kind", [CapKind.SHARES, CapKind.NOTIONAL])
def test_a_strategy_at_its_cap_by_what_it_holds_may_only_reduce_and_the_other_is_not_bound(kind: CapKind) -> None:
    book = a_book()
    book.set_position("a", 100 * SHARES, 0, 40 * PUSD, 0)
    limits = capped(kind, SPREAD, 1)
    assert isinstance(quotes(limits, book, BID), Refused)
    assert isinstance(quotes(limits, book, SALE), Approved)
    assert isinstance(set_of(limits, book, 20), Approved)


def test_shares_that_baskets_have_claimed_are_the_dutch_books_and_not_the_quoters() -> None:
    book = a_book()
    book.set_position("a", 100 * SHARES, 10 * SHARES, 50 * PUSD, 6 * PUSD)
    assert (figures(book, SPREAD), figures(book, DUTCH_BOOK)) == ((110 * SHARES, 56 * PUSD, 0), (0, 0, 0))
    book.set_claimed("a", 40 * SHARES, 0)
    assert figures(book, DUTCH_BOOK) == (40 * SHARES, 20 * PUSD, 0)
    assert figures(book, SPREAD) == (70 * SHARES, 36 * PUSD, 0)
    limits = capped(CapKind.SHARES, DUTCH_BOOK, 60 * SHARES)
    assert isinstance(set_of(limits, book, 10), Approved)
    refused = Refused((RefusalCode.STRATEGY_CAP,), "strategy could hold 62 shares, cap 60")
    assert set_of(limits, book, 11) == refused
    assert isinstance(quotes(limits, book, BID), Approved)
    book.set_claimed("a", 0, 0)
    assert isinstance(set_of(limits, book, 30), Approved)


def test_selling_frees_what_was_held_and_no_claim_goes_beyond_it() -> None:
    book = a_book()
    book.set_claimed("a", 40 * SHARES, 0)
    assert figures(book, DUTCH_BOOK) == (0, 0, 0)
    book.set_position("a", 60 * SHARES, 0, 30 * PUSD, 0)
    assert (figures(book, DUTCH_BOOK)[0], figures(book, SPREAD)[0]) == (40 * SHARES, 20 * SHARES)
    book.set_position("a", 30 * SHARES, 0, 15 * PUSD, 0)
    assert (figures(book, DUTCH_BOOK), figures(book, SPREAD)) == ((30 * SHARES, 15 * PUSD, 0), (0, 0, 0))
    book.set_position("a", 0, 0, 0, 0)
    assert (figures(book, DUTCH_BOOK), figures(book, SPREAD)) == ((0, 0, 0), (0, 0, 0))


def test_bought_and_not_yet_confirmed_is_held() -> None:
    book = a_book()
    book.set_position("a", 10 * SHARES, 0, 4 * PUSD, 0, [Unsettled(True, 5 * SHARES, 2 * PUSD)])
    assert figures(book, SPREAD) == (15 * SHARES, 6 * PUSD, 0)


def test_what_a_job_on_chain_may_bring_stands_against_the_dutch_books_cap_until_it_ends() -> None:
    book = a_book()
    book.set_job("split", {"a": Shift(30 * SHARES, 30 * SHARES, 15 * PUSD, 15 * PUSD)})
    assert figures(book, DUTCH_BOOK) == (60 * SHARES, 30 * PUSD, 0)
    assert isinstance(set_of(capped(CapKind.SHARES, DUTCH_BOOK, 99 * SHARES), book, 20), Refused)
    book.set_job("split", {})
    assert figures(book, DUTCH_BOOK) == (0, 0, 0)


AMOUNTS = st.integers(0, 7).map(lambda shares: shares * SHARES)
NAMES = st.sampled_from(sorted(MARKETS))
POSITIONS = st.tuples(
    st.just("position"), NAMES, AMOUNTS, AMOUNTS, st.integers(0, 5 * PUSD), st.integers(0, 5 * PUSD), AMOUNTS
)
CLAIMS = st.tuples(st.just("claimed"), NAMES, AMOUNTS, AMOUNTS)
ORDERS = st.tuples(
    st.just("order"), NAMES, st.integers(1, 3), st.sampled_from([SPREAD, DUTCH_BOOK]), AMOUNTS, st.booleans()
)
REGROUPED = st.tuples(st.just("regrouped"), NAMES, st.booleans())
MOVES = st.lists(st.one_of(POSITIONS, CLAIMS, ORDERS, REGROUPED), max_size=25)


class ByHand:
    """Every word is kept, and everything is counted anew from the last one of each."""

    def __init__(self) -> None:
        self.book = a_book()
        self.held: dict[tuple[str, bool], int] = {}
        self.claimed: dict[tuple[str, bool], int] = {}
        self.orders: dict[int, tuple[str, int]] = {}

    def hear(self, move: tuple) -> None:  # type: ignore[type-arg]  # words of four shapes
        match move:
            case ("position", name, yes, no, yes_cost, no_cost, unsettled):
                fills = [Unsettled(True, unsettled, PUSD)] if unsettled else []
                self.book.set_position(name, yes, no, yes_cost, no_cost, fills)
                self.held |= {(name, True): yes + unsettled, (name, False): no}
            case ("claimed", name, yes, no):
                self.book.set_claimed(name, yes, no)
                self.claimed |= {(name, True): yes, (name, False): no}
            case ("order", name, number, strategy, size, buys):
                side = Side.BUY if buys else Side.SELL
                self.book.set_order(number, name, True, side, 4000, size, strategy=strategy)
                self.orders[number] = (strategy, size if buys else 0)
            case ("regrouped", name, neg_risk):
                changed = replace(MARKETS[name], neg_risk=neg_risk)
                self.book.set_markets([changed, *(market for key, market in MARKETS.items() if key != name)])

    def shares(self, strategy: str) -> int:
        held = 0
        for key, shares in self.held.items():
            of_baskets = min(shares, self.claimed.get(key, 0))
            held += of_baskets if strategy == DUTCH_BOOK else shares - of_baskets
        return held + sum(size for whose, size in self.orders.values() if whose == strategy)


@settings(max_examples=150, deadline=None)
@given(MOVES)
def test_whatever_is_told_each_strategy_has_its_own_and_both_together_all(moves: list[tuple]) -> None:  # type: ignore[type-arg]
    told = ByHand()
    for move in moves:
        told.hear(move)
        spread, dutch = figures(told.book, SPREAD), figures(told.book, DUTCH_BOOK)
        assert (spread[0], dutch[0]) == (told.shares(SPREAD), told.shares(DUTCH_BOOK))
        total = told.book.total()
        both = tuple(one + other for one, other in zip(spread, dutch, strict=True))
        assert both == (total.shares, total.notional, total.orders)
        assert min(*spread, *dutch) >= 0
