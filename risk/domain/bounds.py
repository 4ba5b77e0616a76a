"""What binds the quotes of one market: its grid, its caps of every level, and the live sums they are held against.

Law: nothing here decides. It is made once for a market and the caps in force, and is good for no other pair of them.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, Cash, Price, Size
from risk.domain.limits import Limits, Room, Rooms
from risk.domain.replacing import UNCHANGED, Change, Target
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


class Judged(msgspec.Struct, frozen=True, gc=False):
    """Quotes found in order by themselves and beside what rested around them: as targets by side, the best of each side
    as YES prices, and what they may add.
    """

    quotes: tuple[Quote, ...]
    post_only: bool
    bids: Sequence[Target]
    offers: Sequence[Target]
    bid: Price
    ask: Price
    around: Around | None
    moved: Change


NOT_JUDGED = Judged((), True, (), (), 0, PRICE_ONE, None, UNCHANGED)


class Bounds(msgspec.Struct, gc=False):
    """`scopes` are the market and everything it is part of, those without a figure of their own left out. `last` is
    what was last judged within these bounds; nothing else of them ever changes.
    """

    row: Row
    market: Market
    strategy: str
    figures: Figures
    scopes: tuple[Scope, ...]
    rooms: Rooms
    last: Judged = NOT_JUDGED


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
