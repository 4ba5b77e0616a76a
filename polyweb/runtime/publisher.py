"""Live numbers for browsers: conflated, a few times a second, only what changed, only for who looks.

Law: at most once. A message may be lost: the page had the whole state when it opened, the next message repeats it.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable

from execution.domain.blotter import OrderMoved
from markets.domain.units import (
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    ConditionId,
    Nanos,
    price_to_decimal,
    size_to_decimal,
)
from polyweb.runtime import views
from polyweb.runtime.slices import in_slices
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader
from polyweb.runtime.views import Json

VIEW_S = 0.1
TABLE_S = 0.25
LOOK_NS: Nanos = 15 * NANOS_PER_SECOND
MAX_ROWS = 500

Send = Callable[[str, Json], Awaitable[None]]


def market_group(condition_id: ConditionId) -> str:
    """Channel-layer group of one market; group names may not hold every id the venue may invent."""
    return "market." + hashlib.sha1(condition_id.encode(), usedforsecurity=False).hexdigest()[:16]


class Publisher:
    """`overview` gives the whole summary; `send(group, message)` must not raise when nobody listens."""

    def __init__(
        self, trader: Trader, overview: Callable[[], Json], send: Send, now_ns: Callable[[], Nanos] = time.time_ns
    ) -> None:
        self._trader = trader
        self._overview = overview
        self._send = send
        self._now_ns = now_ns
        self._looking: dict[ConditionId, Nanos] = {}
        self._views: dict[ConditionId, None] = {}
        self._rows: dict[ConditionId, None] = {}
        self._unstored: dict[ConditionId, None] = {}
        self._orders: dict[int, Json] = {}

    def look(self, condition_id: ConditionId) -> None:
        """Somebody has this market's page open; says so again every few seconds."""
        self._looking[condition_id] = self._now_ns() + LOOK_NS
        self._views[condition_id] = None

    def heard(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, OrderMoved):
                row = self._order_row(fact)
                if row is not None:
                    self._orders[fact.client_order_id] = row

    def take_unstored(self) -> list[ConditionId]:
        """Markets that changed since the last call, for whoever writes their state to the database."""
        self._collect()
        changed = list(self._unstored)
        self._unstored.clear()
        return changed

    async def run(self) -> None:
        next_table = 0.0
        while True:
            await asyncio.sleep(VIEW_S)
            self._collect()
            await self._send_views()
            if time.monotonic() >= next_table:
                next_table = time.monotonic() + TABLE_S
                await self._send_tables()

    def _collect(self) -> None:
        for condition_id in self._trader.drain_touched():
            self._views[condition_id] = self._rows[condition_id] = self._unstored[condition_id] = None

    async def _send_views(self) -> None:
        now_ns = self._now_ns()
        self._looking = {key: until for key, until in self._looking.items() if until > now_ns}
        changed = [condition_id for condition_id in self._views if condition_id in self._looking]
        self._views.clear()
        for condition_id in changed:
            market = self._trader.market(condition_id)
            if market is not None:
                view = views.market_view(self._trader, market, now_ns)
                await self._send(market_group(condition_id), {"type": "publish.market", "data": view})

    async def _send_tables(self) -> None:
        await self._send("dashboard", {"type": "publish.overview", "data": self._overview()})
        changed = list(self._rows)[:MAX_ROWS]
        for condition_id in changed:
            del self._rows[condition_id]
        rows = [row for row in await in_slices(self._row, changed) if row is not None]
        if rows:
            await self._send("dashboard", {"type": "publish.markets", "data": rows})
        if self._orders:
            moved = list(self._orders.values())
            self._orders.clear()
            await self._send("orders", {"type": "publish.orders", "data": moved})

    def _row(self, condition_id: ConditionId) -> Json | None:
        market = self._trader.market(condition_id)
        return None if market is None else views.row(self._trader, market)

    def _order_row(self, moved: OrderMoved) -> Json | None:
        order = self._trader.blotter.order(moved.client_order_id)
        market = self._trader.market(order.condition_id) if order else None
        if order is None or market is None:
            return None
        return {
            "client_order_id": str(order.client_order_id),
            "order_id": order.order_id,
            "condition_id": order.condition_id,
            "question": market.question,
            "outcome": "YES" if order.asset == market.yes else "NO",
            "side": order.side.value,
            "price": str(price_to_decimal(order.price)),
            "size": f"{size_to_decimal(order.size).normalize():f}",
            "filled": f"{size_to_decimal(moved.filled).normalize():f}",
            "state": moved.after.value,
            "detail": moved.detail,
            "at_ms": moved.at_ns // NANOS_PER_MILLI,
        }
