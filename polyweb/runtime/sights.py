"""A tracked book as decisions look at it.

Law: reads and changes nothing; everything is as YES sees it.
"""

from markets.domain.tracked import Tracked
from markets.domain.units import PRICE_ONE, ConditionId, Price
from strategies.domain.inputs import BookView


def view_of(tracked: Tracked, depth: int) -> BookView:
    """The YES-oriented view of a tracked book."""
    book = tracked.book
    if depth == 1:
        bid, ask = book.bid_top, book.ask_top
        bids = ((bid, book.bids[bid]),) if bid in book.bids else ()
        asks = ((ask, book.asks[ask]),) if ask in book.asks else ()
        return BookView(bids, asks, tracked.updated_ns, last_trade_of(tracked))
    return BookView(book.best_bids(depth), book.best_asks(depth), tracked.updated_ns, last_trade_of(tracked))


def mid_x2_of(tracked: Tracked) -> dict[ConditionId, int]:
    """Twice the YES price orders are collared around: the middle of the book, or its only side; else nothing."""
    book = tracked.book
    if not book.seeded:
        return {}
    bid, ask = book.bid_top, book.ask_top
    if bid > 0 and ask < PRICE_ONE:
        return {tracked.condition_id: bid + ask}
    only = bid or (ask if ask < PRICE_ONE else 0)
    return {tracked.condition_id: only * 2} if only else {}


def last_trade_of(tracked: Tracked) -> Price | None:
    """The last print as a YES price, whichever token it was in."""
    trade = tracked.last_trade
    if trade is None:
        return None
    return trade.price if trade.asset == tracked.yes else PRICE_ONE - trade.price
