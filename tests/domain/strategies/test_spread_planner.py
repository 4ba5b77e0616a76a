"""The spread planner by value: which prices, which tokens, which sizes, and why there are none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import PRICE_ONE, SIZE_ONE
from strategies.domain import spread
from strategies.domain.fair_value import lean_x2, mid_x2
from strategies.domain.inputs import FLAT, BookView, Inventory, MarketInput
from strategies.domain.intents import NoQuote, Quote, QuoteSet
from strategies.domain.measures import Signals
from strategies.domain.params import SpreadParams
from strategies.domain.rewards import Scores

MARKET = Market("0xc", "7", "Will it?", "yes", "no")
SHARES = SIZE_ONE
PARAMS = SpreadParams(max_inventory=200 * SHARES, taper_from=100, max_from_mid=PRICE_ONE)
SIZE = PARAMS.size


def book(bid: int, ask: int, size: int = 100 * SHARES) -> BookView:
    return BookView(((bid, size),), ((ask, size),), 0)


def planned(
    view: BookView, inventory: Inventory = FLAT, params: SpreadParams = PARAMS, market: Market = MARKET
) -> QuoteSet:
    return spread.plan(MarketInput(market, view, inventory, 0), params)


def names(quotes: QuoteSet) -> list[str]:
    return [step.name for step in quotes.trace]


def test_flat_quotes_stand_half_a_spread_either_side_of_the_mid() -> None:
    wanted = planned(book(4000, 6000))
    assert wanted.quotes == (Quote("yes", Side.BUY, 4900, SIZE), Quote("no", Side.BUY, 4900, SIZE))
    assert wanted.fair_x2 == 10_000
    assert wanted.reason is None


def test_a_half_cent_mid_rounds_away_on_both_sides() -> None:
    wanted = planned(book(4000, 4100), params=changed(PARAMS, half_spread=100))
    assert [quote.price for quote in wanted.quotes] == [3900, PRICE_ONE - 4200]


def test_long_inventory_lowers_both_prices_and_sells_what_is_held() -> None:
    wanted = planned(book(4000, 6000), Inventory(yes=100 * SHARES, yes_sellable=100 * SHARES))
    assert wanted.quotes == (Quote("yes", Side.BUY, 4800, SIZE), Quote("yes", Side.SELL, 5000, SIZE))


def test_short_inventory_raises_both_prices_and_sells_the_no_tokens() -> None:
    wanted = planned(book(4000, 6000), Inventory(no=100 * SHARES, no_sellable=100 * SHARES))
    assert wanted.quotes == (Quote("no", Side.SELL, 5000, SIZE), Quote("no", Side.BUY, 4800, SIZE))


def test_shares_that_may_not_be_sold_yet_are_not_offered() -> None:
    wanted = planned(book(4000, 6000), Inventory(yes=100 * SHARES, yes_sellable=SIZE - SIZE_STEP))
    assert wanted.quotes[1] == Quote("no", Side.BUY, 5000, SIZE)


def test_a_token_whose_id_is_unknown_is_never_quoted() -> None:
    half_known = replace(MARKET, no="")
    wanted = planned(book(4000, 6000), market=half_known)
    assert [quote.asset for quote in wanted.quotes] == ["yes"]
    assert "ask NO token unknown (size)" in names(wanted)
    holding = planned(book(4000, 6000), Inventory(yes=SIZE, yes_sellable=SIZE), market=half_known)
    assert [quote.side for quote in holding.quotes] == [Side.BUY, Side.SELL]


def test_the_side_that_adds_stops_at_the_maximum_and_says_so() -> None:
    full = Inventory(yes=200 * SHARES, yes_sellable=200 * SHARES)
    wanted = planned(book(4000, 6000), full)
    assert wanted.quotes == (Quote("yes", Side.SELL, 4900, SIZE),)
    assert "bid inventory (size)" in names(wanted)


def test_the_last_quote_before_the_maximum_is_only_as_large_as_the_room_left() -> None:
    wanted = planned(book(4000, 6000), Inventory(yes=190 * SHARES))
    assert wanted.quotes[0].size == 10 * SHARES


def test_a_room_smaller_than_the_minimum_counts_as_full() -> None:
    wanted = planned(book(4000, 6000), Inventory(no=196 * SHARES))
    assert [quote.asset for quote in wanted.quotes] == ["yes"]


def test_a_narrow_spread_does_not_cross_the_book() -> None:
    wanted = planned(book(5000, 5100), params=changed(PARAMS, half_spread=1, inventory_skew=0))
    assert [quote.price for quote in wanted.quotes] == [5000, PRICE_ONE - 5100]


def test_skew_through_the_touch_is_held_back_by_post_only() -> None:
    wanted = planned(book(5000, 5100), Inventory(yes=200 * SHARES, yes_sellable=200 * SHARES))
    assert wanted.quotes == (Quote("yes", Side.SELL, 5100, SIZE),)
    assert "ask post-only" in names(wanted)


def test_prices_near_zero_are_clamped_to_the_first_tick() -> None:
    wanted = planned(book(100, 300), params=changed(PARAMS, half_spread=500))
    assert wanted.quotes[0] == Quote("yes", Side.BUY, 100, SIZE)
    assert "bid clamp" in names(wanted)


def test_a_side_without_a_price_is_left_out() -> None:
    wanted = planned(book(50, 100))
    assert [quote.asset for quote in wanted.quotes] == ["no"]


def test_no_price_on_either_side_is_a_reason() -> None:
    coarse = replace(MARKET, tick=1000)
    crossed = planned(book(9500, 500), market=coarse)
    assert (crossed.quotes, crossed.reason) == ((), NoQuote.SPREAD_UNPRICEABLE)


@pytest.mark.parametrize(
    ("view", "market", "params", "reason"),
    [
        (BookView((), (), 0), MARKET, PARAMS, NoQuote.BOOK_ONE_SIDED),
        (BookView(((100, 1),), (), 0), MARKET, PARAMS, NoQuote.BOOK_ONE_SIDED),
        (BookView((), ((100, 1),), 0), MARKET, PARAMS, NoQuote.BOOK_ONE_SIDED),
        (book(4000, 6000), replace(MARKET, accepting_orders=False), PARAMS, NoQuote.NOT_ACCEPTING),
        (book(4000, 6000), replace(MARKET, min_size=SIZE + 1), PARAMS, NoQuote.SIZE_BELOW_MINIMUM),
        (book(4000, 6000), MARKET, changed(PARAMS, size=SIZE_STEP - 1), NoQuote.SIZE_BELOW_MINIMUM),
    ],
)
def test_every_way_to_have_no_quote_names_its_reason(
    view: BookView, market: Market, params: SpreadParams, reason: NoQuote
) -> None:
    wanted = planned(view, market=market, params=params)
    assert (wanted.quotes, wanted.reason) == ((), reason)


def test_no_side_left_because_of_inventory_says_inventory() -> None:
    wanted = planned(book(9800, 9900), Inventory(yes=300 * SHARES), params=changed(PARAMS, max_inventory=1))
    assert wanted.quotes[0].asset == "no"
    tiny = planned(book(4000, 6000), params=changed(PARAMS, max_inventory=SHARES))
    assert (tiny.quotes, tiny.reason) == ((), NoQuote.INVENTORY_FULL)


def test_sizes_are_floored_to_two_decimals() -> None:
    wanted = planned(book(4000, 6000), params=changed(PARAMS, size=SIZE + SIZE_STEP - 1))
    assert [quote.size for quote in wanted.quotes] == [SIZE, SIZE]


def test_the_trace_walks_from_the_mid_to_the_price() -> None:
    wanted = planned(book(4000, 6000), Inventory(yes=100 * SHARES))
    steps = {step.name: (step.before, step.after) for step in wanted.trace}
    assert steps["skew (x2)"] == (10_000, 9_800)
    assert steps["half spread"] == (100, 100)
    assert steps["bid grid"] == (4_800, 4_800)


def test_mid_and_lean_need_no_rounding_of_halves() -> None:
    assert mid_x2(book(4001, 4002)) == 8003
    assert lean_x2(3, 7, 10) == -lean_x2(-3, 7, 10) == 8
    assert lean_x2(99, 7, 10) == 20


TICKS = st.sampled_from([1, 10, 25, 50, 100, 1000])
SIZES = st.integers(0, 400 * SHARES)


@st.composite
def situations(draw: st.DrawFn) -> tuple[MarketInput, SpreadParams]:
    tick = draw(TICKS)
    grid = PRICE_ONE // tick
    bid = draw(st.integers(1, grid - 1)) * tick
    ask = draw(st.integers(1, grid - 1)) * tick
    yes, no = draw(SIZES), draw(SIZES)
    held = Inventory(yes, no, draw(st.integers(0, yes)), draw(st.integers(0, no)))
    params = changed(
        PARAMS,
        half_spread=draw(st.integers(1, 4000)),
        inventory_skew=draw(st.integers(0, 4000)),
        size=draw(st.integers(SHARES, 300 * SHARES)),
        max_inventory=draw(st.integers(SHARES, 400 * SHARES)),
        taper_from=draw(st.integers(0, 100)),
        layers=draw(st.integers(1, 5)),
        layer_step=draw(st.integers(1, 2_000)),
        layer_growth=draw(st.integers(10, 500)),
        fair_value=draw(st.integers(0, 2)),
        trade_flow=draw(st.sampled_from([0, 77])),
        min_edge=draw(st.sampled_from([0, 10, 333])),
        max_from_mid=draw(st.sampled_from([500, PRICE_ONE])),
        min_notional=draw(st.sampled_from([0, 5_000_000])),
        both_sides=draw(st.integers(0, 1)),
        post_only=draw(st.integers(0, 1)),
    )
    signals = Signals(
        volatility=draw(st.sampled_from([0, 123])),
        flow=draw(st.integers(-900 * SHARES, 900 * SHARES)),
        markout_loss=draw(st.sampled_from([0, 57])),
    )
    paying = draw(st.booleans())
    market = replace(
        MARKET,
        tick=tick,
        rewards_daily=25_000_000 if paying else 0,
        rewards_max_spread=350,
        rewards_min_size=draw(st.sampled_from([0, 20 * SHARES, 200 * SHARES])),
    )
    rivals = Scores(draw(st.integers(0, 10**9)), draw(st.integers(0, 10**9))) if paying else None
    reduce = draw(st.sampled_from(["", "", "", "told to"]))
    bid_size, ask_size = draw(st.integers(1, 500)) * SHARES, draw(st.integers(1, 500)) * SHARES
    view = BookView(((bid, bid_size),), ((ask, ask_size),), 0)
    return MarketInput(market, view, held, 0, signals, rivals=rivals, reduce=reduce), params


def as_yes(quote: Quote) -> tuple[bool, int]:
    """(is it a bid for YES, at which YES price)."""
    own = quote.asset == "yes"
    return (quote.side is Side.BUY) == own, quote.price if own else PRICE_ONE - quote.price


@given(situations())
def test_every_quote_is_on_the_grid_and_passive(situation: tuple[MarketInput, SpreadParams]) -> None:
    seen, params = situation
    tick = seen.market.tick
    for quote in spread.plan(seen, params).quotes:
        is_bid, price = as_yes(quote)
        assert price % tick == 0
        assert tick <= quote.price <= PRICE_ONE - tick
        assert quote.size % SIZE_STEP == 0
        assert quote.size >= seen.market.min_size
        assert price < seen.book.asks[0][0] if is_bid else price > seen.book.bids[0][0]


@given(situations())
def test_our_two_quotes_never_meet(situation: tuple[MarketInput, SpreadParams]) -> None:
    quotes = spread.plan(*situation).quotes
    bids = [price for is_bid, price in map(as_yes, quotes) if is_bid]
    asks = [price for is_bid, price in map(as_yes, quotes) if not is_bid]
    assert len(bids) == len(set(bids)) <= situation[1].layers
    assert len(asks) == len(set(asks)) <= situation[1].layers
    assert all(bid + (PRICE_ONE - ask) < PRICE_ONE for bid in bids for ask in asks)


@given(situations())
def test_no_fill_takes_inventory_past_its_maximum(situation: tuple[MarketInput, SpreadParams]) -> None:
    seen, params = situation
    net = seen.inventory.net_yes
    quotes = spread.plan(seen, params).quotes
    bought = sum(quote.size for quote in quotes if as_yes(quote)[0])
    sold = sum(quote.size for quote in quotes if not as_yes(quote)[0])
    most = max(params.max_inventory, abs(net))
    assert net + bought <= most
    assert net - sold >= -most


@given(situations())
def test_who_only_reduces_never_turns_a_position_around(situation: tuple[MarketInput, SpreadParams]) -> None:
    seen, params = situation
    seen = changed(seen, reduce="told to")
    net = seen.inventory.net_yes
    for quote in spread.plan(seen, params).quotes:
        assert as_yes(quote)[0] == (net < 0)
    assert sum(quote.size for quote in spread.plan(seen, params).quotes) <= abs(net)


@given(situations())
def test_no_more_is_sold_than_may_be(situation: tuple[MarketInput, SpreadParams]) -> None:
    seen, params = situation
    quotes = spread.plan(seen, params).quotes
    for asset, may in (("yes", seen.inventory.yes_sellable), ("no", seen.inventory.no_sellable)):
        assert sum(quote.size for quote in quotes if quote.side is Side.SELL and quote.asset == asset) <= may


@given(situations())
def test_what_adds_to_inventory_keeps_its_edge(situation: tuple[MarketInput, SpreadParams]) -> None:
    seen, params = situation
    wanted, net = spread.plan(seen, params), seen.inventory.net_yes
    for is_bid, price in map(as_yes, wanted.quotes):
        if not seen.reduce and (net >= 0 if is_bid else net <= 0):
            away = wanted.fair_x2 - 2 * price if is_bid else 2 * price - wanted.fair_x2
            assert away >= 2 * params.min_edge or price in (seen.market.tick, PRICE_ONE - seen.market.tick)


@given(situations())
def test_a_market_seen_from_the_no_side_gets_the_mirrored_quotes(
    situation: tuple[MarketInput, SpreadParams],
) -> None:
    seen, params = situation
    held = seen.inventory
    (bid, bid_size), (ask, ask_size) = seen.book.bids[0], seen.book.asks[0]
    rivals = seen.rivals and Scores(seen.rivals.ask, seen.rivals.bid)
    turned = MarketInput(
        seen.market,
        BookView(((PRICE_ONE - ask, ask_size),), ((PRICE_ONE - bid, bid_size),), 0),
        Inventory(held.no, held.yes, held.no_sellable, held.yes_sellable),
        0,
        changed(seen.signals, flow=-seen.signals.flow),
        rivals=rivals,
        reduce=seen.reduce,
    )
    here, there = spread.plan(seen, params), spread.plan(turned, params)
    swap = {"yes": "no", "no": "yes"}
    mirrored = {Quote(swap[quote.asset], quote.side, quote.price, quote.size) for quote in there.quotes}
    assert set(here.quotes) == mirrored
