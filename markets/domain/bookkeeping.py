"""The books' long way: what every event does to a book, to its trust and to the wishes for snapshots.

Law: pure and deterministic; every order is the order of arrival. A delta touches only a book that has had a snapshot
in its present epoch.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from markets.domain.events import (
    UNSAID,
    BestBidAsk,
    BookSnapshot,
    LastTrade,
    LevelChange,
    MarketEvent,
    MarketResolved,
    PriceChange,
    TickSizeChange,
    UnknownEvent,
)
from markets.domain.integrity import BookCounters, Doubt, mirrored
from markets.domain.judge import PROVABLE, Proof
from markets.domain.patrol import Patrol
from markets.domain.shelf import Shelf
from markets.domain.tracked import Tracked
from markets.domain.units import NANOS_PER_MILLI, AssetId, ConditionId, Millis, Nanos

BURST_GRACE_NS: Nanos = 250 * NANOS_PER_MILLI
HASH_GRACE_NS: Nanos = 2_000 * NANOS_PER_MILLI
SNAPSHOT_GRACE_NS: Nanos = 5_000 * NANOS_PER_MILLI

MOST_PATIENCE_NS: Nanos = 60_000 * NANOS_PER_MILLI  # where no sweep bounds it

_MAX_UNKNOWN_EVENTS = 64
_NEEDS_NO_ANSWER = (Doubt.NONE, Doubt.RESOLVED, Doubt.SILENT)  # the patrol asks the silent ones itself
_ABOUT_FACTS = (Doubt.HASH, Doubt.TICK_CHANGE)


class Bookkeeper(Shelf):
    """`apply` is the reference that the hot path of BookSet is measured by. See there for the arguments."""

    def __init__(
        self,
        *,
        auto_track: bool,
        hash_every: int,
        sweep_ns: Nanos,
        silence_ns: Nanos,
    ) -> None:
        super().__init__(auto_track=auto_track, hash_every=hash_every)
        self._most_patience_ns = max(sweep_ns or MOST_PATIENCE_NS, SNAPSHOT_GRACE_NS)
        self._patrol = Patrol(sweep_ns, silence_ns, SNAPSHOT_GRACE_NS)
        self._folds: dict[type, Callable[[Any, Nanos], None]] = {
            PriceChange: self._price_change,
            BookSnapshot: self._snapshot,
            LastTrade: self._trade,
            BestBidAsk: self._tops,
            TickSizeChange: self._tick_change,
            MarketResolved: self._resolved,
            UnknownEvent: self._unknown,
        }
        # Frames that may take the hot path before the next hash is due; what is used of it is not counted yet.
        self._room = self._had_room = self._judge.room()

    @property
    def counters(self) -> BookCounters:
        self._count_hot()
        return self._counters

    def untrack(self, condition_id: ConditionId) -> None:
        super().untrack(condition_id)
        self._patrol.forget(condition_id)

    # What happens

    def apply(self, event: MarketEvent, received_ns: Nanos) -> None:
        self._counters.events += 1
        fold = self._folds.get(type(event))
        if fold is not None:
            fold(event, received_ns)

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

    def suspect(self, assets: Iterable[AssetId], reason: Doubt) -> None:
        """Keep these books but trust them no more until a snapshot, which is wished for."""
        for tracked in self._of(assets):
            if tracked.book.seeded and tracked.doubt is Doubt.NONE:
                self._doubt(tracked, reason)
                tracked.asked_ns = 0
                self._wish(tracked, reason)

    def audit(self, shown: BookSnapshot, received_ns: Nanos) -> None:
        """Compare with a book that REST has shown, once the burst of its time is over."""
        tracked = self._by_asset.get(shown.asset)
        if tracked is None or not tracked.book.seeded or shown.timestamp_ms < tracked.burst_ms:
            return
        self._counters.audits += 1
        tracked.shown, tracked.shown_ns = shown, received_ns
        tracked.plain = False

    def settle(self, now_ns: Nanos) -> None:
        """What is due because time passed: bursts, hashes, audits, snapshots that did not come, the patrol."""
        self._count_hot()
        for tracked in [tracked for tracked in self._tracked.values() if not tracked.plain]:
            quiet_ns = now_ns - tracked.updated_ns
            if tracked.unsettled and quiet_ns >= BURST_GRACE_NS:
                self._close_burst(tracked, tracked.burst_ms + 1)
            if tracked.shown is not None and now_ns - tracked.shown_ns >= HASH_GRACE_NS:
                self._close_burst(tracked, None)
            if tracked.hash_check.misses and quiet_ns >= HASH_GRACE_NS:
                self._miss_stays(tracked)
            if tracked.feed_up and tracked.doubt not in _NEEDS_NO_ANSWER:
                self._ask_again(tracked, now_ns)
        for found in self._patrol.sweep(self._tracked, now_ns):
            self._counters.sweeps += 1
            self._wish(found.tracked, found.reason)
        for found in self._patrol.silences(self._tracked, now_ns):
            if found.doubt:
                self._doubt(found.tracked, found.reason)
            else:
                self._counters.silences += 1
                self._wish(found.tracked, found.reason)
        self._make_room()

    def flush(self) -> None:
        """Judge every open burst: nothing more will come (end of a recording)."""
        self._count_hot()
        for tracked in self._tracked.values():
            if tracked.unsettled:
                self._close_burst(tracked, tracked.burst_ms + 1)

    def _count_hot(self) -> None:
        hot = self._had_room - self._room
        if hot:
            counters = self._counters
            counters.events += hot
            counters.deltas += hot
            counters.bbo_checked += hot
            self._judge.passed(hot)
            self._make_room()

    def _make_room(self) -> None:
        self._room = self._had_room = self._judge.room()

    def _ask_again(self, tracked: Tracked, now_ns: Nanos) -> None:
        """First after SNAPSHOT_GRACE_NS, then less and less often: some markets never get a book."""
        if not tracked.asked_ns:
            tracked.asked_ns, tracked.patience_ns = now_ns, SNAPSHOT_GRACE_NS
        elif now_ns - tracked.asked_ns >= tracked.patience_ns:
            tracked.asked_ns, tracked.patience_ns = now_ns, min(2 * tracked.patience_ns, self._most_patience_ns)
            self._wish(tracked, Doubt.MISSING_SNAPSHOT)

    def _price_change(self, event: PriceChange, received_ns: Nanos) -> None:
        self._count_hot()
        self._change(event, received_ns)
        self._make_room()

    def _change(self, event: PriceChange, received_ns: Nanos) -> None:
        changes = event.changes
        if not changes:
            return
        tracked = self._by_asset.get(changes[0].asset) or self._find(event.market, changes[0].asset)
        if tracked is None:
            return
        self._counters.deltas += 1
        if not self._takes_deltas(tracked, event.timestamp_ms):
            self._counters.deltas_before_snapshot += not tracked.book.seeded
            return
        if tracked.doubt in PROVABLE:
            tracked.hash_due = True  # a proof tells whether anything was lost
        yes, no = self._entries(tracked, event)
        if not tracked.book.seeded:
            return
        if tracked.doubt is not Doubt.TICK_CHANGE and any(tracked.off_grid(change) for change in changes):
            self._break(tracked, Doubt.TICK_CHANGE)
            return
        if not self._judge.hear_claim(tracked, yes, no, event.timestamp_ms):
            self._break(tracked, Doubt.HASH)
            return
        if not self._apply_changes(tracked, changes):
            self._counters.parity_mismatches += 1
            self._break(tracked, Doubt.PARITY)
            return
        tracked.hear_tops(yes, no)
        if changes[0].best_bid >= 0:
            self._counters.bbo_checked += 1
        if yes is not None and no is not None:
            tracked.paired_ns = received_ns
        else:
            tracked.heard_ns[yes is not None] = received_ns
        self._changed(tracked, received_ns)

    def _takes_deltas(self, tracked: Tracked, at: Millis) -> bool:
        """Whether a delta of this time may touch the book; judges the burst that it ends."""
        if at != tracked.burst_ms and tracked.book.seeded:
            if at < tracked.burst_ms:
                self._counters.late_events += 1
                if at >= tracked.snapshot_ms:
                    self._break(tracked, Doubt.OUT_OF_ORDER)
                return False
            if tracked.unsettled or tracked.shown is not None:
                self._close_burst(tracked, at)
            tracked.burst_ms = at
        return tracked.book.seeded

    def _entries(self, tracked: Tracked, event: PriceChange) -> tuple[LevelChange | None, LevelChange | None]:
        """The last entry of the frame for YES and for NO. One for any other token ends the epoch."""
        yes = no = None
        market = tracked.market
        for change in event.changes:
            if change.asset == market.yes:
                yes = change
            elif change.asset == market.no or self._find(event.market, change.asset) is tracked:
                no = change
            elif tracked.book.seeded:
                self._break(tracked, Doubt.UNKNOWN_ASSET)
        return yes, no

    def _find(self, condition_id: ConditionId, asset: AssetId) -> Tracked | None:
        """A token that a tracked market does not have casts doubt on what we hold of it."""
        found = super()._find(condition_id, asset)
        stranger_to = self._tracked.get(condition_id) if found is None else None
        if stranger_to is not None and stranger_to.book.seeded:
            self._break(stranger_to, Doubt.UNKNOWN_ASSET)
        return found

    def _apply_changes(self, tracked: Tracked, changes: tuple[LevelChange, ...]) -> bool:
        """Mirrored pairs once, single entries each, oriented to YES. False when a pair contradicts itself."""
        market, place, count = tracked.market, 0, len(changes)
        while place < count:
            change = changes[place]
            other = changes[place + 1] if place + 1 < count else None
            place += 1
            if change.asset not in (market.yes, market.no):
                continue
            if other is not None and other.asset in (market.yes, market.no) and other.asset != change.asset:
                if not mirrored(change, other):
                    return False
                place += 1
            tracked.set_level(change.asset == market.yes, change)
        return True

    def _snapshot(self, event: BookSnapshot, received_ns: Nanos) -> None:
        tracked = self._find(event.market, event.asset)
        if tracked is None:
            return
        self._counters.snapshots += 1
        book = tracked.book
        if not tracked.feed_up or tracked.doubt is Doubt.RESOLVED:
            return
        if book.seeded and event.timestamp_ms < tracked.burst_ms:
            self._counters.late_events += 1
            return
        if event.timestamp_ms > tracked.burst_ms:
            if book.seeded and (tracked.unsettled or tracked.shown is not None):
                self._close_burst(tracked, event.timestamp_ms)
            tracked.hear_tops(None, None)
        if not book.seeded:
            tracked.paired_ns = received_ns  # silence of the other token counts from here
        self._replace_book(tracked, event)
        tracked.burst_ms = tracked.snapshot_ms = event.timestamp_ms
        doubted, tracked.doubt = tracked.doubt, Doubt.NONE
        tracked.heard_ns[event.asset == tracked.market.yes] = received_ns
        self._changed(tracked, received_ns)
        self._weigh(tracked, doubted, self._judge.snapshot_proof(tracked, event), event.tick is not None)

    def _weigh(self, tracked: Tracked, doubted: Doubt, proof: Proof, states_tick: bool) -> None:
        """What a snapshot is worth. One without tick or proof may have been taken on another grid than we know of."""
        stays = Doubt.NONE
        if proof is Proof.REFUTED:
            self._break(tracked, Doubt.HASH)
            return
        if tracked.levels_off_grid() and not self._judge.proves_tick(proof):
            stays = Doubt.TICK_CHANGE
        elif doubted in _ABOUT_FACTS and not states_tick and proof is not Proof.HELD:
            stays = doubted
        if stays is not Doubt.NONE and stays is not doubted:
            self._break(tracked, stays)
        elif stays is not Doubt.NONE:
            self._doubt(tracked, stays)
        else:
            if proof is Proof.UNSAID:
                tracked.proved_ns = tracked.updated_ns
            if tracked.hash_check.misses:
                tracked.plain = False

    def _replace_book(self, tracked: Tracked, event: BookSnapshot) -> None:
        """Put the snapshot in place; a built book that differs is kept until the burst is over."""
        book, touched = tracked.book, tracked.hash_check.touched
        was_seeded = book.seeded
        touched.extend((book.bid_top, book.ask_top))
        built = book.replaced_by(event.asset == tracked.market.yes, event.bids, event.asks)
        if event.tick is not None:
            tracked.learn_tick(event.tick)
        elif tracked.tick_guessed:
            tracked.guess_tick(book.prices())
        touched.extend((book.bid_top, book.ask_top))
        self._counters.snapshots_checked += was_seeded
        if built is not None and tracked.shadow is None:
            tracked.shadow = built
            tracked.unsettled = True

    def _trade(self, event: LastTrade, _: Nanos) -> None:
        tracked = self._find(event.market, event.asset)
        if tracked is None:
            return
        tracked.last_trade = event
        self._patrol.traded(tracked.condition_id)
        if tracked.hash_check.announced(tracked.book, event.price):
            self._counters.hash_matches += 1
            self._judge.vindicate(tracked)
            tracked.smooth()
            self._soil(tracked)

    def _tops(self, event: BestBidAsk, _: Nanos) -> None:
        """The tops after the burst it belongs to. One of another time says nothing certain of the present book."""
        tracked = self._find(event.market, event.asset)
        if tracked is None or not tracked.book.seeded or event.timestamp_ms != tracked.burst_ms:
            return
        if event.best_bid == UNSAID or event.best_ask == UNSAID:
            return
        self._counters.bbo_checked += 1
        tracked.hear_best(event.asset == tracked.yes, event.best_bid, event.best_ask)
        tracked.look()
        if tracked.suspicious:
            self._soil(tracked)

    def _tick_change(self, event: TickSizeChange, _: Nanos) -> None:
        """Both tokens announce it; the first ends the epoch, the second finds the tick already new."""
        tracked = self._find(event.market, event.asset)
        if tracked is None or event.new_tick == tracked.market.tick:
            return
        if tracked.unsettled:
            self._close_burst(tracked, event.timestamp_ms)
        tracked.learn_tick(event.new_tick)
        self._break(tracked, Doubt.TICK_CHANGE)

    def _resolved(self, event: MarketResolved, _: Nanos) -> None:
        tracked = self._tracked.get(event.market)
        if tracked is not None:
            tracked.replace_market(replace(tracked.market, accepting_orders=False))
            self._end_epoch(tracked, Doubt.RESOLVED)

    def _unknown(self, event: UnknownEvent, _: Nanos) -> None:
        counts = self._counters.unknown_events
        name = event.event_type[:40]
        if name in counts or len(counts) < _MAX_UNKNOWN_EVENTS:
            counts[name] = counts.get(name, 0) + 1

    # What a doubt costs

    def _changed(self, tracked: Tracked, received_ns: Nanos) -> None:
        tracked.look()
        tracked.updated_ns = received_ns
        self._soil(tracked)

    def _close_burst(self, tracked: Tracked, next_ms: Millis | None) -> None:
        before = tracked.why()
        found = self._judge.close_burst(tracked, next_ms)
        if found is not Doubt.NONE:
            self._break(tracked, found)
            return
        tracked.smooth()
        if tracked.why() is not before:
            self._soil(tracked)

    def _miss_stays(self, tracked: Tracked) -> None:
        """Nothing followed that could have proved the book: it is guilty unless the recipe itself is in doubt."""
        tracked.hash_check.give_up()
        if self._judge.watch.accuses:
            self._break(tracked, Doubt.HASH)
        else:
            tracked.smooth()
            self._soil(tracked)

    def _doubt(self, tracked: Tracked, reason: Doubt) -> None:
        tracked.doubt = reason
        tracked.plain = False
        self._soil(tracked)

    def _break(self, tracked: Tracked, doubt: Doubt) -> None:
        if tracked.doubt is Doubt.RESOLVED:
            return
        self._end_epoch(tracked, doubt)
        self._wish(tracked, doubt)

    def _end_epoch(self, tracked: Tracked, doubt: Doubt) -> None:
        tracked.start_epoch(doubt)
        self._soil(tracked)
