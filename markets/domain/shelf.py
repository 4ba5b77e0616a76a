"""The shelf: which markets are tracked, what may be asked about them, and what waits to be picked up.

Law: reading changes nothing but the lists that are drained. Every order is the order of arrival.
"""

from collections.abc import Iterable, Iterator

from markets.domain.book import MarketBook
from markets.domain.events import LastTrade
from markets.domain.integrity import BookCounters, Doubt, Resync, Trust
from markets.domain.judge import Judge
from markets.domain.market import Market
from markets.domain.recipe_watch import RecipeState
from markets.domain.tracked import Tracked
from markets.domain.units import AssetId, ConditionId, Nanos


class Shelf:
    """Tracked markets by condition and by token."""

    def __init__(self, *, auto_track: bool, hash_every: int) -> None:
        self._counters = BookCounters()
        self._judge = Judge(self._counters, hash_every)
        self._auto_track = auto_track
        self._tracked: dict[ConditionId, Tracked] = {}
        self._by_asset: dict[AssetId, Tracked] = {}
        self._dirty: list[ConditionId] = []
        self._drains = 0
        self._resyncs: dict[ConditionId, Resync] = {}
        self._requests = 0

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
        self._add(Tracked(market, self._judge.watch, guessed=False))

    def untrack(self, condition_id: ConditionId) -> None:
        tracked = self._tracked.pop(condition_id, None)
        if tracked is None:
            return
        self._by_asset.pop(tracked.market.yes, None)
        self._by_asset.pop(tracked.market.no, None)
        if tracked.soiled == self._drains:
            self._dirty.remove(condition_id)
        self._resyncs.pop(condition_id, None)
        self._judge.watch.forget(condition_id)

    def _add(self, tracked: Tracked) -> None:
        market = tracked.market
        self._tracked[market.condition_id] = tracked
        self._by_asset[market.yes] = tracked
        if market.no:
            self._by_asset[market.no] = tracked

    def _find(self, condition_id: ConditionId, asset: AssetId) -> Tracked | None:
        """The tracked market this token belongs to; with `auto_track` it becomes one."""
        tracked = self._by_asset.get(asset)
        if tracked is not None:
            return tracked
        if self._auto_track:
            tracked = self._tracked.get(condition_id)
            if tracked is None:
                market = Market(condition_id, event_id=condition_id, question="", yes=asset, no="")
                tracked = Tracked(market, self._judge.watch, guessed=True)
                self._add(tracked)
                return tracked
            if not tracked.market.no:
                tracked.learn_no(asset)
                self._by_asset[asset] = tracked
                return tracked
        self._counters.unknown_assets += 1
        return None

    def _of(self, assets: Iterable[AssetId]) -> Iterator[Tracked]:
        found = {}
        for asset in assets:
            tracked = self._by_asset.get(asset)
            if tracked is not None:
                found[tracked.condition_id] = tracked
        yield from found.values()

    # What can be asked

    def tracked(self, condition_id: ConditionId) -> Tracked | None:
        """Book, market and trust at one look, for who needs most of them. To be read only."""
        return self._tracked.get(condition_id)

    def markets_of(self, assets: Iterable[AssetId]) -> tuple[ConditionId, ...]:
        """The tracked markets that have one of these tokens."""
        return tuple(tracked.condition_id for tracked in self._of(assets))

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

    def trusts(self) -> dict[Trust, int]:
        """How many tracked books are trusted how far. One in good order needs no closer look."""
        counts = dict.fromkeys((Trust.VERIFIED, Trust.SUSPECT, Trust.BROKEN), 0)
        for tracked in self._tracked.values():
            counts[Trust.VERIFIED if tracked.plain else tracked.trust()] += 1
        return counts

    def doubt(self, condition_id: ConditionId) -> Doubt:
        """Why the book is not VERIFIED; Doubt.NONE when it is."""
        tracked = self._tracked.get(condition_id)
        return Doubt.UNTRACKED if tracked is None else tracked.why()

    def last_update_ns(self, condition_id: ConditionId) -> Nanos:
        """When the book last changed or was confirmed; 0 when never."""
        tracked = self._tracked.get(condition_id)
        return 0 if tracked is None else tracked.updated_ns

    def last_proof_ns(self, condition_id: ConditionId) -> Nanos:
        """When the book was last proved by a hash, a snapshot or an audit; 0 when never."""
        tracked = self._tracked.get(condition_id)
        return 0 if tracked is None else tracked.proved_ns

    def last_trade(self, condition_id: ConditionId) -> LastTrade | None:
        tracked = self._tracked.get(condition_id)
        return None if tracked is None else tracked.last_trade

    def neg_risk(self, condition_id: ConditionId) -> bool | None:
        """As metadata or the hash says; None while neither does."""
        tracked = self._tracked.get(condition_id)
        return None if tracked is None else tracked.hash_check.neg_risk

    @property
    def recipe_state(self) -> RecipeState:
        return self._judge.watch.state

    @property
    def recipes_matched(self) -> dict[str, int]:
        """Hashes that came out, by the recipe they came out with."""
        return {recipe.value: matches for recipe, matches in self._judge.watch.matches.items()}

    def drain_dirty(self) -> list[ConditionId]:
        """Markets whose book or trust changed since the last call, in the order they did."""
        dirty, self._dirty = self._dirty, []
        self._drains += 1
        return dirty

    def _soil(self, tracked: Tracked) -> None:
        if tracked.soiled != self._drains:
            tracked.soiled = self._drains
            self._dirty.append(tracked.condition_id)

    def drain_resyncs(self) -> list[Resync]:
        """Snapshots wished for since the last call, at most one wish per market."""
        if not self._resyncs:
            return []
        wishes = list(self._resyncs.values())
        self._resyncs.clear()
        return wishes

    def _wish(self, tracked: Tracked, reason: Doubt) -> None:
        market = tracked.market
        assets = (market.yes, market.no) if market.no else (market.yes,)
        self._counters.resyncs[reason] = self._counters.resyncs.get(reason, 0) + 1
        if market.condition_id not in self._resyncs:
            self._requests += 1
            self._resyncs[market.condition_id] = Resync(market.condition_id, assets, reason, self._requests)
