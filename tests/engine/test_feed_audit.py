"""The audit shows the trader what HTTP shows; a finding costs the book its trust and puts its sockets to the proof."""

import random
from collections.abc import Sequence

import pytest

from execution.domain.commands import Resync
from markets.domain.integrity import Trust
from markets.feed.rest import BooksUnavailable, RestBook
from polyweb.runtime.auditor import SAMPLE, Auditor
from polyweb.runtime.feeds import FeedPlan, FeedWires, LiveFeed
from polyweb.runtime.inbox import Item, Shown, read, spell
from tests.builders import SECOND, Stage, book


class Venue:
    def __init__(self, *, away: bool = False) -> None:
        self.asked: list[int] = []
        self.away = away

    async def books(self, assets: Sequence[str]) -> tuple[RestBook, ...]:
        self.asked.append(len(assets))
        if self.away:
            raise BooksUnavailable("timeout", "no answer")
        return tuple(RestBook("0x01", asset, asset.encode()) for asset in assets)


def an_auditor(venue: Venue, tokens: int, pushed: list[Item]) -> Auditor:
    return Auditor(
        books=venue,
        assets=lambda: [str(number) for number in range(tokens)],
        push=pushed.append,
        rng=random.Random(1),
        every_s=30,
        now_ns=lambda: 5,
    )


async def test_a_bounded_sample_of_what_is_up_enters_the_inbox() -> None:
    venue, pushed = Venue(), list[Item]()
    await an_auditor(venue, 100, pushed).look()
    assert venue.asked == [SAMPLE]
    assert len({item.data for item in pushed if isinstance(item, Shown)}) == SAMPLE
    await an_auditor(venue, 0, pushed).look()
    assert venue.asked == [SAMPLE]


async def test_a_venue_that_is_away_proves_nothing() -> None:
    pushed: list[Item] = []
    auditor = an_auditor(Venue(away=True), 3, pushed)
    await auditor.look()
    assert (pushed, auditor.counts) == ([], {"unavailable": 1})


def test_a_book_shown_over_http_survives_the_spelling_of_a_session() -> None:
    shown = Shown(7, b'{"event_type":"book"}\xff')
    assert read(spell(shown)) == shown


@pytest.mark.parametrize(("bids", "found"), [({4900: 100, 4800: 200}, False), ({4900: 99, 4800: 200}, True)])
def test_what_differs_at_the_same_venue_time_is_found_after_a_pause(bids: dict[int, int], found: bool) -> None:
    stage = Stage().quoting()
    stage.apply(Shown(stage.now, book(stage.market, stage.now, bids)))
    stage.after(3 * SECOND).tick()
    wishes = [command.reason for command in stage.decide() if isinstance(command, Resync)]
    assert wishes == (["audit"] if found else [])
    assert (stage.trader.books.trust(stage.market.condition_id) is Trust.VERIFIED) is not found


def test_an_unreadable_answer_is_counted_and_harms_no_book() -> None:
    stage = Stage().quoting()
    stage.apply(Shown(stage.now, b'{"event_type":"book"}'))
    assert sum(stage.trader.counters.malformed.values()) == 1
    assert stage.trader.books.trust(stage.market.condition_id) is Trust.VERIFIED


@pytest.mark.parametrize(
    ("url", "clob_url", "audited"),
    [
        ("ws://127.0.0.1:1/ws", "http://127.0.0.1:1", True),
        ("wss://venue.example/ws", "https://clob.venue.example", True),
        ("ws://127.0.0.1:1/ws", "https://clob.venue.example", False),
        ("wss://venue.example/ws", "", False),
    ],
)
def test_a_local_feed_has_nothing_to_ask_of_a_venue_elsewhere(url: str, clob_url: str, audited: bool) -> None:
    feed = LiveFeed(FeedPlan(url, clob_url=clob_url, audit_s=30), print, FeedWires())
    feed.resync(Resync(("1", "2"), "tops", "0x01", 1))
    assert feed.summary()["resyncs_via"] == ({} if audited else {"socket": 1})
