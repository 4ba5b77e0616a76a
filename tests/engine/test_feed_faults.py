"""Everything that goes wrong on a market channel ends in a resync in bounded time, and nothing is quoted meanwhile.

A tampering proxy stands between the sandbox and the live feed; behind the feed turn the real loop and trader.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from execution.domain.commands import Cancel, Cancelled, Place, Resync
from execution.sandbox.gamma import Catalogue
from execution.sandbox.server import Sandbox, SandboxConfig, serving
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.feed.filters import event_type_of, market_of
from markets.feed.pacing import FeedTimes
from markets.feed.resync import ResyncRequest
from markets.gamma.metadata import read_markets
from polyweb.runtime import loop
from polyweb.runtime.feeds import FeedPlan, FeedWires, LiveFeed
from polyweb.runtime.inbox import Item, TraderConfig
from polyweb.runtime.loop import Turns
from polyweb.runtime.trader import Trader
from risk.domain.breakers import BreakerKind
from tests.builders import PUSD, a_control, accepted

TIMES = FeedTimes(
    open_s=5,
    ping_s=0.1,
    silence_s=5,
    opening_s=1.0,
    quiet_s=0.5,
    answer_s=0.5,
    data_silence_s=1.0,
    backoff_s=0.02,
    backoff_cap_s=0.1,
    stagger_s=0.01,
    resync_every_s=0.02,
    resync_rest_s=0.5,
)
HASH_EVERY = 4
SOON_S = 10.0
MESSAGES = 40  # a market's own messages within which a corrupted book is found with one hash in HASH_EVERY


class Proxy:
    """Passes everything on, but for what `alter` makes of what the venue says."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.alter: Callable[[str], list[str | bytes]] = lambda text: [text]
        self.connections: list[ServerConnection] = []
        self.hang_ups = 0
        self._upstream = upstream

    async def talk(self, client: ServerConnection) -> None:
        self.connections.append(client)
        with suppress(ConnectionClosed):
            async with connect(self._upstream, ping_interval=None) as venue, asyncio.TaskGroup() as tasks:
                up = tasks.create_task(self._up(client, venue.send))
                try:
                    with suppress(ConnectionClosed):
                        async for said in venue:
                            await self._down(client, str(said))
                finally:
                    up.cancel()

    async def _up(self, client: ServerConnection, send: Callable[..., object]) -> None:
        with suppress(ConnectionClosed):
            async for said in client:
                await send(said)  # type: ignore[misc]  # websockets' send

    async def _down(self, client: ServerConnection, said: str) -> None:
        for data in [said] if said == "PONG" else self.alter(said):
            await client.send(data, text=True)
        if self.hang_ups and said.startswith("["):
            self.hang_ups -= 1
            await client.close()


class Rig:
    """Feed, inbox, loop and trader; hands that say yes and note what was decided on an unverified book."""

    start: Callable[[], asyncio.Task[None]]
    turning: asyncio.Task[None]

    def __init__(self, proxy: Proxy, clob_url: str, markets: tuple[Market, ...], sides: int, audit_s: float) -> None:
        self.proxy = proxy
        self.markets = markets
        self.quotes = 0
        self.unfounded: list[str] = []
        self.requests: list[ResyncRequest] = []
        self.doubts: list[tuple[str, Doubt]] = []
        self.trader = Trader(TraderConfig(first_id=1, starting_cash=1_000_000 * PUSD, hash_every=HASH_EVERY))
        plan = FeedPlan(proxy.url, clob_url=clob_url, sides=sides, audit_s=audit_s, times=TIMES)
        self.feed = LiveFeed(plan, lambda item: self.push(item), FeedWires(on_resync=self.requests.append))
        self.turns = Turns(
            trader=self.trader,
            hands=self,
            feed=self,
            log=None,
            on_facts=lambda facts: None,
            on_turn=lambda now_ns: None,
        )
        self.turns.push(a_control(markets, time.time_ns()))
        self.feed.set_assets([asset for market in markets for asset in (market.yes, market.no)])

    def push(self, item: Item) -> None:
        self.turns.push(item)

    def take(self, command: Place | Cancel) -> None:
        now = time.time_ns()
        if isinstance(command, Cancel):
            for order_id in command.order_ids:
                self.push(Cancelled(order_id, "as asked", now))
            return
        for order in command.orders:
            self.quotes += 1
            if self.trader.books.trust(order.condition_id) is not Trust.VERIFIED:
                self.unfounded.append(order.condition_id)
            self.push(accepted(order.client_order_id, now))

    def resync(self, command: Resync) -> None:
        self.feed.resync(command)

    @property
    def market(self) -> Market:
        return self.markets[0]

    def verified(self) -> bool:
        return all(self.trader.books.trust(market.condition_id) is Trust.VERIFIED for market in self.markets)

    def resyncs(self, *reasons: str) -> list[ResyncRequest]:
        """Requests of the first market for one of these reasons."""
        return [each for each in self.requests if each.market == self.market.condition_id and each.reason in reasons]

    def endings(self, kind: str) -> int:
        return int(self.feed.summary()["endings"].get(kind, 0))

    async def healed(self) -> None:
        """Every book is trusted again, and no quote was ever computed on one that was not."""
        await until(self.verified)
        assert self.unfounded == []


@asynccontextmanager
async def rigged(
    folder: Path, *, sides: int = 1, audit_s: float = 0.0, setup: Callable[[Proxy], None] = lambda proxy: None
) -> AsyncIterator[Rig]:
    sandbox = Sandbox(SandboxConfig(markets=3, pace=12))
    listed = folder / "markets.json"
    listed.write_text(json.dumps(Catalogue(sandbox.generator, sandbox.generator.now_ms).markets()))
    async with serving(sandbox) as venue:
        proxy = Proxy(venue.ws)
        setup(proxy)
        async with serve(proxy.talk, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1) as server:
            proxy.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws/market"
            rig = Rig(proxy, venue.http, read_markets(listed), sides, audit_s)
            async with asyncio.TaskGroup() as tasks:
                feed = tasks.create_task(rig.feed.run())
                rig.start = lambda: tasks.create_task(rig.turns.run())
                rig.turning = rig.start()
                try:
                    yield rig
                finally:
                    feed.cancel()
                    rig.turning.cancel()


async def until(true: Callable[[], object], seconds: float = SOON_S) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is any condition, not one event
            await asyncio.sleep(0.01)


class Once:
    """Alters the first price change of a market, then counts that market's messages."""

    def __init__(self, market: Market, change: Callable[[str], list[str | bytes]]) -> None:
        self.market = market.condition_id
        self.change = change
        self.done = False
        self.since = 0

    def __call__(self, text: str) -> list[str | bytes]:
        data = text.encode()
        if market_of(data) != self.market or text.startswith("["):
            return [text]
        if self.done:
            self.since += 1
        elif event_type_of(data) == "price_change":
            self.done = True
            return self.change(text)
        return [text]


def other_side(text: str) -> list[str | bytes]:
    document = json.loads(text)
    for entry in document["price_changes"]:
        entry["side"] = {"BUY": "SELL", "SELL": "BUY"}[entry["side"]]
    return [json.dumps(document, separators=(",", ":"))]


def not_utf8(text: str) -> list[str | bytes]:
    return [text.encode().replace(b'"price_changes"', b'"\xff\xfe"')]


BROKEN: dict[str, tuple[Callable[[str], list[str | bytes]], set[str]]] = {
    "a dropped delta": (lambda text: [], {"hash", "tops", "crossed", "snapshot"}),
    "a delta on the wrong side": (other_side, {"tops", "crossed", "hash", "parity"}),
    "invalid UTF-8": (not_utf8, {"malformed"}),
    "a truncated frame": (lambda text: [text[: len(text) // 2]], {"malformed"}),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_corrupted_book_is_found_within_so_many_messages_and_replaced(tmp_path: Path, fault: str) -> None:
    change, reasons = BROKEN[fault]
    async with rigged(tmp_path) as rig:
        await until(lambda: rig.verified() and rig.quotes)
        tampering = Once(rig.market, change)
        rig.proxy.alter = tampering
        await until(lambda: rig.resyncs(*reasons) or rig.trader.books.counters.snapshot_mismatches)
        assert tampering.since <= MESSAGES
        await rig.healed()
        assert rig.endings("closed") == 0


async def test_a_tick_change_in_midstream_ends_the_book_until_a_snapshot(tmp_path: Path) -> None:
    def announce(text: str) -> list[str | bytes]:
        stamp = json.loads(text)["timestamp"]
        tick = {"event_type": "tick_size_change", "market": rig.market.condition_id, "asset_id": rig.market.yes}
        ticks = {"old_tick_size": "0.01", "new_tick_size": "0.005", "timestamp": stamp}
        return [text, json.dumps(tick | ticks)]

    async with rigged(tmp_path) as rig:
        await until(rig.verified)
        rig.proxy.alter = tampering = Once(rig.market, announce)
        await until(lambda: rig.resyncs("tick_change"))
        assert tampering.since <= MESSAGES
        await rig.healed()


async def test_a_missing_opening_book_is_asked_for_after_five_seconds(tmp_path: Path) -> None:
    left_out: list[str] = []

    def without_one(text: str) -> list[str | bytes]:
        if not text.startswith("["):
            return [text] if market_of(text.encode()) != left_out[0] or "price_changes" in text else []
        books = json.loads(text)
        left_out.append(min(book["market"] for book in books))
        return [json.dumps([book for book in books if book["market"] != left_out[0]])]

    def setup(proxy: Proxy) -> None:
        proxy.alter = without_one

    async with rigged(tmp_path, setup=setup) as rig:
        await until(lambda: any(each.reason == "missing_snapshot" for each in rig.requests), 8)
        rig.proxy.alter = lambda text: [text]
        await rig.healed()
        assert {each.market for each in rig.requests if each.reason == "missing_snapshot"} == {left_out[0]}


async def test_a_socket_that_answers_pings_and_says_nothing_is_replaced(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await until(lambda: rig.verified() and rig.trader.books.counters.deltas > 3)
        rig.proxy.alter = lambda text: []
        await until(lambda: rig.endings("frozen"))
        await until(lambda: not rig.trader.blotter.all_live())
        assert {each.kind for each in rig.trader.panel.tripped if each.target} >= {BreakerKind.FEED_SILENCE}
        rig.proxy.alter = lambda text: [text]
        await rig.healed()
        assert rig.endings("silent") == 0


async def test_a_storm_of_hang_ups_is_weathered(tmp_path: Path) -> None:
    def setup(proxy: Proxy) -> None:
        proxy.hang_ups = 6

    async with rigged(tmp_path, setup=setup) as rig:
        await until(lambda: rig.endings("closed") == 6)
        await rig.healed()
        assert rig.feed.summary()["up"] == 1


async def test_a_frame_of_fifty_megabytes_costs_its_connection_and_nothing_else(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await until(rig.verified)
        rig.proxy.alter = Once(rig.market, lambda text: ["x" * 50_000_000])
        await until(lambda: rig.endings("oversized") == 1)
        await rig.healed()
        assert len(rig.proxy.connections) == 2


async def test_a_market_that_falls_silent_alone_is_found_by_the_audit(tmp_path: Path) -> None:
    async with rigged(tmp_path, audit_s=1) as rig:
        await until(rig.verified)
        gagged = rig.market.condition_id
        rig.proxy.alter = lambda text: [] if market_of(text.encode()) == gagged else [text]
        await until(lambda: rig.resyncs("audit"))
        rig.proxy.alter = lambda text: [text]
        await rig.healed()


async def test_a_reader_that_stands_still_merges_lets_changes_go_and_doubts_every_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "COALESCE_AT", 40)
    monkeypatch.setattr(loop, "INBOX_LIMIT", 80)
    async with rigged(tmp_path) as rig:
        await until(lambda: rig.verified() and rig.quotes)
        rig.turning.cancel()
        await until(lambda: rig.turns.overflows and rig.turns.coalesced)
        rig.turning = rig.start()
        await until(lambda: rig.resyncs("overflow"))
        await rig.healed()


async def test_of_two_sockets_one_may_die_or_freeze_and_no_book_is_lost(tmp_path: Path) -> None:
    async with rigged(tmp_path, sides=2) as rig:
        await until(lambda: rig.verified() and rig.feed.summary()["up"] == 2)
        await until(lambda: rig.feed.summary()["duplicates"] > 20)
        trusted = asyncio.create_task(_always(rig.verified))
        await rig.proxy.connections[0].close()
        await until(lambda: rig.feed.summary()["up"] == 2 and len(rig.proxy.connections) == 3)
        await until(lambda: rig.feed.summary()["duplicates"] > 60)
        assert not trusted.done()
        trusted.cancel()
        assert rig.trader.books.counters.resyncs == {}
        assert rig.unfounded == []


async def _always(true: Callable[[], bool]) -> None:
    while True:
        assert true()
        await asyncio.sleep(0.005)
