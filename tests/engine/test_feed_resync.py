"""Snapshots are asked for once, together, over HTTP where that proves something and on the socket where not."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import Frame, Side
from markets.domain.market import Market
from markets.feed.pacing import FeedTimes
from markets.feed.rest import MAX_IDS, BooksClient, BooksUnavailable, RestBook, read_books
from markets.feed.resync import ResyncRequest, Resyncs, Via
from tests.builders import START, a_market, book, change

TIMES = FeedTimes(resync_every_s=0.01, resync_rest_s=0.05)
FIRST, SECOND = a_market(1), a_market(2)


class Venue:
    """Hands out the books it was given, when it is let."""

    def __init__(self, *known: Market) -> None:
        self.known = {asset: market for market in known for asset in (market.yes, market.no)}
        self.asked: list[tuple[str, ...]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False

    async def books(self, assets: Sequence[str]) -> tuple[RestBook, ...]:
        self.asked.append(tuple(assets))
        await self.open.wait()
        if self.fails:
            raise BooksUnavailable("timeout", "no answer")
        found = [(asset, self.known[asset]) for asset in assets if asset in self.known]
        return tuple(
            RestBook(market.condition_id, asset, book(market, START, yes=asset == market.yes))
            for asset, market in found
        )


class Desk:
    """Resyncs with everything they call."""

    def __init__(self, venue: Venue | None) -> None:
        self.frames: list[Frame] = []
        self.resubscribed: list[tuple[str, ...]] = []
        self.requests: list[ResyncRequest] = []
        self.resyncs = Resyncs(
            books=venue,
            resubscribe=lambda assets, reason: self.resubscribed.append(tuple(assets)),
            on_frame=self.frames.append,
            rng=random.Random(1),
            on_resync=self.requests.append,
            times=TIMES,
        )

    def ask(self, market: Market, reason: str = "tops", request_id: str = "") -> None:
        self.resyncs.ask(market.condition_id, (market.yes, market.no), reason, request_id)


@asynccontextmanager
async def desk(venue: Venue | None) -> AsyncIterator[Desk]:
    made = Desk(venue)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.resyncs.run())
        try:
            yield made
        finally:
            task.cancel()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for is any condition, not one event
            await asyncio.sleep(0.002)


async def test_wishes_of_one_moment_are_one_request_and_come_back_as_frames() -> None:
    venue = Venue(FIRST, SECOND)
    async with desk(venue) as made:
        made.ask(FIRST, "tops", "7")
        made.ask(SECOND, "hash", "8")
        made.ask(FIRST, "crossed", "9")
        await until(lambda: len(made.requests) == 2)
        assert venue.asked == [(FIRST.yes, FIRST.no, SECOND.yes, SECOND.no)]
        assert [frame.data for frame in made.frames[:2]] == [book(FIRST, START), book(FIRST, START, yes=False)]
        assert [(each.request_id, each.reason, each.via) for each in made.requests] == [
            ("7", "tops", Via.REST),
            ("8", "hash", Via.REST),
        ]
        assert made.resyncs.recent[0]["market"] == SECOND.condition_id


async def test_a_market_is_not_asked_for_again_before_it_has_rested() -> None:
    venue = Venue(FIRST)
    async with desk(venue) as made:
        made.ask(FIRST, "tops")
        await until(lambda: made.requests)
        made.ask(FIRST, "missing_snapshot")
        await until(lambda: len(made.requests) == 2)
        assert made.requests[1].via is Via.SOCKET
        made.ask(FIRST, "tops")
        await until(lambda: len(made.requests) == 3)
        assert made.requests[2].via is Via.REST
        assert len(venue.asked) == 2


@pytest.mark.parametrize("reason", ["quiet", "silent", "unproven"])
async def test_a_socket_in_doubt_is_asked_itself(reason: str) -> None:
    venue = Venue(FIRST)
    async with desk(venue) as made:
        made.ask(FIRST, reason)
        assert made.resubscribed == [(FIRST.yes, FIRST.no)]
        assert venue.asked == []


async def test_a_missing_opening_book_is_asked_of_the_socket_first_and_then_over_http() -> None:
    venue = Venue(FIRST)
    async with desk(venue) as made:
        made.ask(FIRST, "missing_snapshot")
        made.ask(FIRST, "missing_snapshot")
        await until(lambda: len(made.requests) == 2)
        assert [request.via for request in made.requests] == [Via.SOCKET, Via.REST]


async def test_what_http_does_not_answer_goes_by_the_socket() -> None:
    venue = Venue(FIRST)
    async with desk(venue) as made:
        made.ask(SECOND)
        await until(lambda: made.requests)
        assert made.resubscribed == [(SECOND.yes, SECOND.no)]
        venue.fails = True
        made.ask(FIRST)
        await until(lambda: len(made.requests) == 2)
        assert made.resubscribed[1] == (FIRST.yes, FIRST.no)
        assert made.resyncs.failures == {"timeout": 1}
    async with desk(None) as made:
        made.ask(FIRST)
        assert made.requests[0].via is Via.SOCKET


async def test_changes_told_while_the_answer_was_under_way_are_told_again_after_it() -> None:
    venue = Venue(FIRST, SECOND)
    venue.open.clear()
    during = [Frame(5, 3, change(market, START, Side.BUY, 4900, 7, (4900, 5100))) for market in (FIRST, SECOND)]
    async with desk(venue) as made:
        made.resyncs.hear(during[0])
        made.ask(FIRST)
        await until(lambda: venue.asked)
        for frame in (*during, Frame(6, 3, book(FIRST, START))):
            made.resyncs.hear(frame)
        venue.open.set()
        await until(lambda: made.requests)
        assert [frame.data for frame in made.frames] == [
            book(FIRST, START),
            book(FIRST, START, yes=False),
            during[0].data,
        ]
        assert (made.frames[0].connection, made.frames[2].connection) == (0, 3)


# The HTTP client


@asynccontextmanager
async def serving(handler: Callable[[web.Request], object]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/books", handler)  # type: ignore[arg-type]  # any of the handlers below
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_books_are_asked_for_as_the_venue_wants_and_keep_their_spelling() -> None:
    asked: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.Response(
            text='[{"market":"0x01","asset_id":"1","bids":[{"price":"0.10","size":"5.00"}],"hash":"ab"}]'
        )

    async with serving(answer) as url, BooksClient(url, proxied=False) as client:
        (found,) = await client.books(["1", "2"])
    assert asked == [[{"token_id": "1"}, {"token_id": "2"}]]
    assert (found.market, found.asset) == ("0x01", "1")
    assert found.data == (
        b'{"market":"0x01","asset_id":"1","bids":[{"price":"0.10","size":"5.00"}],"hash":"ab","event_type":"book"}'
    )


@pytest.mark.parametrize(("status", "reason"), [(429, "throttled"), (500, "refused"), (404, "refused")])
async def test_a_venue_that_refuses_is_named_by_a_bounded_reason(status: int, reason: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(answer) as url, BooksClient(url, proxied=False) as client:
        with pytest.raises(BooksUnavailable) as found:
            await client.books(["1"])
    assert found.value.reason == reason


async def test_a_venue_that_is_away_or_asleep_is_not_waited_for() -> None:
    async def sleep(_: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(text="[]")

    async with serving(sleep) as url, BooksClient(url, proxied=False, timeout_s=0.05) as client:
        with pytest.raises(BooksUnavailable, match="timeout"):
            await client.books(["1"])
    async with BooksClient(url, proxied=False) as client:
        with pytest.raises(BooksUnavailable, match="unreachable"):
            await client.books(["1"])
        with pytest.raises(ValueError, match="at most 500"):
            await client.books(["1"] * (MAX_IDS + 1))


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'[{"market":1}]', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_none_is_unreadable(raw: bytes) -> None:
    with pytest.raises(BooksUnavailable, match="unreadable"):
        read_books(raw)


def test_what_a_book_says_is_not_judged_here() -> None:
    (odd,) = read_books(b'[{"market":"0x01","asset_id":"\\ud800","bids":NaN,"n":123456789012345678901234567890}]')
    with pytest.raises(MalformedFrame):
        decode(odd.data)


def test_an_answer_may_be_empty() -> None:
    assert read_books(json.dumps([]).encode()) == ()
