"""What resolution makes of our positions: who won, and the payout where it is due at once.

Law: the venue's word says who won, and the row comes before the ledger. At a venue inside the engine shares turn into
cash when their market resolves; at the real one they stay until somebody has redeemed them, and reconciliation posts
what has gone.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from execution.domain import postings
from execution.domain.ledger import Ledger
from execution.domain.postings import Posting
from markets.domain.events import MarketEvent, MarketResolved
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, ConditionId, Nanos, Price

log = structlog.get_logger(__name__)

RETRY_S = 1.0


class Rows(Protocol):
    """Where postings are written."""

    @property
    def unavailable(self) -> tuple[type[Exception], ...]: ...

    async def post(self, relayer: str, given: Sequence[Posting]) -> None: ...


def yes_pays(market: Market, winner: AssetId) -> Price | None:
    """What a YES share of a resolved market is worth; None for a winner that is none of its tokens."""
    return {market.yes: PRICE_ONE, market.no: 0}.get(winner)


class Payouts:
    """`at_once` where the venue lives inside the engine, `winners` the winning token of each market that resolved."""

    def __init__(
        self,
        *,
        relayer: str,
        at_once: bool,
        ledger: Ledger,
        market: Callable[[ConditionId], Market | None],
        rows: Rows,
        push: Callable[[Posting], None],
    ) -> None:
        self.winners: dict[ConditionId, AssetId] = {}
        self._relayer = relayer
        self._at_once = at_once
        self._ledger = ledger
        self._market = market
        self._rows = rows
        self._push = push
        self._due: asyncio.Queue[tuple[Market, AssetId, Nanos]] = asyncio.Queue()

    def heard(self, event: MarketEvent, now_ns: Nanos) -> None:
        if type(event) is not MarketResolved:
            return
        market = self._market(event.market)
        if market is None or yes_pays(market, event.winning_asset) is None or event.market in self.winners:
            return
        self.winners[event.market] = event.winning_asset
        if self._at_once:
            self._due.put_nowait((market, event.winning_asset, now_ns))

    async def run(self) -> None:
        while True:
            market, winner, now_ns = await self._due.get()
            held = {asset: self._ledger.holding(asset).shares for asset in (market.yes, market.no)}
            price = yes_pays(market, winner)
            if price is None or not any(held.values()):
                continue
            posting = postings.payout(f"payout-{market.condition_id}", market, held, price, now_ns, "resolved")
            while not await self._written(posting):  # noqa: ASYNC110 - a database has no event
                await asyncio.sleep(RETRY_S)
            self._push(posting)

    async def _written(self, posting: Posting) -> bool:
        try:
            await self._rows.post(self._relayer, [posting])
        except self._rows.unavailable as error:
            log.warning("payout_waits", posting_id=posting.posting_id, error=f"{type(error).__name__}: {error}")
            return False
        return True
