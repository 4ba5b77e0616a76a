"""Caps of every level: what they count, which figure holds, and that the gate names the level, figure and bound."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, SIZE_ONE
from risk.domain import caps
from risk.domain.caps import CapError, CapKind, Level
from risk.domain.exposure import ExposureBook
from risk.domain.gate import Approved, Guard, RefusalCode, Refused, evaluate_basket, evaluate_quotes
from risk.domain.limits import Limits, spelled
from risk.domain.payoff import Unsettled
from strategies.domain.intents import Basket, Leg, Quote, QuoteSet, Route

SHARES = SIZE_ONE
PUSD = CASH_ONE
NOW = 1_000 * NANOS_PER_SECOND
CLEAR = Guard(None, True, 0, 100, True)
WIDE = Limits(10**15, 10**15, 10**15)
MARKET = Market("a", "ev", "A?", "a-yes", "a-no", Generation.V1)
SIBLING = Market("b", "ev", "B?", "b-yes", "b-no", Generation.V1)
COUSIN = Market("c", "other", "C?", "c-yes", "c-no", Generation.V1)
BID = Quote("a-yes", Side.BUY, 4000, 20 * SHARES)
ASK = Quote("a-no", Side.BUY, 5000, 20 * SHARES)


def capped(kind: CapKind, level: Level, value: int, name: str = "", of: Mapping[str, str] = {}) -> Limits:
    return replace(WIDE, own={spelled(kind, level, name): value}, categories=of)


def a_book() -> ExposureBook:
    return ExposureBook([MARKET, SIBLING, COUSIN])


def judged(limits: Limits, book: ExposureBook | None = None, *quotes: Quote, guard: Guard = CLEAR) -> object:
    wanted = QuoteSet("a", quotes or (BID, ASK))
    return evaluate_quotes(wanted, MARKET, book or a_book(), limits, guard, NOW)


@pytest.mark.parametrize(
    ("kind", "level", "cap", "detail"),
    [
        (CapKind.SHARES, Level.ORDER, 19 * SHARES, "order could hold 20 shares, cap 19"),
        (CapKind.NOTIONAL, Level.ORDER, 9 * PUSD, "order could cost 10 pUSD, cap 9 pUSD"),
        (
            CapKind.SHARES,
            Level.OUTCOME,
            19 * SHARES,
            "YES could hold 20 shares, cap 19; NO could hold 20 shares, cap 19",
        ),
        (CapKind.NOTIONAL, Level.OUTCOME, 9 * PUSD, "NO could cost 10 pUSD, cap 9 pUSD"),
        (CapKind.SHARES, Level.MARKET, 39 * SHARES, "market could hold 40 shares, cap 39"),
        (CapKind.NOTIONAL, Level.MARKET, 17 * PUSD, "market could cost 18 pUSD, cap 17 pUSD"),
        (CapKind.OPEN_ORDERS, Level.MARKET, 1, "market would have 2 open orders, cap 1"),
        (CapKind.SHARES, Level.EVENT, 39 * SHARES, "event could hold 40 shares, cap 39"),
        (CapKind.OPEN_ORDERS, Level.EVENT, 1, "event would have 2 open orders, cap 1"),
        (CapKind.NOTIONAL, Level.CATEGORY, 17 * PUSD, "category could cost 18 pUSD, cap 17 pUSD"),
        (CapKind.SHARES, Level.STRATEGY, 39 * SHARES, "strategy could hold 40 shares, cap 39"),
        (CapKind.OPEN_ORDERS, Level.WALLET, 1, "wallet would have 2 open orders, cap 1"),
        (CapKind.LOSS, Level.CATEGORY, 9 * PUSD, "category could lose 10 pUSD, cap 9 pUSD"),
        (CapKind.LOSS, Level.WALLET, 9 * PUSD, "wallet could lose 10 pUSD, cap 9 pUSD"),
    ],
)
def test_each_cap_refuses_one_too_many_in_its_own_words(kind: CapKind, level: Level, cap: int, detail: str) -> None:
    code = RefusalCode(f"{level}_cap")
    assert judged(capped(kind, level, cap)) == Refused((code,), detail)
    assert isinstance(judged(capped(kind, level, cap + 30 * max(SHARES, PUSD))), Approved)


def test_the_total_speaks_for_levels_without_a_figure_of_their_own() -> None:
    verdict = judged(capped(CapKind.SHARES, Level.TOTAL, 39 * SHARES))
    assert verdict == Refused((RefusalCode.TOTAL_CAP,), "total could hold 40 shares, cap 39")


def test_what_is_held_bought_and_not_yet_confirmed_counts_and_a_sale_does_not() -> None:
    book = a_book()
    book.set_position("a", 10 * SHARES, 0, 4 * PUSD, 0, [Unsettled(True, 5 * SHARES, 2 * PUSD)])
    book.set_order(1, "a", True, Side.BUY, 4000, 5 * SHARES)
    book.set_order(2, "a", True, Side.SELL, 6000, 10 * SHARES)
    yes = book.sums("a").yes
    assert (yes.shares, yes.notional, yes.orders) == (20 * SHARES, 8 * PUSD, 2)
    assert isinstance(judged(capped(CapKind.SHARES, Level.OUTCOME, 40 * SHARES), book, BID), Approved)
    assert isinstance(judged(capped(CapKind.SHARES, Level.OUTCOME, 39 * SHARES), book, BID), Refused)


def test_what_adds_nothing_is_never_refused_for_a_sum() -> None:
    book = a_book()
    book.set_position("a", 100 * SHARES, 0, 40 * PUSD, 0)
    sale = Quote("a-yes", Side.SELL, 6000, 20 * SHARES)
    book.set_order(1, "a", True, Side.SELL, 6000, 20 * SHARES, is_quote=True)
    for kind in (CapKind.SHARES, CapKind.NOTIONAL, CapKind.OPEN_ORDERS):
        assert isinstance(judged(capped(kind, Level.MARKET, 1), book, sale), Approved)


def test_quotes_are_replaced_and_not_counted_twice() -> None:
    book = a_book()
    book.set_order(1, "a", True, Side.BUY, 4000, 20 * SHARES, is_quote=True, strategy="spread")
    moved = Quote("a-yes", Side.BUY, 4100, 25 * SHARES)
    limits = capped(CapKind.SHARES, Level.MARKET, 25 * SHARES)
    assert isinstance(judged(limits, book, moved), Approved)
    assert isinstance(judged(capped(CapKind.OPEN_ORDERS, Level.STRATEGY, 1), book, moved), Approved)
    assert isinstance(judged(limits, book, Quote("a-yes", Side.BUY, 4100, 26 * SHARES)), Refused)


@pytest.mark.parametrize("level", [Level.OUTCOME, Level.MARKET, Level.EVENT, Level.STRATEGY, Level.TOTAL])
def test_a_quote_that_moves_without_growing_is_judged_by_what_more_it_may_cost(level: Level) -> None:
    book = a_book()
    book.set_order(1, "a", True, Side.BUY, 4000, 20 * SHARES, is_quote=True, strategy="spread")
    dearer = Quote("a-yes", Side.BUY, 4500, 20 * SHARES)
    assert isinstance(judged(capped(CapKind.NOTIONAL, level, 9 * PUSD), book, dearer), Approved)
    verdict = judged(capped(CapKind.NOTIONAL, level, 9 * PUSD - 1), book, dearer)
    assert isinstance(verdict, Refused)
    assert verdict.codes == (RefusalCode(f"{level}_cap"),)


LEVELS = [each for each in Level if each is not Level.ORDER]
A_SIDE = st.none() | st.tuples(st.integers(1, 49).map(lambda cents: cents * 100), st.integers(5, 60))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LEVELS), st.tuples(A_SIDE, A_SIDE), st.tuples(A_SIDE, A_SIDE), st.integers(0, 30), st.data())
def test_a_cap_refuses_exactly_what_adds_to_a_sum_and_takes_it_past(
    level: Level,
    old: tuple[tuple[int, int] | None, ...],
    new: tuple[tuple[int, int] | None, ...],
    held: int,
    data: st.DataObject,
) -> None:
    """One quote a side, beside shares and a sibling's order: by hand, what a side adds is what is more of it."""
    kind = data.draw(st.sampled_from([CapKind.SHARES, CapKind.NOTIONAL]))
    cap = data.draw(st.integers(1, 120)) * (SHARES if kind is CapKind.SHARES else PUSD)
    book = a_book()
    book.set_position("a", held * SHARES, 0, held * PUSD // 2, 0)
    book.set_order(9, "b", True, Side.BUY, 5000, 10 * SHARES, strategy="spread")
    for number, side in enumerate(old):
        if side:
            book.set_order(
                number, "a", not number, Side.BUY, side[0], side[1] * SHARES, is_quote=True, strategy="spread"
            )
    quotes = tuple(
        Quote("a-no" if number else "a-yes", Side.BUY, side[0], side[1] * SHARES)
        for number, side in enumerate(new)
        if side
    )
    refused = isinstance(
        evaluate_quotes(QuoteSet("a", quotes), MARKET, book, capped(kind, level, cap), CLEAR, NOW), Refused
    )
    had, more = ([_amount(kind, side) for side in old], [])
    for was, side in zip(old, new, strict=True):
        more.append(max(0, _amount(kind, side) - _amount(kind, was)) if side else 0)
    own = _held(kind, held)
    if level is Level.OUTCOME:
        assert refused is any(add and used + add > cap for add, used in zip(more, (had[0] + own, had[1]), strict=True))
        return
    used = sum(had) + own
    used += 0 if level is Level.MARKET else _amount(kind, (5000, 10))
    assert refused is (sum(more) > 0 and used + sum(more) > cap)


def _amount(kind: CapKind, side: tuple[int, int] | None) -> int:
    if side is None:
        return 0
    price, shares = side
    return shares * SHARES if kind is CapKind.SHARES else price * shares * SHARES // 10_000


def _held(kind: CapKind, shares: int) -> int:
    return shares * SHARES if kind is CapKind.SHARES else shares * PUSD // 2


def test_wider_levels_count_their_other_markets() -> None:
    book = a_book()
    book.set_order(1, "b", True, Side.BUY, 4000, 20 * SHARES, strategy="dutch_book")
    book.set_order(2, "c", True, Side.BUY, 4000, 20 * SHARES, strategy="spread")
    assert isinstance(judged(capped(CapKind.SHARES, Level.EVENT, 60 * SHARES), book), Approved)
    assert isinstance(judged(capped(CapKind.SHARES, Level.EVENT, 59 * SHARES), book), Refused)
    assert isinstance(judged(capped(CapKind.SHARES, Level.STRATEGY, 60 * SHARES, "spread"), book), Approved)
    assert isinstance(judged(capped(CapKind.SHARES, Level.STRATEGY, 59 * SHARES, "spread"), book), Refused)
    assert isinstance(judged(capped(CapKind.SHARES, Level.STRATEGY, 1, "dutch_book"), book), Approved)
    assert isinstance(judged(capped(CapKind.SHARES, Level.WALLET, 79 * SHARES), book), Refused)


def test_a_category_is_its_events_together() -> None:
    book = a_book()
    book.set_position("c", 20 * SHARES, 0, 8 * PUSD, 0)
    sports = {"ev": "sports", "other": "sports"}
    tight = capped(CapKind.NOTIONAL, Level.CATEGORY, 25 * PUSD, "sports", of=sports)
    book.set_categories(sports)
    assert judged(tight, book) == Refused((RefusalCode.CATEGORY_CAP,), "category could cost 26 pUSD, cap 25 pUSD")
    loss = capped(CapKind.LOSS, Level.CATEGORY, 17 * PUSD, "sports", of=sports)
    assert judged(loss, book) == Refused((RefusalCode.CATEGORY_CAP,), "category could lose 18 pUSD, cap 17 pUSD")
    book.set_categories({"ev": "sports", "other": "weather"})
    assert isinstance(judged(tight, book), Approved)


def test_sums_survive_regrouping_and_empty_with_their_orders() -> None:
    book = a_book()
    book.set_position("a", 10 * SHARES, 0, 4 * PUSD, 0)
    book.set_order(1, "b", False, Side.BUY, 5000, 20 * SHARES, strategy="spread")
    book.set_markets([replace(SIBLING, event_id="moved"), COUSIN])
    assert (book.sums("b").event.shares, book.sums("a").event.shares) == (20 * SHARES, 10 * SHARES)
    assert book.sums("c", "spread").total.notional == 14 * PUSD
    assert book.sums("c", "spread").strategy.orders == 1
    book.set_order(1, "b", False, Side.BUY, 5000, 0)
    book.set_position("a", 0, 0, 0, 0)
    total = book.sums("c", "spread").total
    assert (total.shares, total.notional, total.orders) == (0, 0, 0)


def test_a_basket_is_held_by_the_caps_of_each_leg_and_of_all_together() -> None:
    legs = tuple(Leg(f"{name}", f"{name}-yes", Side.BUY, 4000, 20 * SHARES, 0, 0) for name in "ab")
    basket = Basket("plan", "ev", Route.BUY_ALL_YES, 20 * SHARES, legs, 0)
    markets = {"a": MARKET, "b": SIBLING}

    def verdict(limits: Limits) -> object:
        return evaluate_basket(basket, markets, a_book(), limits, CLEAR, NOW)

    assert isinstance(verdict(capped(CapKind.SHARES, Level.EVENT, 40 * SHARES)), Approved)
    assert verdict(capped(CapKind.SHARES, Level.EVENT, 39 * SHARES)) == Refused(
        (RefusalCode.EVENT_CAP,), "event could hold 40 shares, cap 39"
    )
    assert isinstance(verdict(capped(CapKind.SHARES, Level.OUTCOME, 19 * SHARES, "b")), Refused)
    assert isinstance(verdict(capped(CapKind.OPEN_ORDERS, Level.STRATEGY, 1, "dutch_book")), Refused)


@pytest.mark.parametrize(
    ("quote", "mid_x2", "refused"),
    [
        (Quote("a-yes", Side.BUY, 6000, 20 * SHARES), 7000, False),
        (Quote("a-yes", Side.BUY, 6100, 20 * SHARES), 7000, True),
        (Quote("a-yes", Side.BUY, 100, 20 * SHARES), 7000, False),  # far below the book hurts nobody
        (Quote("a-no", Side.BUY, 9100, 20 * SHARES), 7000, True),  # offers YES at 0.09
        (Quote("a-yes", Side.SELL, 900, 20 * SHARES), 7000, True),
        (Quote("a-yes", Side.SELL, 9900, 20 * SHARES), 7000, False),
    ],
)
def test_an_order_reaches_only_so_far_past_the_middle(quote: Quote, mid_x2: int, refused: bool) -> None:
    guard = Guard(None, True, 0, 100, True, mids_x2={"a": mid_x2})
    verdict = judged(WIDE, None, quote, guard=guard)
    assert isinstance(verdict, Refused) is refused
    if isinstance(verdict, Refused):
        assert verdict.codes == (RefusalCode.COLLAR,)
        assert verdict.detail == "order reaches 0.26 past the middle of the book, most 0.25"


def test_without_a_price_in_the_book_nothing_is_within_the_collar() -> None:
    verdict = judged(WIDE, guard=Guard(None, True, 0, 100, True, mids_x2={}))
    assert verdict == Refused((RefusalCode.COLLAR,), "no price in the book to judge orders by")


def test_the_narrowest_figure_holds() -> None:
    limits = replace(
        WIDE,
        own={
            spelled(CapKind.SHARES, Level.MARKET): 30,
            spelled(CapKind.SHARES, Level.MARKET, "a"): 50,
            spelled(CapKind.SHARES, Level.TOTAL): 70,
        },
    )
    assert (limits.cap(CapKind.SHARES, Level.MARKET, "a"), limits.cap(CapKind.SHARES, Level.MARKET, "b")) == (50, 30)
    assert limits.cap(CapKind.SHARES, Level.CATEGORY, "sports") == 70
    assert Limits().cap(CapKind.SHARES, Level.OUTCOME, "a") == 20_000 * SHARES
    assert Limits(5, 6, 7).cap(CapKind.LOSS, Level.CATEGORY, "sports") == 7


def test_no_level_is_without_a_bound() -> None:
    for cap in caps.DEFINITIONS:
        for level in cap.defaults:
            assert Limits().cap(cap.kind, level, "whatever") > 0


@pytest.mark.parametrize(
    ("kind", "level", "value", "problem"),
    [
        (CapKind.ORDER_RATE, Level.MARKET, "5", "scope: market: order_rate is one figure for everything"),
        (CapKind.LOSS, Level.ORDER, "5", "scope: order: loss is capped per market, event, category, wallet, total"),
        (CapKind.ORDER_RATE, Level.TOTAL, "0", "value: 0: at least 1 per second; to place nothing, stop"),
        (CapKind.COLLAR, Level.MARKET, "1.5", "value: 1.5: at most 1 pUSD"),
        (CapKind.OPEN_ORDERS, Level.TOTAL, "2.5", "value: 2.5 has more decimals than orders can hold"),
        (CapKind.LOSS, Level.TOTAL, "0.0000001", "value: 1E-7 has more decimals than pUSD can hold"),
    ],
)
def test_a_cap_that_cannot_be_is_refused_by_field(kind: CapKind, level: Level, value: str, problem: str) -> None:
    with pytest.raises(CapError, match=problem):
        caps.check(kind, level, Decimal(value))


def test_what_people_say_becomes_domain_units() -> None:
    assert caps.check(CapKind.COLLAR, Level.MARKET, Decimal("0.05")) == 500
    assert caps.check(CapKind.SHARES, Level.ORDER, Decimal("12.5")) == 12_500_000
    assert caps.default(CapKind.SHARES, Level.CATEGORY) is None
