"""The Dutch-book detector without a trader: books in, gaps out, and no order anywhere.

Law: pure, and the same detector, routes and costs as the engine's. Only verified books are looked at; a look that was
not possible is counted, never guessed.
"""

from collections.abc import Iterable

from markets.domain.books import BookSet
from markets.domain.cuts import Cut, Recorded, Twin, cut_assets
from markets.domain.decode import MalformedFrame
from markets.domain.events import Frame, Side
from markets.domain.integrity import Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, AssetId, ConditionId, Nanos
from strategies.domain import dutch_book
from strategies.domain.arb_params import ArbParams
from strategies.domain.dutch_watch import DutchWatch
from strategies.domain.inputs import BookView
from strategies.domain.opportunity_log import OpportunityLog
from strategies.domain.routes import Books, Moment

DEPTH = 10
PAUSE_NS: Nanos = 250 * NANOS_PER_MILLI


class DutchScanner:
    """`chain`: reckon with shares being split, merged and converted; `chain_off` says why they cannot be here, "" when
    they can.
    """

    def __init__(
        self, markets: Iterable[Market], params: ArbParams, *, chain: bool = False, chain_off: str = ""
    ) -> None:
        self.books = BookSet(auto_track=True)
        for market in markets:
            self.books.track(market)
        self.watch = DutchWatch(self.books.markets)
        self.log = OpportunityLog()
        self.frames = self.malformed = self.updates = self.looks = self.untrusted = 0
        self.first_ns: Nanos = 0
        self.last_ns: Nanos = 0
        self._params = params
        self.chain = chain
        self.chain_off = chain_off
        self._followed = len(self.books.markets)
        self._settled_ns: Nanos = 0
        self._events = self._grouped()

    def _grouped(self) -> dict[str, list[ConditionId]]:
        events: dict[str, list[ConditionId]] = {}
        for market in self.books.markets:
            events.setdefault(market.event_id, []).append(market.condition_id)
        return events

    def up(self, assets: tuple[AssetId, ...]) -> None:
        self.books.feed_up(assets)

    def down(self, assets: tuple[AssetId, ...]) -> None:
        self.books.feed_down(assets)

    def play(self, recorded: Iterable[Recorded]) -> None:
        """A whole recording on its own clock; frames of one receive time are one turn."""
        for item in recorded:
            if isinstance(item, Twin):
                continue
            at_ns = item.at_ns if isinstance(item, Cut) else item.received_ns
            if at_ns != self.last_ns and self.last_ns:
                self.turn(self.last_ns)
            if isinstance(item, Cut):
                assets = cut_assets(self.books, item)
                self.down(assets)
                self.up(assets)
                self.last_ns = at_ns
            else:
                self.hear(item)
        self.books.flush()
        self.turn(self.last_ns)
        self.log.end(self.last_ns)

    def hear(self, frame: Frame) -> None:
        self.frames += 1
        self.first_ns = self.first_ns or frame.received_ns
        self.last_ns = frame.received_ns
        try:
            self.books.apply_frame(frame.data, frame.received_ns)
        except MalformedFrame:
            self.malformed += 1
            self.books.distrust_frame(frame.data, whole=True)

    def turn(self, now_ns: Nanos) -> None:
        """Look where something changed."""
        if now_ns - self._settled_ns >= PAUSE_NS:
            self.books.settle(now_ns)
            self._settled_ns = now_ns
        changed = self.books.drain_dirty()
        if len(self.books.markets) != self._followed:
            self._followed = len(self.books.markets)
            self._events = self._grouped()
            self.watch.set_markets(self.books.markets)
        fired: dict[str, None] = {}
        for condition_id in changed:
            book, market = self.books.book(condition_id), self.books.market(condition_id)
            if book is None or market is None:
                continue
            self.updates += 1
            if self.watch.update(condition_id, book.top(yes=True).ask, book.top(yes=False).ask, now_ns):
                fired[market.event_id] = None
            elif self.log.has(market.event_id) and not self.watch.is_open(market.event_id):
                self.log.gone(market.event_id, now_ns)
        for event_id in fired:
            self._look(event_id, now_ns)

    def _look(self, event_id: str, now_ns: Nanos) -> None:
        members = self._events[event_id]
        if any(self.books.trust(condition_id) is not Trust.VERIFIED for condition_id in members):
            self.untrusted += 1
            self.log.gone(event_id, now_ns)
            return
        self.looks += 1
        at = Moment(self.watch.opened_ns(event_id), now_ns, self.chain, self.chain_off)
        found = dutch_book.scan(self._views(members), self._params, at)
        self.log.saw(event_id, found, now_ns)
        if self.chain and self.chain_off:
            self.log.tell_chain_off(found, self.chain_off)

    def _views(self, members: Iterable[ConditionId]) -> Books:
        views = {}
        for condition_id in members:
            book, market = self.books.book(condition_id), self.books.market(condition_id)
            if book is not None and market is not None:
                bids, asks = book.levels(Side.BUY, DEPTH), book.levels(Side.SELL, DEPTH)
                views[condition_id] = (market, BookView(bids, asks, self.books.last_update_ns(condition_id)))
        return views
