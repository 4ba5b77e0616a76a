"""Getting out: what reduces a position, and the marketable orders that end it within a bound.

Law: nothing here buys. A pair of YES and NO is worth one pUSD whatever happens, so only what is held beyond pairs is
risk, and only that is sold.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import ConditionId, Price, Size, ceil_to_tick, complement, floor_to_step
from strategies.domain.inputs import BookView, Inventory
from strategies.domain.intents import Quote


class NoExit(StrEnum):
    """Why nothing is sold now. The value is what the operator reads."""

    FLAT = "nothing is held"
    UNSETTLED = "what is held is not settled yet"
    DUST = "what is held is below the market minimum"
    NO_BID = "nobody bids"
    BELOW_BOUND = "bids are below the slippage bound"


class Exit(msgspec.Struct, frozen=True, gc=False):
    """Sell this much of one token at `price` or better, at once; what does not trade ends."""

    condition_id: ConditionId
    quote: Quote


def shortens(market: Market, quote: Quote, inventory: Inventory) -> bool:
    """Whether a fill brings what is held beyond pairs down."""
    longer = (quote.side is Side.BUY) == (quote.asset == market.yes)
    return bool(inventory.net_yes) and longer == (inventory.net_yes < 0)


def reducing(market: Market, quotes: Iterable[Quote], inventory: Inventory) -> tuple[Quote, ...]:
    """The part of the quotes that can only bring the position down, cut so that all of it filled does not turn it."""
    left = abs(inventory.net_yes)
    kept: list[Quote] = []
    for quote in quotes:
        size = floor_to_step(min(quote.size, left), SIZE_STEP)
        if shortens(market, quote, inventory) and size >= market.min_size:
            kept.append(msgspec.structs.replace(quote, size=size))
            left -= size
    return tuple(kept)


def best_bid(market: Market, view: BookView, inventory: Inventory) -> Price | None:
    """What somebody pays now for a share of the token we hold beyond pairs, in its own price."""
    if inventory.net_yes > 0:
        return view.bids[0][0] if view.bids else None
    return complement(view.asks[0][0]) if view.asks else None


def plan(market: Market, view: BookView, inventory: Inventory, floor: Price) -> Exit | NoExit:
    """Sell everything beyond pairs that may be sold, at `floor` or better (the token's own price)."""
    net = inventory.net_yes
    if not net:
        return NoExit.FLAT
    size: Size = floor_to_step(min(abs(net), inventory.yes_sellable if net > 0 else inventory.no_sellable), SIZE_STEP)
    if size < max(market.min_size, SIZE_STEP):
        return NoExit.DUST if abs(net) < market.min_size else NoExit.UNSETTLED
    bid = best_bid(market, view, inventory)
    if bid is None:
        return NoExit.NO_BID
    if bid < floor:
        return NoExit.BELOW_BOUND
    limit = max(market.tick, ceil_to_tick(floor, market.tick))
    return Exit(market.condition_id, Quote(market.asset(net > 0), Side.SELL, limit, size))
