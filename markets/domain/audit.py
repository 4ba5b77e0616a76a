"""Audit: our book against the book the venue's REST interface shows, which travels by another road.

Law: only books of one venue time can be compared. A REST book from before our last change says nothing; one from
after it says that a frame is under way to us, or lost: the caller waits for that time and then asks again.
"""

from enum import StrEnum

from markets.domain.book import MarketBook
from markets.domain.events import BookSnapshot
from markets.domain.units import Millis


class Audit(StrEnum):
    AGREES = "agrees"
    DIFFERS = "differs"
    OLDER = "older"
    AHEAD = "ahead"


def audit(book: MarketBook, at_ms: Millis, shown: BookSnapshot) -> Audit:
    """Compare `book`, last changed at venue time `at_ms`, with what REST shows of one of its tokens."""
    if shown.timestamp_ms < at_ms:
        return Audit.OLDER
    if shown.timestamp_ms > at_ms:
        return Audit.AHEAD
    there = MarketBook(book.market)
    there.apply_snapshot(shown.asset == book.market.yes, shown.bids, shown.asks)
    return Audit.AGREES if there.same_levels(book) else Audit.DIFFERS
