"""Resolution on paper: shares turn into cash once, as a row first; a winner nobody knows changes nothing."""

import asyncio
from collections.abc import Sequence

from execution.domain.commands import Fill, TradeStatus
from execution.domain.ledger import Ledger
from execution.domain.postings import Posting
from markets.domain.events import MarketResolved, Side
from polyweb.runtime.payouts import Payouts
from tests.execution_builders import CONDITION, MARKET, NO, NOW, YES

SHARE = 1_000_000


class Away(Exception):
    """What these rows' database raises."""


class Rows:
    unavailable = (Away,)

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.written: list[Posting] = []

    async def post(self, relayer: str, given: Sequence[Posting]) -> None:
        if self.failures:
            self.failures -= 1
            raise Away("locked")
        self.written += given


class Desk:
    """Ten YES at 0.40 and four NO at 0.50, and whoever hears that their market has resolved."""

    def __init__(self, *, at_once: bool = True, failures: int = 0) -> None:
        self.ledger = Ledger(100 * SHARE)
        for asset, shares, price in ((YES, 10, 4_000), (NO, 4, 5_000)):
            size = shares * SHARE
            self.ledger.apply(
                Fill(1, asset[:1], 0, CONDITION, asset, Side.BUY, price, size, 0, True, TradeStatus.CONFIRMED, NOW)
            )
        self.rows = Rows(failures)
        self.pushed: list[Posting] = []
        self.payouts = Payouts(
            relayer="paper",
            at_once=at_once,
            ledger=self.ledger,
            market={CONDITION: MARKET}.get,
            rows=self.rows,
            push=self._push,
        )

    def _push(self, item: Posting) -> None:
        assert self.rows.written, "the row comes first"
        self.pushed.append(item)
        self.ledger.post(item)

    async def resolve(self, *winners: str, market: str = CONDITION) -> None:
        for winner in winners:
            self.payouts.heard(MarketResolved(market, 0, winner), NOW)
        task = asyncio.create_task(self.payouts.run())
        await asyncio.sleep(1.2 if self.rows.failures else 0.01)
        task.cancel()


async def test_the_winner_pays_a_pusd_and_the_loser_nothing() -> None:
    desk = Desk()
    await desk.resolve(YES)
    assert desk.ledger.positions == {}
    assert desk.ledger.cash == (100 - 4 - 2 + 10) * SHARE
    assert desk.ledger.pnl({}).realised == 4 * SHARE


async def test_a_resolution_told_twice_pays_once() -> None:
    desk = Desk()
    await desk.resolve(NO, NO)
    assert len(desk.pushed) == 1
    assert desk.ledger.cash == (100 - 4 - 2 + 4) * SHARE


async def test_a_winner_or_a_market_nobody_knows_changes_nothing() -> None:
    desk = Desk()
    await desk.resolve("", "stranger")
    await desk.resolve(YES, market="0xother")
    assert (desk.pushed, desk.payouts.winners) == ([], {})


async def test_at_the_real_venue_shares_stay_until_they_are_redeemed() -> None:
    desk = Desk(at_once=False)
    await desk.resolve(YES)
    assert desk.pushed == []
    assert desk.payouts.winners == {CONDITION: YES}


async def test_a_database_that_is_away_is_waited_for() -> None:
    desk = Desk(failures=1)
    await desk.resolve(YES)
    assert len(desk.rows.written) == len(desk.pushed) == 1
