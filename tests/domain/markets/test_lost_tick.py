"""A tick change that never arrived: nothing is quoted on the old grid, whichever other sign betrays it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from execution.domain.commands import NewOrder, Place
from markets.domain.book_hash import Recipe
from markets.domain.books import BookSet
from markets.domain.decode import decode, named_markets
from markets.domain.events import Frame, Side, TickSizeChange
from markets.domain.integrity import Doubt, Trust
from markets.domain.recipe_watch import MISSES_TO_ABANDON, RecipeState, RecipeWatch
from markets.domain.units import ConditionId, Price
from markets.feed.frames import read_frames
from markets.gamma.metadata import read_markets
from polyweb.runtime.inbox import Tick, TraderConfig
from polyweb.runtime.trader import Trader
from tests.builders import PUSD, a_control, accepted
from tests.domain.markets.wire import CONDITION, MARKET, Venue, feed, followed, tick_change

RECORDING = Path(__file__).parents[2] / "data" / "wild_tick_change.jsonl.gz"
MARKETS = read_markets(RECORDING.with_name(RECORDING.name + ".metadata.json"))
MOST_MESSAGES = 3  # by the grid alone; with hashes it is none


def lost() -> Iterator[tuple[Frame, dict[ConditionId, Price]]]:
    """The recording without its tick changes, and the ticks that are true of the markets they were about."""
    true: dict[ConditionId, Price] = {}
    for frame in read_frames(RECORDING):
        if b'"tick_size_change"' in frame.data:
            true.update((e.market, e.new_tick) for e in decode(frame.data) if isinstance(e, TickSizeChange))
        else:
            yield frame, true


@pytest.mark.parametrize("hash_every", [32, 0])
def test_no_book_is_verified_on_the_old_tick_for_more_than_three_of_its_messages(hash_every: int) -> None:
    books = BookSet(hash_every=hash_every)
    for market in MARKETS:
        books.track(market)
    wrong: dict[ConditionId, int] = {}
    changed = 0
    for frame, true in lost():
        books.settle(frame.received_ns)
        books.apply_frame(frame.data, frame.received_ns)
        changed = len(true)
        for key in named_markets(frame.data):
            believed = books.market(key)
            assert believed is not None
            if key in true and books.trust(key) is Trust.VERIFIED and believed.tick != true[key]:
                wrong[key] = wrong.get(key, 0) + 1
    assert changed == 2
    assert max(wrong.values(), default=0) <= (0 if hash_every else MOST_MESSAGES)
    assert books.recipe_state is RecipeState.REPRODUCES


def test_no_order_is_placed_on_the_old_grid() -> None:
    trader = Trader(TraderConfig(1, 10_000 * PUSD))
    trader.apply(a_control(MARKETS))
    placed: list[NewOrder] = []
    stale: list[NewOrder] = []
    since: dict[ConditionId, int] = {}
    for frame, true in lost():
        trader.apply(Tick(frame.received_ns))
        trader.apply(frame)
        for key in named_markets(frame.data):
            since[key] = since.get(key, 0) + (key in true)
        for command in trader.decide(frame.received_ns):
            if isinstance(command, Place):
                placed += command.orders
                stale += [
                    order
                    for order in command.orders
                    if since.get(order.condition_id, 0) and order.tick != true[order.condition_id]
                ]
                for order in command.orders:
                    trader.apply(accepted(order.client_order_id, frame.received_ns))
    assert placed
    assert stale == []


def test_a_new_level_off_the_grid_ends_the_epoch() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    feed(books, venue.change(Side.BUY, 4910, 0))
    assert books.trust(CONDITION) is Trust.VERIFIED  # taking away what is not there is no level
    feed(books, venue.change(Side.BUY, 4910, 5))
    assert (books.trust(CONDITION), books.doubt(CONDITION)) == (Trust.BROKEN, Doubt.TICK_CHANGE)
    assert [wish.reason for wish in books.drain_resyncs()] == [Doubt.TICK_CHANGE]


def test_the_short_way_sees_the_grid_too() -> None:
    venue = Venue()
    books = BookSet(hash_every=1_000)
    books.track(MARKET)
    books.apply_frame(venue.snapshot(), 1)
    books.apply_frame(venue.change(Side.BUY, 4910, 5), 2)
    assert books.doubt(CONDITION) is Doubt.TICK_CHANGE


def test_a_snapshot_without_tick_ends_a_tick_doubt_only_with_proof() -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, tick_change("0.001", venue.now_ms + 1))
    feed(books, venue.snapshot(opening=False))  # hashed with the old tick
    assert (books.trust(CONDITION), books.doubt(CONDITION)) == (Trust.SUSPECT, Doubt.TICK_CHANGE)
    venue.book.market = replace(MARKET, tick=10)
    feed(books, venue.snapshot(opening=False))
    assert books.trust(CONDITION) is Trust.VERIFIED


def test_a_snapshot_without_tick_ends_a_hash_doubt_only_with_proof() -> None:
    venue = Venue()
    books = followed(venue)
    venue.book.market = replace(MARKET, tick=10)  # and nobody said so
    for shares in (1, 2, 3):
        feed(books, venue.change(Side.BUY, 4950, shares))
    assert books.doubt(CONDITION) is Doubt.HASH
    feed(books, venue.snapshot(opening=False), venue.change(Side.BUY, 4950, 4), venue.change(Side.BUY, 4950, 5))
    assert (books.trust(CONDITION), books.doubt(CONDITION)) == (Trust.SUSPECT, Doubt.HASH)
    feed(books, venue.snapshot())
    market = books.market(CONDITION)
    assert market is not None
    assert (books.trust(CONDITION), market.tick) == (Trust.VERIFIED, 10)


def test_a_change_to_a_coarser_grid_is_betrayed_by_the_sampled_hash() -> None:
    """Within 34 messages at one hash in 32: the sample misses, the next one confirms."""
    venue = Venue(market=replace(MARKET, tick=10))
    books = followed(venue, hash_every=32)
    venue.book.market = MARKET
    messages = 0
    while books.trust(CONDITION) is Trust.VERIFIED:
        messages += 1
        books.apply_frame(venue.change(Side.BUY, 4950, messages), messages)
    assert messages <= 34


def test_a_snapshot_whose_hash_misses_proves_nothing() -> None:
    venue = Venue()
    books = followed(venue)
    assert books.last_proof_ns(CONDITION) == 1
    venue.book.market = replace(MARKET, tick=10)
    books.apply_frame(venue.snapshot(opening=False), 5)
    assert books.last_proof_ns(CONDITION) == 1


@pytest.mark.parametrize("markets", [1, 2])
def test_one_or_two_bad_markets_never_bring_the_recipe_into_doubt(markets: int) -> None:
    watch = RecipeWatch()
    for number in range(markets):
        watch.matched(str(number), Recipe.TEN_FIELDS)
    for _ in range(MISSES_TO_ABANDON * 2):
        for number in range(markets):
            watch.missed(str(number))
    assert watch.accuses
