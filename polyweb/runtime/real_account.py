"""The real account as reconciliation reads it: orders, trades, balances, and what positions from before us cost.

Law: reads, and one deed: orders are cancelled by the venue's ids when somebody says so. What cannot be read is
unavailable, and a price nobody states is left out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from execution.domain.commands import ClientOrderId
from execution.domain.doubts import Look
from execution.domain.ours import OurOrders
from execution.relayers.base import Balances, Ok, Unavailable
from execution.relayers.polymarket import PolymarketRelayer
from execution.user_feed import CatchUp, CaughtUp
from markets.domain.market import Market
from markets.domain.units import AssetId, Nanos
from polyweb.runtime.reconciler import Stated

log = structlog.get_logger(__name__)

_PRICES_AT_ONCE = 8
AVERAGE = "the venue's average price"
MID = "the mid when it was adopted"


@dataclass(frozen=True, slots=True)
class RealAccount:
    """`data_url` is where the venue tells average prices, empty where nobody does."""

    relayer: PolymarketRelayer
    orders: OurOrders
    reading: CatchUp
    wallet: str
    data_url: str = ""

    async def catch_up(self) -> Ok[CaughtUp] | Unavailable:
        return await self.reading()

    async def look(self) -> Ok[Look] | Unavailable:
        found = await self.reading()
        return Ok(found.value.look) if isinstance(found, Ok) else found

    def look_back(self, since_ns: Nanos) -> None:
        self.reading.look_back(since_ns)

    async def balances(self, markets: Sequence[Market]) -> Ok[Balances] | Unavailable:
        wanted = [(asset, market.generation) for market in markets for asset in (market.yes, market.no)]
        return await self.relayer.reads.balances(wanted)

    async def cancel_ids(self, order_ids: Sequence[str]) -> frozenset[str]:
        return await self.relayer.cancel_ids(order_ids)

    def number_of(self, order_id: str) -> ClientOrderId:
        order = self.orders.find(order_id)
        return order.client_order_id if order is not None else 0

    async def stated_prices(self, assets: Sequence[AssetId]) -> Mapping[AssetId, Stated]:
        """The venue's own average where it tells one, else the middle of the book of this moment."""
        stated: dict[AssetId, Stated] = {}
        if self.data_url:
            averages = await self.relayer.reads.average_prices(self.data_url, self.wallet)
            if isinstance(averages, Unavailable):
                log.warning("averages_not_read", reason=averages.reason)
            else:
                stated = {asset: Stated(averages.value[asset], AVERAGE) for asset in assets if asset in averages.value}
        gate = asyncio.Semaphore(_PRICES_AT_ONCE)

        async def mid(asset: AssetId) -> None:
            async with gate:
                answer = await self.relayer.reads.midpoint(asset)
            if isinstance(answer, Ok):
                stated[asset] = Stated(answer.value, MID)

        async with asyncio.TaskGroup() as tasks:
            for asset in assets:
                if asset not in stated:
                    tasks.create_task(mid(asset))
        return stated
