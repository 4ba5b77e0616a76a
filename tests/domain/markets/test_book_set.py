"""A book is quoted on only while everything the venue says agrees with it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.books import BURST_GRACE_NS, HASH_GRACE_NS, SNAPSHOT_GRACE_NS, BookSet
from markets.domain.events import Side
from markets.domain.integrity import Doubt, Resync, Trust
from markets.domain.units import NANOS_PER_SECOND
from tests.domain.markets.wire import (
    CONDITION,
    MARKET,
    NO,
    START_MS,
    YES,
    Venue,
    feed,
    followed,
    frame,
    price_change,
    tick_change,
    trade,
)


def verdict(books: BookSet) -> tuple[Trust, Doubt]:
    return books.trust(CONDITION), books.doubt(CONDITION)


def agrees(books: BookSet, venue: Venue) -> bool:
    book = books.book(CONDITION)
    return book is not None and book.same_levels(venue.book)


def test_a_tracked_market_waits_for_its_first_snapshot() -> None:
    books = BookSet()
    books.track(MARKET)
    feed(books, Venue().change(Side.BUY, 4950, 1))
    assert verdict(books) == (Trust.BROKEN, Doubt.AWAITING_SNAPSHOT)
    assert books.counters.deltas_before_snapshot == 1


@pytest.mark.parametrize("yes", [True, False])
def test_the_snapshot_of_either_token_seeds_the_book(yes: bool) -> None:
    venue, books = Venue(), BookSet()
    books.track(MARKET)
    feed(books, venue.snapshot(yes))
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert agrees(books, venue)


def test_changes_keep_the_book_equal_to_the_venues() -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, venue.change(Side.BUY, 5000, 7), venue.change(Side.SELL, 5100, 0), venue.change(Side.BUY, 5000, 0))
    books.flush()
    counters = books.counters
    assert agrees(books, venue)
    assert (counters.bbo_checked, counters.bbo_mismatches) == (3, 0)
    assert (counters.hash_checked, counters.hash_matches) == (4, 4)
    assert books.drain_dirty() == [CONDITION]
    assert books.last_update_ns(CONDITION) == 1


def test_a_frame_with_one_token_only_is_applied_oriented_to_yes() -> None:
    venue = Venue()
    books = followed(venue)
    venue.set(Side.SELL, 5050, 9)
    entry = {"asset_id": NO, "price": "0.495", "size": "9", "side": "BUY", "hash": venue.hash(False)}
    feed(books, price_change([{**entry, "best_bid": "0.495", "best_ask": "0.51"}], venue.now_ms))
    assert agrees(books, venue)
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)


def test_tops_of_a_burst_are_judged_when_it_is_over() -> None:
    venue = Venue()
    books = followed(venue)
    venue.set(Side.BUY, 4950, 5)
    venue.set(Side.SELL, 5050, 6, later_ms=0)
    feed(books, venue.told(Side.BUY, 4950, 5))
    assert verdict(books) == (Trust.SUSPECT, Doubt.BURST_OPEN)
    feed(books, venue.told(Side.SELL, 5050, 6))
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    books.flush()
    assert (books.counters.hash_checked, books.counters.hash_matches) == (3, 3)


def test_tops_that_outlive_their_timestamp_end_the_epoch() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    venue.set(Side.BUY, 4950, 5)  # this delta is lost
    feed(books, venue.change(Side.SELL, 5500, 1), venue.change(Side.SELL, 5500, 2))
    assert verdict(books) == (Trust.BROKEN, Doubt.TOPS)
    assert books.drain_resyncs() == [Resync(CONDITION, (YES, NO), Doubt.TOPS, 1)]
    feed(books, venue.snapshot())
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert books.counters.bbo_mismatches == 1


def test_time_settles_a_burst_that_nothing_follows() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    venue.set(Side.BUY, 4950, 5)
    feed(books, venue.change(Side.SELL, 5500, 1))
    books.settle(BURST_GRACE_NS)
    assert books.trust(CONDITION) is Trust.SUSPECT
    books.settle(BURST_GRACE_NS + 1)
    assert verdict(books) == (Trust.BROKEN, Doubt.TOPS)


def test_a_lost_delta_behind_the_tops_is_betrayed_by_the_hash() -> None:
    venue = Venue()
    books = followed(venue)
    venue.set(Side.BUY, 4000, 5)  # lost, and deep in the book
    feed(books, venue.change(Side.SELL, 5500, 1), venue.change(Side.SELL, 5500, 2))
    assert verdict(books) == (Trust.SUSPECT, Doubt.HASH)
    feed(books, venue.change(Side.SELL, 5500, 3))
    assert verdict(books) == (Trust.BROKEN, Doubt.HASH)
    feed(books, venue.snapshot())
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)


def test_time_ends_a_book_whose_hash_stays_wrong() -> None:
    venue = Venue()
    books = followed(venue)
    venue.set(Side.BUY, 4000, 5)
    feed(books, venue.change(Side.SELL, 5500, 1))
    books.settle(HASH_GRACE_NS)
    books.settle(HASH_GRACE_NS + 1)
    assert verdict(books) == (Trust.BROKEN, Doubt.HASH)


def test_a_recipe_that_never_reproduced_accuses_nobody() -> None:
    venue = Venue()
    books = BookSet(hash_every=1)
    books.track(replace(MARKET, min_size=15_000_000))
    feed(books, venue.snapshot(), venue.change(Side.BUY, 4950, 1), venue.change(Side.BUY, 4950, 2))
    books.flush()
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert (books.counters.hash_checked, books.counters.hash_matches) == (3, 0)


def test_a_recipe_that_stops_reproducing_costs_one_snapshot() -> None:
    venue = Venue()
    books = followed(venue)
    venue.book.market = replace(MARKET, neg_risk=True)  # stands for any change of the recipe
    feed(books, *[venue.change(Side.BUY, 4950, size) for size in (1, 2, 3)])
    assert verdict(books) == (Trust.BROKEN, Doubt.HASH)
    feed(books, venue.snapshot(), *[venue.change(Side.BUY, 4950, size) for size in (4, 5, 6, 7)])
    books.flush()
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert books.counters.resyncs == {Doubt.HASH: 1}


def test_a_trade_enters_the_hash_before_it_is_announced() -> None:
    venue = Venue()
    books = followed(venue)
    venue.last_trade = "0.510"
    feed(books, venue.change(Side.SELL, 5100, 30), venue.snapshot(opening=False), trade("0.51", venue.now_ms))
    books.flush()
    assert (books.counters.hash_checked, books.counters.hash_matches) == (3, 3)
    last = books.last_trade(CONDITION)
    assert last is not None
    assert last.price == 5100


def test_an_announcement_proves_the_hash_it_was_missing_from() -> None:
    venue = Venue()
    books = followed(venue)
    venue.last_trade = "0.123"  # at no level that was seen to change
    feed(books, venue.snapshot(opening=False))
    assert verdict(books) == (Trust.SUSPECT, Doubt.HASH)
    feed(books, trade("0.123", venue.now_ms))
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert (books.counters.hash_checked, books.counters.hash_matches) == (2, 2)


def test_a_crossed_book_ends_the_epoch() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    feed(books, venue.change(Side.BUY, 5200, 5), venue.change(Side.SELL, 5500, 2))
    assert verdict(books) == (Trust.BROKEN, Doubt.CROSSED)
    assert books.counters.crossed == 1


def test_entries_that_do_not_mirror_each_other_end_the_epoch() -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, venue.change(Side.BUY, 4950, 5, wrong={"size": "6"}))
    assert verdict(books) == (Trust.BROKEN, Doubt.PARITY)


def test_a_snapshot_that_differs_from_the_deltas_wins_and_is_counted() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    venue.set(Side.BUY, 4000, 5)  # lost
    feed(books, venue.snapshot(opening=False), venue.change(Side.BUY, 4000, 6))
    book = books.book(CONDITION)
    assert book is not None
    assert (books.counters.snapshot_mismatches, book.epoch) == (1, 1)
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert agrees(books, venue)


def test_a_snapshot_ahead_of_its_own_burst_is_no_mismatch() -> None:
    venue = Venue()
    books = followed(venue)
    venue.set(Side.BUY, 4900, 39)
    feed(books, venue.snapshot(opening=False), venue.told(Side.BUY, 4900, 39), venue.change(Side.BUY, 4900, 38))
    assert (books.counters.snapshots_checked, books.counters.snapshot_mismatches) == (1, 0)


def test_a_tick_change_starts_an_epoch_once_for_both_tokens() -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, tick_change("0.001", venue.now_ms + 1), venue.change(Side.BUY, 4950, 1))
    assert verdict(books) == (Trust.BROKEN, Doubt.TICK_CHANGE)
    venue.book.market = replace(MARKET, tick=10)
    feed(books, venue.snapshot(), tick_change("0.001", venue.now_ms, NO))
    market = books.market(CONDITION)
    assert market is not None
    assert market.tick == 10
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)


def test_metadata_older_than_the_feed_does_not_take_the_tick_back() -> None:
    books = followed(Venue())
    feed(books, tick_change("0.001", START_MS + 1))
    books.track(replace(MARKET, question="Will it ever?"))
    market = books.market(CONDITION)
    assert market is not None
    assert (market.tick, market.question) == (10, "Will it ever?")


def test_a_delta_from_before_the_snapshot_is_left_out() -> None:
    venue = Venue()
    early = venue.change(Side.BUY, 4950, 1)
    venue.set(Side.BUY, 4950, 2)
    books = followed(venue)
    feed(books, early)
    assert agrees(books, venue)
    assert books.counters.late_events == 1


def test_time_running_backwards_between_deltas_ends_the_epoch() -> None:
    venue = Venue()
    books = followed(venue)
    first, second = venue.change(Side.BUY, 4950, 1), venue.change(Side.BUY, 4950, 2)
    feed(books, second, first)
    assert verdict(books) == (Trust.BROKEN, Doubt.OUT_OF_ORDER)


def test_a_repeated_frame_changes_nothing() -> None:
    venue = Venue()
    books = followed(venue)
    change = venue.change(Side.BUY, 4950, 1)
    feed(books, change, change)
    books.flush()
    assert agrees(books, venue)
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)


def test_a_lost_feed_breaks_the_book_until_it_is_back_with_a_snapshot() -> None:
    venue = Venue()
    books = followed(venue)
    books.feed_down([YES, NO])
    assert verdict(books) == (Trust.BROKEN, Doubt.FEED_DOWN)
    feed(books, venue.snapshot())  # was still under way
    assert books.trust(CONDITION) is Trust.BROKEN
    books.feed_up([YES, NO])
    assert verdict(books) == (Trust.BROKEN, Doubt.AWAITING_SNAPSHOT)
    feed(books, venue.snapshot())
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)


def test_a_snapshot_that_does_not_come_is_asked_for_again() -> None:
    books = BookSet()
    books.track(MARKET)
    books.settle(1_000)
    assert books.drain_resyncs() == []
    books.settle(1_000 + SNAPSHOT_GRACE_NS)
    assert books.drain_resyncs() == [Resync(CONDITION, (YES, NO), Doubt.MISSING_SNAPSHOT, 1)]


def test_a_market_that_never_gets_a_book_is_asked_less_and_less_often() -> None:
    """After 5, 10, 20 and 40 seconds more, then once a sweep."""
    books = BookSet()
    books.track(MARKET)
    asked = []
    for second in range(1, 220):
        books.settle(second * NANOS_PER_SECOND)
        asked += [second - 1 for _ in books.drain_resyncs()]
    assert asked == [5, 15, 35, 75, 135, 195]


def test_an_unknown_token_of_a_tracked_market_costs_its_book_the_epoch() -> None:
    venue = Venue()
    stranger = {"asset_id": "9" * 77, "price": "0.49", "size": "5", "side": "BUY"}
    for entries in ([stranger], [{**stranger, "asset_id": YES}, stranger]):
        books = followed(venue)
        feed(books, price_change(entries, venue.now_ms + 1))
        assert verdict(books) == (Trust.BROKEN, Doubt.UNKNOWN_ASSET)
        assert books.counters.unknown_assets == 1
        feed(books, venue.snapshot())
        assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    books = followed(venue)
    feed(books, venue.snapshot().replace(YES.encode(), b"9" * 77))
    assert verdict(books) == (Trust.BROKEN, Doubt.UNKNOWN_ASSET)


def test_a_resolved_market_has_no_book_any_more() -> None:
    venue = Venue()
    books = followed(venue)
    feed(
        books, frame({"market": CONDITION, "timestamp": "9", "winning_asset_id": YES, "event_type": "market_resolved"})
    )
    feed(books, venue.snapshot())
    market = books.market(CONDITION)
    assert market is not None
    assert not market.accepting_orders
    books.distrust(CONDITION, Doubt.MALFORMED)
    assert verdict(books) == (Trust.BROKEN, Doubt.RESOLVED)


def test_doubt_may_come_from_outside() -> None:
    books = followed(Venue())
    books.distrust(CONDITION, Doubt.MALFORMED)
    assert verdict(books) == (Trust.BROKEN, Doubt.MALFORMED)
    assert [wish.reason for wish in books.drain_resyncs()] == [Doubt.MALFORMED]


def test_an_untracked_market_is_counted_and_ignored() -> None:
    books = BookSet()
    feed(books, Venue().snapshot(), Venue().change(Side.BUY, 4950, 1))
    assert books.counters.unknown_assets == 2
    assert verdict(books) == (Trust.BROKEN, Doubt.UNTRACKED)
    followed_books = followed(Venue())
    followed_books.untrack(CONDITION)
    assert followed_books.markets == ()
    assert followed_books.book(CONDITION) is None


def test_without_metadata_the_first_token_seen_is_yes() -> None:
    venue = Venue(market=replace(MARKET, neg_risk=True))
    books = BookSet(auto_track=True, hash_every=1)
    feed(books, venue.snapshot(), venue.change(Side.BUY, 4950, 3))
    books.flush()
    (market,) = books.markets
    assert (market.yes, market.no, market.tick, market.min_size) == (YES, NO, 50, 5_000_000)
    assert (books.counters.hash_checked, books.counters.hash_matches) == (2, 2)


def test_without_a_stated_tick_it_follows_from_the_prices_seen() -> None:
    venue = Venue()
    books = BookSet(auto_track=True)
    feed(books, venue.snapshot(opening=False))
    assert books.markets[0].tick == 100
    feed(books, venue.change(Side.BUY, 4925, 3))
    assert books.markets[0].tick == 25


STEP = st.tuples(st.sampled_from(Side), st.integers(1, 40), st.integers(0, 3), st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_any_honest_sequence_leaves_a_verified_book_equal_to_the_venues(
    steps: list[tuple[Side, int, int, int]],
) -> None:
    venue = Venue()
    books = followed(venue)
    for side, away, shares, later_ms in steps:
        price = 5000 - away * 100 if side is Side.BUY else 5000 + away * 100
        feed(books, venue.change(side, price, shares, later_ms=later_ms))
    books.flush()
    assert agrees(books, venue)
    assert verdict(books) == (Trust.VERIFIED, Doubt.NONE)
    assert books.counters.hash_matches == books.counters.hash_checked == len(steps) + 1
