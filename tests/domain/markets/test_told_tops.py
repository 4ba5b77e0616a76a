"""`best_bid_ask` is a check of our tops: it is about the book after the burst of its own time."""

import pytest

from markets.domain.events import Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.units import NANOS_PER_SECOND
from tests.domain.markets.wire import CONDITION, NO, YES, Venue, best_bid_ask, feed, followed


@pytest.mark.parametrize(("asset", "bid", "ask"), [(YES, "0.49", "0.51"), (NO, "0.49", "0.51")])
def test_tops_told_by_themselves_that_are_ours_are_counted_and_change_nothing(asset: str, bid: str, ask: str) -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, best_bid_ask(bid, ask, venue.now_ms, asset))
    assert books.trust(CONDITION) is Trust.VERIFIED
    assert books.counters.bbo_checked == 1


@pytest.mark.parametrize(("asset", "bid", "ask"), [(YES, "0.48", "0.51"), (NO, "0.49", "0.52")])
def test_other_tops_than_ours_cost_the_book_its_trust_when_their_burst_is_over(asset: str, bid: str, ask: str) -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, best_bid_ask(bid, ask, venue.now_ms, asset))
    assert books.doubt(CONDITION) is Doubt.BURST_OPEN
    books.settle(NANOS_PER_SECOND)
    assert books.doubt(CONDITION) is Doubt.TOPS
    assert books.counters.bbo_mismatches == 1


def test_tops_told_before_the_change_that_makes_them_are_no_contradiction() -> None:
    venue = Venue()
    books = followed(venue, hash_every=0)
    feed(books, venue.change(Side.SELL, 5500, 1))
    venue.set(Side.BUY, 5000, 5, later_ms=0)
    feed(books, best_bid_ask("0.5", "0.51", venue.now_ms), venue.told(Side.BUY, 5000, 5))
    books.settle(NANOS_PER_SECOND)
    assert books.trust(CONDITION) is Trust.VERIFIED


@pytest.mark.parametrize("later_ms", [-1, 1])
def test_tops_of_another_time_say_nothing_certain(later_ms: int) -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, best_bid_ask("0.1", "0.9", venue.now_ms + later_ms))
    books.settle(NANOS_PER_SECOND)
    assert books.trust(CONDITION) is Trust.VERIFIED
    assert books.counters.bbo_checked == 0


def test_tops_left_unsaid_are_no_statement() -> None:
    venue = Venue()
    books = followed(venue)
    feed(books, best_bid_ask("", "0.9", venue.now_ms))
    assert books.trust(CONDITION) is Trust.VERIFIED
