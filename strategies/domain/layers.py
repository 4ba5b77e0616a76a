"""From two prices and a size to orders: layers on both sides, each in the token that needs the least capital.

Law: the sizes of one side together never take net inventory past its maximum, and never sell more than is held. What
is held is sold before the other token is bought: a sell needs no cash.
"""

from collections.abc import Sequence

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import PRICE_ONE, Price, Size, floor_to_step
from strategies.domain import guards
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote, Note, Quote
from strategies.domain.terms import Terms

_BUY, _SELL = Side.BUY, Side.SELL
_UNPRICEABLE = NoQuote.SPREAD_UNPRICEABLE


def of(
    given: MarketInput, terms: Terms, bid: Price, ask: Price, size: Size, reduce: str, noted: list[Note]
) -> tuple[tuple[Quote, ...], NoQuote]:
    """The quotes, innermost first, and why there are none if there are none."""
    net, most = given.inventory.yes - given.inventory.no, terms.params.max_inventory
    reach = guards.reach(given, terms)
    if reduce:
        bids, why_bid = _side(given, terms, reach, True, bid, size, -net, noted)
        asks, why_ask = _side(given, terms, reach, False, ask, size, net, noted)
        nothing = NoQuote.REDUCE_ONLY if net == 0 else why_bid if net < 0 else why_ask
        # What is left to sell, not what may still be bought, was too little.
        return (*bids, *asks), NoQuote.TOO_LITTLE_TO_REDUCE if nothing is NoQuote.INVENTORY_FULL else nothing
    bid_size = ask_size = size
    if net > 0:
        bid_size = guards.tapered_to_cap(size, net, terms)
    elif net < 0:
        ask_size = guards.tapered_to_cap(size, -net, terms)
    bids, why_bid = _side(given, terms, reach, True, bid, bid_size, most - net, noted)
    asks, why_ask = _side(given, terms, reach, False, ask, ask_size, most + net, noted)
    return (*bids, *asks), why_bid if why_bid is not _UNPRICEABLE else why_ask


def two_sided(market: Market, quotes: Sequence[Quote]) -> bool:
    sides = {(quote.side is Side.BUY) == (quote.asset == market.yes) for quote in quotes}
    return len(sides) == 2


def _side(
    given: MarketInput,
    terms: Terms,
    reach: tuple[Price, Price],
    is_bid: bool,
    price: Price,
    size: Size,
    room: Size,
    noted: list[Note],
) -> tuple[list[Quote], NoQuote]:
    """One side's layers from the YES price `price` outwards, and what ended or prevented them."""
    market, params, held = given.market, terms.params, given.inventory
    lowest, highest = reach
    sellable = held.no_sellable if is_bid else held.yes_sellable
    quotes: list[Quote] = []
    left = params.layers
    while left:
        if not lowest <= price <= highest:
            return quotes, _beyond(given, terms, is_bid, price, noted)
        fits = size if size <= room else _room(room)
        if fits < market.min_size:
            noted.append(("bid inventory (size)" if is_bid else "ask inventory (size)", size, 0))
            return quotes, NoQuote.INVENTORY_FULL
        sells = sellable >= fits
        # Bids buy YES or sell NO, offers sell YES or buy NO; a NO quote carries the NO price.
        if is_bid is sells:
            quote = Quote(market.no, _SELL if sells else _BUY, PRICE_ONE - price, fits)
        else:
            quote = Quote(market.yes, _SELL if sells else _BUY, price, fits)
        if not quote.asset:
            # A recording of one token only: what cannot be named cannot be bought.
            noted.append(("ask NO token unknown (size)", fits, 0))
            return quotes, _UNPRICEABLE
        if params.min_notional and guards.notional_too_small(quote.price, fits, params.min_notional):
            noted.append(("bid notional (size)" if is_bid else "ask notional (size)", fits, 0))
            return quotes, NoQuote.NOTIONAL_BELOW_MINIMUM
        if fits != size:
            noted.append(("bid inventory (size)" if is_bid else "ask inventory (size)", size, fits))
        quotes.append(quote)
        left -= 1
        if not left:
            break
        room, sellable = room - fits, sellable - fits if sells else sellable
        price = price - terms.layer_step if is_bid else price + terms.layer_step
        size = floor_to_step(size * params.layer_growth // 100, SIZE_STEP)
    return quotes, _UNPRICEABLE


def _beyond(given: MarketInput, terms: Terms, is_bid: bool, price: Price, noted: list[Note]) -> NoQuote:
    """Which rule keeps a quote from this price."""
    far = guards.out_of_reach(given, terms.params, price) if terms.tick <= price <= terms.last else None
    if far is None:
        return _UNPRICEABLE
    noted.append(("bid out of reach" if is_bid else "ask out of reach", price, 0))
    return far


def _room(room: Size) -> Size:
    return floor_to_step(room, SIZE_STEP) if room > 0 else 0
