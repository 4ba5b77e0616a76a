"""What the engine sees of its markets, reduced to what is worth storing: moved tops, trades, trust, resyncs.

Law: pure and cheap: a look costs a few dictionary reads for each market that changed. It reads the trader and never
changes it; what it finds is handed over at once and forgotten.
"""

from collections.abc import Callable, Iterable, Sequence

from markets.domain.book import MarketBook
from markets.domain.books import BookSet
from markets.domain.events import LastTrade
from markets.domain.integrity import Doubt, Trust
from markets.domain.observed import Observed, ResyncAsked, TopMoved, Traded, TrustMoved
from markets.domain.units import PRICE_ONE, ConditionId, Nanos, Price

QUIET = "quiet"  # a book that was merely asked to show itself: nothing was wrong


class Observer:
    """`put` takes a list of facts and must not block."""

    def __init__(self, put: Callable[[Sequence[Observed]], None]) -> None:
        self._put = put
        self._tops: dict[ConditionId, tuple[Price, Price]] = {}
        self._trust: dict[ConditionId, tuple[Trust, Doubt]] = {}
        self._found: list[Observed] = []

    def traded(self, books: BookSet, event: LastTrade, received_ns: Nanos) -> None:
        market = books.market(event.market)
        if market is not None:
            yes = event.asset == market.yes
            self._found.append(
                Traded(event.market, received_ns, event.timestamp_ms, yes, event.price, event.size, event.side)
            )

    def look(self, books: BookSet, changed: Iterable[ConditionId], now_ns: Nanos) -> None:
        """After a decision: compare the markets that changed with what was last seen of them."""
        for condition_id in changed:
            book = books.book(condition_id)
            if book is None:
                self._tops.pop(condition_id, None)
                self._trust.pop(condition_id, None)
            else:
                self._look_at(books, book, condition_id, now_ns)
        if self._found:
            self._put(self._found)
            self._found = []

    def asked(self, market: ConditionId, reason: str, request_id: int, at_ns: Nanos) -> None:
        """A snapshot was asked for; it is handed over with the next look."""
        if reason != QUIET:
            self._found.append(ResyncAsked(market, at_ns, reason, request_id))

    def _look_at(self, books: BookSet, book: MarketBook, condition_id: ConditionId, now_ns: Nanos) -> None:
        doubt = books.doubt(condition_id)
        if doubt is Doubt.BURST_OPEN:
            return  # the rest of the burst is on its way, and with it the tops that count
        trust = books.trust(condition_id)
        if self._trust.get(condition_id) != (trust, doubt):
            self._trust[condition_id] = (trust, doubt)
            self._found.append(TrustMoved(condition_id, now_ns, trust, doubt))
        tops = (book.bid_top, book.ask_top)
        if trust is Trust.VERIFIED and self._tops.get(condition_id) != tops:
            self._tops[condition_id] = tops
            self._found.append(_top(book, condition_id, books.last_update_ns(condition_id) or now_ns))


def _top(book: MarketBook, condition_id: ConditionId, at_ns: Nanos) -> TopMoved:
    bid, ask = book.bid_top, book.ask_top
    return TopMoved(
        condition_id,
        at_ns,
        bid if bid > 0 else None,
        book.bids.get(bid, 0),
        ask if ask < PRICE_ONE else None,
        book.asks.get(ask, 0),
    )
