"""The spread quoter: one bid and one ask around a price that leans away from what we hold.

Law: pure; a quote is on the market's grid, never crosses the book or our other quote, and never takes net
inventory past its maximum, whatever fills.
"""

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP
from markets.domain.units import (
    PRICE_ONE,
    Price,
    Size,
    ceil_to_tick,
    complement,
    floor_to_step,
    floor_to_tick,
)
from strategies.domain.fair_value import lean_x2, mid_x2
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote, Quote, QuoteSet, Step
from strategies.domain.params import SpreadParams


def plan(given: MarketInput, params: SpreadParams) -> QuoteSet:
    """Every order wanted in this market now, in tokens that need the least capital."""
    market, book = given.market, given.book
    if not market.accepting_orders:
        return _nothing(given, NoQuote.NOT_ACCEPTING)
    if not book.bids or not book.asks:
        return _nothing(given, NoQuote.BOOK_ONE_SIDED)
    size = floor_to_step(params.size, SIZE_STEP)
    if size <= 0 or size < market.min_size:
        return _nothing(given, NoQuote.SIZE_BELOW_MINIMUM, (Step("size", params.size, size),))
    fair_x2 = mid_x2(book)
    trace: list[Step] = []
    bid, ask = _prices(given, params, fair_x2, trace)
    quotes, refused = _sides(given, params, bid, ask, size, trace)
    return QuoteSet(market.condition_id, quotes, fair_x2, tuple(trace), None if quotes else refused)


def _nothing(given: MarketInput, reason: NoQuote, trace: tuple[Step, ...] = ()) -> QuoteSet:
    return QuoteSet(given.market.condition_id, (), 0, trace, reason)


def _prices(given: MarketInput, params: SpreadParams, fair_x2: int, trace: list[Step]) -> tuple[Price, Price]:
    """YES prices of both sides. One that no post-only order can have comes back outside the grid."""
    tick, book = given.market.tick, given.book
    best_bid, best_ask = book.bids[0][0], book.asks[0][0]
    around_x2 = fair_x2 - lean_x2(given.inventory.net_yes, params.max_inventory, params.inventory_skew)
    low_x2, high_x2 = around_x2 - 2 * params.half_spread, around_x2 + 2 * params.half_spread
    bid = floor_to_tick(low_x2 // 2, tick)
    ask = ceil_to_tick(-(-high_x2 // 2), tick)
    trace.append(Step("mid (x2)", best_bid + best_ask, fair_x2))
    trace.append(Step("skew (x2)", fair_x2, around_x2))
    trace.append(Step("bid half spread (x2)", around_x2, low_x2))
    trace.append(Step("ask half spread (x2)", around_x2, high_x2))
    trace.append(Step("bid grid", low_x2 // 2, bid))
    trace.append(Step("ask grid", -(-high_x2 // 2), ask))
    bid = _moved("bid clamp", bid, min(max(bid, tick), PRICE_ONE - tick), trace)
    ask = _moved("ask clamp", ask, min(max(ask, tick), PRICE_ONE - tick), trace)
    bid = _moved("bid post-only", bid, min(bid, floor_to_tick(best_ask - tick, tick)), trace)
    ask = _moved("ask post-only", ask, max(ask, ceil_to_tick(best_bid + tick, tick)), trace)
    return bid, ask


def _moved(name: str, before: int, after: int, trace: list[Step]) -> int:
    if after != before:
        trace.append(Step(name, before, after))
    return after


def _sides(
    given: MarketInput, params: SpreadParams, bid: Price, ask: Price, size: Size, trace: list[Step]
) -> tuple[tuple[Quote, ...], NoQuote]:
    """The quotes, and why there are none if there are none."""
    market, inventory = given.market, given.inventory
    net, most = inventory.net_yes, params.max_inventory
    quotes: list[Quote] = []
    refused = NoQuote.SPREAD_UNPRICEABLE
    if bid >= market.tick:
        bid_size = _room("bid inventory (size)", size, most - net, market.min_size, trace)
        if not bid_size:
            refused = NoQuote.INVENTORY_FULL
        elif inventory.no_sellable >= bid_size:
            quotes.append(Quote(market.no, Side.SELL, complement(bid), bid_size))
        else:
            quotes.append(Quote(market.yes, Side.BUY, bid, bid_size))
    if ask <= PRICE_ONE - market.tick:
        ask_size = _room("ask inventory (size)", size, most + net, market.min_size, trace)
        if not ask_size:
            refused = NoQuote.INVENTORY_FULL
        elif inventory.yes_sellable >= ask_size:
            quotes.append(Quote(market.yes, Side.SELL, ask, ask_size))
        elif not market.no:
            # A recording of one token only: what cannot be named cannot be bought.
            trace.append(Step("ask NO token unknown (size)", ask_size, 0))
        else:
            quotes.append(Quote(market.no, Side.BUY, complement(ask), ask_size))
    return tuple(quotes), refused


def _room(name: str, size: Size, room: Size, minimum: Size, trace: list[Step]) -> Size:
    """Size that cannot take inventory past its maximum; 0 when less than the market's minimum is left."""
    if size <= room:
        return size
    left = floor_to_step(room, SIZE_STEP) if room > 0 else 0
    if left < minimum:
        left = 0
    trace.append(Step(name, size, left))
    return left
