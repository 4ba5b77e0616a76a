"""What binds the quotes of one market: its grid, its caps of every level, and the live sums they are held against.

Law: nothing here decides. It is made once for a market and the caps in force, and is good for no other pair of them.
"""

from typing import TypeAlias

import msgspec

from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, Cash, Price, Size
from risk.domain.limits import Limits, Room, Rooms
from risk.domain.rows import Around, Row, Sum
from strategies.domain.intents import Quote

# A sum and its caps: shares, notional, open orders. A bare tuple: walked for every proposal.
Scope: TypeAlias = tuple[Sum, Size, Cash, int]


class Figures(msgspec.Struct, frozen=True, gc=False):
    """The plain numbers among the bounds. Most markets have the same ones and share one value: a thousand markets then
    cost the processor's cache little more than ten.

    `order_outlay` is a single order's notional cap times PRICE_ONE: price times size may not pass it. `total_loss` is
    the tighter cap of total and wallet.
    """

    tick: Price
    highest: Price
    least_size: Size
    order_size: Size
    order_outlay: int
    outcome_shares: Size
    outcome_notional: Cash
    collar_x2: int
    market_loss: Cash
    event_loss: Cash
    category_loss: Cash
    total_loss: Cash


class Agreed:
    """Quotes that all rested and were found in order, as `around` had them; `bid` and `ask` are the best of them."""

    __slots__ = ("around", "ask", "bid", "quotes")

    def __init__(self) -> None:
        self.quotes: tuple[Quote, ...] = ()
        self.around: Around | None = None
        self.bid: Price = 0
        self.ask: Price = PRICE_ONE


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """`scopes` are the market and everything it is part of, those without a figure of their own left out. `agreed` is
    what the gate last agreed to within these bounds.
    """

    row: Row
    market: Market
    strategy: str
    figures: Figures
    scopes: tuple[Scope, ...]
    rooms: Rooms
    agreed: Agreed


def figures(market: Market, limits: Limits, rooms: Rooms) -> Figures:
    return Figures(
        tick=market.tick,
        highest=PRICE_ONE - market.tick,
        least_size=max(market.min_size, 1),
        order_size=rooms.order.shares,
        order_outlay=rooms.order.notional * PRICE_ONE,
        outcome_shares=rooms.outcome.shares,
        outcome_notional=rooms.outcome.notional,
        collar_x2=rooms.collar * 2,
        market_loss=limits.for_market(market.condition_id),
        event_loss=limits.for_event(market.event_id),
        category_loss=rooms.category_loss,
        total_loss=min(rooms.wallet_loss, limits.total_loss),
    )


def scopes(row: Row, rooms: Rooms, of_strategy: Sum, total: Sum) -> tuple[Scope, ...]:
    event = row.group.event
    wider = ((event.category.sum, rooms.category), (of_strategy, rooms.strategy), (total, rooms.wallet))
    found: list[tuple[Sum, Room]] = [(row.sum, rooms.market), (event.sum, rooms.event), (total, rooms.total)]
    found += [(used, room) for used, room in wider if room != rooms.total]
    return tuple((used, *room) for used, room in found)
