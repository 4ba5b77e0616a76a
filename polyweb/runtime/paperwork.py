"""What every beat writes of the markets: their state for screens, their memories, baskets, positions, profit points.

Law: the loop waits for none of it. Values are made in slices between turns, and where very many markets change, the
rows of those that have waited longest are written first, so many a beat. What a restart must not forget is written
with every beat.
"""

import time
from collections.abc import Sequence
from typing import Protocol

from execution.services import Holding, ProfitPoint, Shown
from markets.domain.market import Market
from markets.domain.units import ConditionId, Nanos
from polyweb.runtime.clerk import holding, profit_point, shown, total_point
from polyweb.runtime.keeper import Keeper
from polyweb.runtime.publisher import Publisher
from polyweb.runtime.slices import in_slices
from polyweb.runtime.trader import Trader

ROWS_PER_BEAT = 250


class Rows(Protocol):
    """Who writes them."""

    async def states(self, shown: Sequence[Shown]) -> None: ...

    async def positions(self, holdings: Sequence[Holding]) -> None: ...

    async def points(self, points: Sequence[ProfitPoint], now_ns: Nanos) -> None: ...


class Gaps(Protocol):
    async def keep(self) -> None: ...


class Paperwork:
    def __init__(
        self,
        trader: Trader,
        publisher: Publisher,
        rows: Rows,
        keeper: Keeper,
        arb_books: Gaps,
        rows_per_beat: int = ROWS_PER_BEAT,
    ) -> None:
        self._trader = trader
        self._publisher = publisher
        self._rows = rows
        self._keeper = keeper
        self._arb_books = arb_books
        self._rows_per_beat = rows_per_beat
        self._unwritten: dict[ConditionId, None] = {}

    async def write(self, *, full: bool) -> None:
        """`full`: of every market, changed or not."""
        trader = self._trader
        changed = self._publisher.take_unstored()
        self._unwritten |= dict.fromkeys(changed)
        if full:
            changed = [market.condition_id for market in trader.books.markets]
            self._unwritten = dict.fromkeys(changed)
        chosen = list(self._unwritten)[: None if full else self._rows_per_beat]  # who has waited longest
        markets = [market for condition_id in chosen if (market := trader.market(condition_id)) is not None]
        await self._rows.states(await in_slices(self._shown, markets))
        await self._keeper.keep(changed)
        await self._arb_books.keep()
        await self._rows.positions(await in_slices(self._holding, markets))
        for condition_id in chosen:
            del self._unwritten[condition_id]

    async def draw_points(self) -> None:
        """One profit point for the account and one for each market that holds or earned something."""
        trader = self._trader
        points = [total_point(trader)]
        found = await in_slices(self._point, list(trader.books.markets))
        await self._rows.points([*points, *(point for point in found if point is not None)], time.time_ns())

    def _shown(self, market: Market) -> Shown:
        return shown(self._trader, market, time.time_ns())

    def _holding(self, market: Market) -> Holding:
        return holding(self._trader, market)

    def _point(self, market: Market) -> ProfitPoint | None:
        return profit_point(self._trader, market)
