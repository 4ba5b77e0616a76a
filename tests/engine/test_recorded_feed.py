"""A recording in the venue's place: its cuts take books down, and its twins are not heard twice."""

import asyncio

from markets.domain.books import BookSet
from markets.domain.cuts import Cut, Recorded, Twin
from markets.domain.events import Frame
from polyweb.runtime.feeds import RecordedFeed
from polyweb.runtime.inbox import FeedDown, FeedUp, Item
from tests.builders import a_market

FIRST, SECOND = a_market(1), a_market(2)
TOKENS = (FIRST.yes, FIRST.no, SECOND.yes, SECOND.no)


async def played(recorded: list[Recorded]) -> list[Item]:
    """What reaches the inbox, until the recording has ended."""
    books, heard = BookSet(), list[Item]()
    for market in (FIRST, SECOND):
        books.track(market)
    feed = RecordedFeed(recorded, 0, books, heard.append)
    feed.set_assets(TOKENS)
    task = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.ended.wait(), 5)
    await asyncio.sleep(0)
    task.cancel()
    return heard


def told(items: list[Item]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for item in items:
        assert isinstance(item, Frame | FeedUp | FeedDown)
        found.append((type(item).__name__, item.data if isinstance(item, Frame) else item.assets))
    return found


async def test_a_cut_takes_the_tokens_it_is_about_down_and_up_again() -> None:
    items = await played([Frame(1, 1, b"a"), Cut(2, (FIRST.condition_id,)), Frame(3, 2, b"b")])
    assert told(items) == [
        ("FeedUp", TOKENS),
        ("Frame", b"a"),
        ("FeedDown", (FIRST.yes, FIRST.no)),
        ("FeedUp", (FIRST.yes, FIRST.no)),
        ("Frame", b"b"),
        ("FeedDown", TOKENS),
    ]


async def test_a_cut_that_names_nothing_is_about_all_and_a_twin_is_not_heard() -> None:
    items = await played([Cut(1), Twin(Frame(2, 2, b"again"))])
    assert told(items)[1:3] == [("FeedDown", TOKENS), ("FeedUp", TOKENS)]
    assert not any(isinstance(item, Frame) for item in items)
