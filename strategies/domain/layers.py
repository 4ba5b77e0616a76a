"""From two prices and a size to orders: layers on both sides, each in the token that needs the least capital.

Law: the sizes of one side together never take net inventory past its maximum, and never sell more than is held. What
is held is sold before the other token is bought: a sell needs no cash.
"""

from collections.abc import Sequence

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import PRICE_ONE, Price, Size, ceil_to_tick, floor_to_step
from strategies.domain import guards
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote, Quote, Step
from strategies.domain.params import SpreadParams


def of(
    given: MarketInput, params: SpreadParams, bid: Price, ask: Price, size: Size, reduce: str, trace: list[Step]
) -> tuple[tuple[Quote, ...], NoQuote]:
    """The quotes, innermost first, and why there are none if there are none."""
    net, most = given.inventory.net_yes, params.max_inventory
    if reduce:
        bids, why_bid = _side(given, params, True, bid, size, -net, trace)
        asks, why_ask = _side(given, params, False, ask, size, net, trace)
        nothing = NoQuote.REDUCE_ONLY if net == 0 else why_bid if net < 0 else why_ask
        return (*bids, *asks), nothing
    bid_size = ask_size = size
    if net > 0:
        bid_size = guards.tapered_to_cap(size, net, params)
    elif net < 0:
        ask_size = guards.tapered_to_cap(size, -net, params)
    bids, why_bid = _side(given, params, True, bid, bid_size, most - net, trace)
    asks, why_ask = _side(given, params, False, ask, ask_size, most + net, trace)
    return (*bids, *asks), why_bid if why_bid is not NoQuote.SPREAD_UNPRICEABLE else why_ask


def two_sided(market: Market, quotes: Sequence[Quote]) -> bool:
    sides = {(quote.side is Side.BUY) == (quote.asset == market.yes) for quote in quotes}
    return len(sides) == 2


def _side(
    given: MarketInput, params: SpreadParams, is_bid: bool, price: Price, size: Size, room: Size, trace: list[Step]
) -> tuple[list[Quote], NoQuote]:
    """One side's layers from the YES price `price` outwards, and what ended or prevented them."""
    market, held = given.market, given.inventory
    sellable = held.no_sellable if is_bid else held.yes_sellable
    last = PRICE_ONE - market.tick
    quotes: list[Quote] = []
    for _ in range(params.layers):
        if not market.tick <= price <= last:
            return quotes, NoQuote.SPREAD_UNPRICEABLE
        far = guards.out_of_reach(given, params, price)
        if far is not None:
            trace.append(Step("bid out of reach" if is_bid else "ask out of reach", price, 0))
            return quotes, far
        fits = size if size <= room else _room(room)
        if fits < market.min_size:
            trace.append(Step("bid inventory (size)" if is_bid else "ask inventory (size)", size, 0))
            return quotes, NoQuote.INVENTORY_FULL
        sells = sellable >= fits
        quote = _quote(market, is_bid, sells, price, fits)
        if not quote.asset:
            # A recording of one token only: what cannot be named cannot be bought.
            trace.append(Step("ask NO token unknown (size)", fits, 0))
            return quotes, NoQuote.SPREAD_UNPRICEABLE
        if params.min_notional and guards.notional_too_small(quote.price, fits, params.min_notional):
            trace.append(Step("bid notional (size)" if is_bid else "ask notional (size)", fits, 0))
            return quotes, NoQuote.NOTIONAL_BELOW_MINIMUM
        if fits != size:
            trace.append(Step("bid inventory (size)" if is_bid else "ask inventory (size)", size, fits))
        quotes.append(quote)
        if params.layers == 1:
            break
        room, sellable = room - fits, sellable - fits if sells else sellable
        step = max(market.tick, ceil_to_tick(params.layer_step, market.tick))
        price = price - step if is_bid else price + step
        size = floor_to_step(size * params.layer_growth // 100, SIZE_STEP)
    return quotes, NoQuote.SPREAD_UNPRICEABLE


def _room(room: Size) -> Size:
    return floor_to_step(room, SIZE_STEP) if room > 0 else 0


def _quote(market: Market, is_bid: bool, sells: bool, price: Price, size: Size) -> Quote:
    """Bids buy YES or sell NO, offers sell YES or buy NO; a NO quote carries the NO price."""
    side = Side.SELL if sells else Side.BUY
    if is_bid is sells:
        return Quote(market.no, side, PRICE_ONE - price, size)
    return Quote(market.yes, side, price, size)
