"""What is left of a plan where less is allowed than was wanted.

Law: pure; a plan only ever gets smaller, and every side that did says by how much in its trace.
"""

from collections.abc import Sequence

import msgspec

from execution.domain.blotter import LiveOrder
from markets.domain.events import Side
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import Size, floor_to_step
from strategies.domain.intents import NoQuote, Quote, QuoteSet


def sales(wanted: QuoteSet, market: Market) -> QuoteSet:
    """What of it the venue takes in closed-only mode: nothing but sales of shares we hold."""
    quotes = tuple(quote for quote in wanted.quotes if quote.side is Side.SELL)
    less = _less(wanted, market, quotes, "closed-only venue")
    return less if quotes else msgspec.structs.replace(less, reason=wanted.reason or NoQuote.REDUCE_ONLY)


def at_a_cap(wanted: QuoteSet, market: Market, net: int, kept_percent: int) -> QuoteSet:
    """The quotes that add to `net` (both sides add to nothing held) cut to a part of their size, or left out."""
    quotes: list[Quote] = []
    for quote in wanted.quotes:
        if net and lengthens(market, quote) == (net < 0):
            quotes.append(quote)
            continue
        size = floor_to_step(quote.size * kept_percent // 100, SIZE_STEP)
        if size >= max(market.min_size, SIZE_STEP):
            quotes.append(Quote(quote.asset, quote.side, quote.price, size))
    return _less(wanted, market, tuple(quotes), "risk cap")


def within_room(
    wanted: QuoteSet,
    places: Sequence[Quote],
    staying: Sequence[LiveOrder],
    market: Market,
    room: int,
    longer_first: bool,
) -> tuple[QuoteSet, tuple[Quote, ...]]:
    """As many of `places` as the order rate has room for, those of one side first, and the plan that leaves: they and
    the orders that stay, as these are.
    """
    first = sorted(places, key=lambda quote: lengthens(market, quote) is not longer_first)[:room]
    resting = [Quote(order.asset, order.side, order.price, order.remaining) for order in staying]
    return _less(wanted, market, (*resting, *first), "order rate"), tuple(first)


def lengthens(market: Market, quote: Quote) -> bool:
    """Whether a fill of the quote makes us longer of YES: buying YES or selling NO."""
    return (quote.side is Side.BUY) == (quote.asset == market.yes)


def _less(wanted: QuoteSet, market: Market, quotes: tuple[Quote, ...], why: str) -> QuoteSet:
    noted = list(wanted.noted)
    for name, longer in (("bids", True), ("asks", False)):
        before, after = _size(wanted.quotes, market, longer), _size(quotes, market, longer)
        if after != before:
            noted.append((f"{name}, {why} (size)", before, after))
    return msgspec.structs.replace(wanted, quotes=quotes, noted=tuple(noted))


def _size(quotes: tuple[Quote, ...], market: Market, longer: bool) -> Size:
    return sum(quote.size for quote in quotes if lengthens(market, quote) is longer)
