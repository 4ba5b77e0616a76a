"""All tracked books: events go in, trustworthy books, dirty markets and wishes for snapshots come out.

Law: pure and deterministic; every order is the order of arrival. A delta touches only a book that has had a
snapshot in its present epoch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from markets.domain.book import MarketBook
from markets.domain.events import (
    BookSnapshot,
    LastTrade,
    LevelChange,
    MarketEvent,
    MarketResolved,
    PriceChange,
    TickSizeChange,
)
from markets.domain.integrity import BookCounters, Doubt, Resync, Trust, mirrored
from markets.domain.judge import Judge
from markets.domain.market import Market
from markets.domain.tracked import Tracked
from markets.domain.units import NANOS_PER_MILLI, AssetId, ConditionId, Millis, Nanos

BURST_GRACE_NS: Nanos = 250 * NANOS_PER_MILLI
HASH_GRACE_NS: Nanos = 2_000 * NANOS_PER_MILLI
SNAPSHOT_GRACE_NS: Nanos = 5_000 * NANOS_PER_MILLI
DEFAULT_HASH_EVERY = 32


class BookSet:
    """Books of the tracked markets.

    `hash_every`: one price change in so many has its hash checked (1 checks all, on both tokens; 0 none).
    `auto_track`: replay without metadata; the first token seen of a market is YES, minimum size 5, no fees.
    """

    def __init__(self, *, auto_track: bool = False, hash_every: int = DEFAULT_HASH_EVERY) -> None:
        self.counters = BookCounters()
        self._judge = Judge(self.counters, hash_every)
        self._hashes = hash_every > 0
        self._auto_track = auto_track
        self._tracked: dict[ConditionId, Tracked] = {}
        self._by_asset: dict[AssetId, Tracked] = {}
        self._dirty: dict[ConditionId, None] = {}
        self._resyncs: dict[ConditionId, Resync] = {}

    # What is tracked

    @property
    def markets(self) -> tuple[Market, ...]:
        return tuple([tracked.market for tracked in self._tracked.values()])

    def track(self, market: Market) -> None:
        """Start following `market`, or take over its changed metadata. The book stays."""
        tracked = self._tracked.get(market.condition_id)
        if tracked is not None and (tracked.market.yes, tracked.market.no) == (market.yes, market.no):
            tracked.update_market(market)
            return
        self.untrack(market.condition_id)
        self._add(Tracked(market, guessed=False))

    def untrack(self, condition_id: ConditionId) -> None:
        tracked = self._tracked.pop(condition_id, None)
        if tracked is None:
            return
        self._by_asset.pop(tracked.market.yes, None)
        self._by_asset.pop(tracked.market.no, None)
        self._dirty.pop(condition_id, None)
        self._resyncs.pop(condition_id, None)

    def _add(self, tracked: Tracked) -> None:
        market = tracked.market
        self._tracked[market.condition_id] = tracked
        self._by_asset[market.yes] = tracked
        if market.no:
            self._by_asset[market.no] = tracked

    # What can be asked

    def book(self, condition_id: ConditionId) -> MarketBook | None:
        tracked = self._tracked.get(condition_id)
        return None if tracked is None else tracked.book

    def market(self, condition_id: ConditionId) -> Market | None:
        """The market with its present tick, which the feed may have changed since it was tracked."""
        tracked = self._tracked.get(condition_id)
        return None if tracked is None else tracked.market

    def trust(self, condition_id: ConditionId) -> Trust:
        tracked = self._tracked.get(condition_id)
        return Trust.BROKEN if tracked is None else tracked.trust()

    def doubt(self, condition_id: ConditionId) -> Doubt:
        """Why the book is not VERIFIED; Doubt.NONE when it is."""
        tracked = self._tracked.get(condition_id)
        return Doubt.UNTRACKED if tracked is None else tracked.why()

    def last_update_ns(self, condition_id: ConditionId) -> Nanos:
        """When the book last changed or was confirmed; 0 when never."""
        tracked = self._tracked.get(condition_id)
        return 0 if tracked is None else tracked.updated_ns

    def last_trade(self, condition_id: ConditionId) -> LastTrade | None:
        tracked = self._tracked.get(condition_id)
        return None if tracked is None else tracked.last_trade

    def drain_dirty(self) -> list[ConditionId]:
        """Markets whose book or trust changed since the last call, in the order they did."""
        dirty = list(self._dirty)
        self._dirty.clear()
        return dirty

    def drain_resyncs(self) -> list[Resync]:
        """Snapshots wished for since the last call, at most one wish per market."""
        wishes = list(self._resyncs.values())
        self._resyncs.clear()
        return wishes

    # What happens

    def apply(self, event: MarketEvent, received_ns: Nanos) -> None:
        self.counters.events += 1
        if type(event) is PriceChange:
            self._price_change(event, received_ns)
        elif type(event) is BookSnapshot:
            self._snapshot(event, received_ns)
        elif type(event) is LastTrade:
            self._trade(event)
        elif type(event) is TickSizeChange:
            self._tick_change(event)
        elif type(event) is MarketResolved:
            self._resolved(event)

    def feed_down(self, assets: Iterable[AssetId]) -> None:
        """These tokens are no longer listened to: their books end here."""
        for tracked in self._of(assets):
            tracked.feed_up = False
            self._end_epoch(tracked, Doubt.FEED_DOWN)

    def feed_up(self, assets: Iterable[AssetId]) -> None:
        """These tokens are listened to again: a new epoch that waits for its snapshot."""
        for tracked in self._of(assets):
            tracked.feed_up = True
            self._end_epoch(tracked, Doubt.AWAITING_SNAPSHOT)

    def distrust(self, condition_id: ConditionId, reason: Doubt) -> None:
        """End the book's epoch for a reason found outside, and wish for a snapshot."""
        tracked = self._tracked.get(condition_id)
        if tracked is not None:
            self._break(tracked, reason)

    def settle(self, now_ns: Nanos) -> None:
        """Judge what no later frame has settled in time, and ask again for snapshots that did not come."""
        for tracked in self._tracked.values():
            quiet_ns = now_ns - tracked.updated_ns
            if tracked.unsettled and quiet_ns >= BURST_GRACE_NS:
                self._close_burst(tracked)
            if tracked.hash_check.misses and quiet_ns >= HASH_GRACE_NS:
                tracked.hash_check.give_up()
                self._break(tracked, Doubt.HASH)
            if not tracked.book.seeded and tracked.feed_up and tracked.doubt is not Doubt.RESOLVED:
                self._ask_again(tracked, now_ns)

    def flush(self) -> None:
        """Judge every open burst: nothing more will come (end of a recording)."""
        for tracked in self._tracked.values():
            if tracked.unsettled:
                self._close_burst(tracked)

    def _ask_again(self, tracked: Tracked, now_ns: Nanos) -> None:
        if not tracked.asked_ns:
            tracked.asked_ns = now_ns
        elif now_ns - tracked.asked_ns >= SNAPSHOT_GRACE_NS:
            tracked.asked_ns = now_ns
            self._wish(tracked, Doubt.MISSING_SNAPSHOT)

    def _of(self, assets: Iterable[AssetId]) -> Iterator[Tracked]:
        found = {}
        for asset in assets:
            tracked = self._by_asset.get(asset)
            if tracked is not None:
                found[tracked.market.condition_id] = tracked
        yield from found.values()

    def _find(self, condition_id: ConditionId, asset: AssetId) -> Tracked | None:
        """The tracked market this token belongs to; with `auto_track` it becomes one."""
        tracked = self._by_asset.get(asset)
        if tracked is not None:
            return tracked
        if self._auto_track:
            tracked = self._tracked.get(condition_id)
            if tracked is None:
                market = Market(condition_id, event_id=condition_id, question="", yes=asset, no="")
                tracked = Tracked(market, guessed=True)
                self._add(tracked)
                return tracked
            if not tracked.market.no:
                tracked.learn_no(asset)
                self._by_asset[asset] = tracked
                return tracked
        self.counters.unknown_assets += 1
        return None

    def _price_change(self, event: PriceChange, received_ns: Nanos) -> None:
        changes = event.changes
        if not changes:
            return
        tracked = self._by_asset.get(changes[0].asset) or self._find(event.market, changes[0].asset)
        if tracked is None:
            return
        self.counters.deltas += 1
        if not self._takes_deltas(tracked, event.timestamp_ms):
            self.counters.deltas_before_snapshot += not tracked.book.seeded
            return
        yes, no = self._entries(tracked, event)
        if self._hashes and not self._judge.hear_claim(tracked, yes, no, event.timestamp_ms):
            self._break(tracked, Doubt.HASH)
            return
        if yes is not None and no is not None and len(changes) == 2:
            if not mirrored(yes, no):
                self.counters.parity_mismatches += 1
                self._break(tracked, Doubt.PARITY)
                return
            tracked.set_level(True, yes)
        else:
            _apply_each(tracked, changes)
        tracked.said_yes, tracked.said_no = yes, no
        if changes[0].best_bid >= 0:
            self.counters.bbo_checked += 1
        self._changed(tracked, received_ns)

    def _takes_deltas(self, tracked: Tracked, at: Millis) -> bool:
        """Whether a delta of this time may touch the book; judges the burst that it ends."""
        if at != tracked.burst_ms and tracked.book.seeded:
            if at < tracked.burst_ms:
                self.counters.late_events += 1
                if at >= tracked.snapshot_ms:
                    self._break(tracked, Doubt.OUT_OF_ORDER)
                return False
            if tracked.unsettled:
                self._close_burst(tracked)
            tracked.burst_ms = at
        return tracked.book.seeded

    def _entries(self, tracked: Tracked, event: PriceChange) -> tuple[LevelChange | None, LevelChange | None]:
        """The last entry of the frame for YES and for NO."""
        yes = no = None
        market = tracked.market
        if len(event.changes) == 2:
            first, second = event.changes
            if first.asset == market.yes and second.asset == market.no:
                return first, second
            if first.asset == market.no and second.asset == market.yes:
                return second, first
        for change in event.changes:
            if change.asset == market.yes:
                yes = change
            elif change.asset == market.no or self._find(event.market, change.asset) is tracked:
                no = change
        return yes, no

    def _snapshot(self, event: BookSnapshot, received_ns: Nanos) -> None:
        tracked = self._find(event.market, event.asset)
        if tracked is None:
            return
        self.counters.snapshots += 1
        book = tracked.book
        if not tracked.feed_up or tracked.doubt is Doubt.RESOLVED:
            return
        if book.seeded and event.timestamp_ms < tracked.burst_ms:
            self.counters.late_events += 1
            return
        if book.seeded and event.timestamp_ms > tracked.burst_ms and tracked.unsettled:
            self._close_burst(tracked)
        self._replace_book(tracked, event)
        tracked.burst_ms = tracked.snapshot_ms = event.timestamp_ms
        tracked.doubt = Doubt.NONE
        self._changed(tracked, received_ns)
        if not self._judge.snapshot_holds(tracked, event):
            self._break(tracked, Doubt.HASH)

    def _replace_book(self, tracked: Tracked, event: BookSnapshot) -> None:
        """Put the snapshot in place; a built book that differs is kept until the burst is over."""
        book = tracked.book
        built = book.copy() if book.seeded else None
        for top in (book.bid_top, book.ask_top):
            tracked.hash_check.touch(top)
        book.apply_snapshot(event.asset == tracked.market.yes, event.bids, event.asks)
        if event.tick is not None:
            tracked.learn_tick(event.tick)
        elif tracked.tick_guessed:
            tracked.guess_tick(book.prices())
        for top in (book.bid_top, book.ask_top):
            tracked.hash_check.touch(top)
        if built is None:
            return
        self.counters.snapshots_checked += 1
        if tracked.shadow is None and not built.same_levels(book):
            tracked.shadow = built
            tracked.unsettled = True

    def _trade(self, event: LastTrade) -> None:
        tracked = self._find(event.market, event.asset)
        if tracked is None:
            return
        tracked.last_trade = event
        if tracked.hash_check.announced(tracked.book, event.price):
            self.counters.hash_matches += 1
            self._dirty[event.market] = None

    def _tick_change(self, event: TickSizeChange) -> None:
        """Both tokens announce it; the first ends the epoch, the second finds the tick already new."""
        tracked = self._find(event.market, event.asset)
        if tracked is None or event.new_tick == tracked.market.tick:
            return
        if tracked.unsettled:
            self._close_burst(tracked)
        tracked.learn_tick(event.new_tick)
        self._break(tracked, Doubt.TICK_CHANGE)

    def _resolved(self, event: MarketResolved) -> None:
        tracked = self._tracked.get(event.market)
        if tracked is not None:
            tracked.replace_market(replace(tracked.market, accepting_orders=False))
            self._end_epoch(tracked, Doubt.RESOLVED)

    # What a doubt costs

    def _changed(self, tracked: Tracked, received_ns: Nanos) -> None:
        tracked.look()
        tracked.updated_ns = received_ns
        self._dirty[tracked.market.condition_id] = None

    def _close_burst(self, tracked: Tracked) -> None:
        was_suspect = tracked.suspicious
        doubt = self._judge.close_burst(tracked)
        if doubt is not Doubt.NONE:
            self._break(tracked, doubt)
        elif was_suspect:
            self._dirty[tracked.market.condition_id] = None

    def _break(self, tracked: Tracked, doubt: Doubt) -> None:
        self._end_epoch(tracked, doubt)
        self._wish(tracked, doubt)

    def _end_epoch(self, tracked: Tracked, doubt: Doubt) -> None:
        tracked.start_epoch(doubt)
        self._dirty[tracked.market.condition_id] = None

    def _wish(self, tracked: Tracked, reason: Doubt) -> None:
        market = tracked.market
        assets = (market.yes, market.no) if market.no else (market.yes,)
        self.counters.resyncs[reason] = self.counters.resyncs.get(reason, 0) + 1
        self._resyncs.setdefault(market.condition_id, Resync(market.condition_id, assets, reason))


def _apply_each(tracked: Tracked, changes: tuple[LevelChange, ...]) -> None:
    """A frame that is no mirrored pair: every entry is applied, oriented to YES."""
    market = tracked.market
    for change in changes:
        if change.asset == market.yes or change.asset == market.no:
            tracked.set_level(change.asset == market.yes, change)
