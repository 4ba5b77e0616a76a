"""The simulated traders of one event: they quote around a fair price, cancel, and cross the spread.

Its one law: everything they do follows from the seed and the times they are called at; no clock, no I/O, and
nothing from the mathematics library, so that the same seed acts the same on every machine.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from execution.sandbox.floor import FINE_TICK, Floor
from execution.sandbox.ladder import PRICE_ONE, SHARE, Change, Ladder, Side
from execution.sandbox.listing import EventSpec, MarketSpec, hex_id
from execution.sandbox.wire import NO, YES, Frame, Print

# Ticks between the touch and each further level: contiguous at first, then thinning out.
OFFSETS = (0, 1, 2, 3, 4, 5, 7, 9, 12, 16)
CENT_SHARES = SHARE // 100
QUIET_PAUSE_MS, SHORTEST_PAUSE_MS = 1_400, 5
EXCURSION = 0.975


class Mood(StrEnum):
    """Which regimes the traders go through."""

    MIXED = "mixed"
    QUIET = "quiet"
    WILD = "wild"


@dataclass(frozen=True, slots=True)
class Regime:
    """How restless the traders are."""

    drift: float
    pull: float
    trade_share: float
    sweep_share: float
    spread_ticks: int
    haste: float


QUIET = Regime(drift=0.003, pull=0.03, trade_share=0.26, sweep_share=0.35, spread_ticks=2, haste=1.0)
WILD = Regime(drift=0.010, pull=0.07, trade_share=0.36, sweep_share=0.55, spread_ticks=4, haste=2.0)


@dataclass(slots=True)
class Acts:
    """What one turn brought: frames for now and prints for a moment later."""

    frames: list[Frame]
    prints: list[Print]


class Crowd:
    """Everybody who trades the markets of one event."""

    def __init__(self, seed: int, event: EventSpec, start_ms: int, *, pace: float, mood: Mood) -> None:
        self._rng = Random(f"crowd:{seed}:{event.number}")
        self._pace = pace
        self._mood = mood
        self._wild = mood is Mood.WILD
        self._turns_ms = start_ms + self._rng.randrange(4_000, 20_000)
        self._again: int | None = None
        self._clump = 0
        self._fairs = [market.fair / PRICE_ONE for market in event.open_markets]
        self._anchors = list(self._fairs)
        if self._wild and len(self._fairs) == 1:
            self._anchors = [EXCURSION]
        self._depth = [self._rng.randrange(45, 110) for _ in self._fairs]
        self.floors = [self._furnish(index, market, start_ms) for index, market in enumerate(event.open_markets)]

    @property
    def regime(self) -> Regime:
        return WILD if self._wild else QUIET

    def pause_ms(self) -> int:
        """Time until the next turn: bursts come in clumps, repairs come soon."""
        rng = self._rng
        if self._again is not None:
            return rng.randrange(20, 120)
        if self._clump == 0 and rng.random() < 0.12:
            self._clump = rng.randrange(1, 4)
        elif self._clump:
            self._clump -= 1
            return rng.randrange(SHORTEST_PAUSE_MS, 40)
        mean = QUIET_PAUSE_MS / (self._pace * self.regime.haste * len(self.floors))
        return max(SHORTEST_PAUSE_MS, int(mean * (0.3 + 1.4 * rng.random())))

    def act(self, now_ms: int) -> Acts:
        """Take one turn on one market."""
        rng = self._rng
        self._change_mood(now_ms)
        index = self._again if self._again is not None else rng.randrange(len(self.floors))
        self._again = None
        floor = self.floors[index]
        if floor.outgrows_its_tick():
            return Acts(floor.refine_tick(now_ms), [])
        self._walk(index)
        acts = self._cross_the_spread(index, now_ms)
        if acts is None:
            first = YES if rng.random() < 0.6 else NO
            changes = self._requotes(index)
            one_frame = rng.random() < 0.5
            acts = Acts(floor.change(changes, now_ms, first=first, in_one_frame=one_frame) if changes else [], [])
        if floor.outgrows_its_tick() or self._torn(index):
            self._again = index
        return acts

    def _change_mood(self, now_ms: int) -> None:
        if self._mood is not Mood.MIXED or now_ms < self._turns_ms:
            return
        rng = self._rng
        self._wild = not self._wild
        self._turns_ms = now_ms + (rng.randrange(5_000, 15_000) if self._wild else rng.randrange(15_000, 60_000))
        if len(self._fairs) == 1:
            strays = rng.random() < 0.02
            centre = min(0.82, max(0.18, self._fairs[0] + 0.12 * (rng.random() - 0.5)))
            self._anchors = [EXCURSION if strays else centre]

    def _walk(self, index: int) -> None:
        """Move one fair price, bounded and pulled to its anchor; the others of the event make room for it."""
        rng, regime = self._rng, self.regime
        old = self._fairs[index]
        # On a fine grid the same news is worth fewer cents, or every turn would sweep the book.
        news = regime.drift if self.floors[index].tick > FINE_TICK else regime.drift / 5
        step = news * (rng.random() + rng.random() - 1.0)
        lowest = 0.02 if len(self._fairs) == 1 else 0.05
        new = min(1.0 - lowest, max(lowest, old + step + regime.pull * (self._anchors[index] - old)))
        if len(self._fairs) > 1:
            room = (1.0 - new) / (1.0 - old)
            self._fairs = [max(lowest, fair * room) for fair in self._fairs]
        self._fairs[index] = new

    def _cross_the_spread(self, index: int, now_ms: int) -> Acts | None:
        """Somebody who knows the fair price picks off stale levels, or somebody just wants in or out."""
        rng, floor = self._rng, self.floors[index]
        fair = self._fairs[index] * PRICE_ONE
        if floor.ladder.best_ask() < fair:
            return self._take(floor, Side.BUY, 3, now_ms)
        if floor.ladder.best_bid() > fair:
            return self._take(floor, Side.SELL, 3, now_ms)
        if rng.random() >= self.regime.trade_share:
            return None
        levels = 1 if rng.random() >= self.regime.sweep_share else rng.randrange(2, 4)
        return self._take(floor, Side(rng.randrange(2)), levels, now_ms)

    def _take(self, floor: Floor, taker: Side, levels: int, now_ms: int) -> Acts | None:
        """Eat the first levels whole and a part of the last, but leave a side at least two."""
        rng = self._rng
        resting = floor.ladder.levels(taker.other)
        prices = floor.ladder.from_the_touch(taker.other)[: min(levels, len(resting) - 2)]
        if not prices:
            return None
        last = int(resting[prices[-1]] * (0.25 + 0.75 * rng.random())) // CENT_SHARES * CENT_SHARES
        size = sum(resting[price] for price in prices[:-1]) + max(5 * SHARE, last)
        frames, prints = floor.take(
            taker, size, prices[-1], now_ms, outcome=rng.randrange(2), transaction_hash=hex_id(rng)
        )
        return Acts(frames, prints)

    def _torn(self, index: int) -> bool:
        """True when the touch is further from fair than anybody would leave it."""
        floor, fair = self.floors[index], self._fairs[index] * PRICE_ONE
        widest = 2.5 * floor.tick
        return floor.ladder.best_ask() - fair > widest or fair - floor.ladder.best_bid() > widest

    def _touch(self, side: Side, fair: float, tick: int) -> int:
        """Where this side would start: half a spread from fair, rounded away from it, on the grid."""
        half = self.regime.spread_ticks * tick / 2
        if side is Side.BUY:
            return int((fair - half * 0.75) // tick) * tick
        return -int(-(fair + half * 0.75) // tick) * tick

    def _requotes(self, index: int) -> list[Change]:
        """A burst of placements and cancels, at most one per level."""
        rng = self._rng
        burst: dict[tuple[Side, int], Change] = {}
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
            side = Side(rng.randrange(2))
            change = self._requote(index, side)
            if change is not None:
                burst.setdefault((side, change.price), change)
        return list(burst.values())

    def _requote(self, index: int, side: Side) -> Change | None:
        rng, floor = self._rng, self.floors[index]
        fair = self._fairs[index] * PRICE_ONE
        touch, towards = self._touch(side, fair, floor.tick), 1 if side is Side.BUY else -1
        resting = floor.ladder.levels(side)
        best = floor.ladder.best(side)
        # Nobody places through the other side: that would be a trade.
        opposite = floor.ladder.best(side.other)
        touch = min(touch, opposite - floor.tick) if side is Side.BUY else max(touch, opposite + floor.tick)
        if (touch - best) * towards > 0 and 0 < touch < PRICE_ONE:
            return Change(side, touch, self._size(index, 0))
        if (best - touch) * towards > floor.tick and len(resting) > 4:
            return Change(side, best, 0)
        offset = rng.choice(OFFSETS[: 4 + rng.randrange(7)])
        price = touch - towards * offset * floor.tick
        far = floor.ladder.from_the_touch(side)[-1:]
        if len(resting) > len(OFFSETS) + 3 and far:
            return Change(side, far[0], 0)
        if not 0 < price < PRICE_ONE:
            return None
        if price in resting and offset and rng.random() < 0.18:
            return Change(side, price, 0)
        return Change(side, price, self._size(index, offset))

    def _size(self, index: int, offset: int) -> int:
        """Depth grows away from the touch; sizes have two decimals and like round numbers."""
        shares = self._depth[index] * (0.5 + 0.4 * offset) * (0.6 + 0.8 * self._rng.random())
        if self._rng.random() < 0.3:
            return max(10, int(shares / 10) * 10) * SHARE
        return max(5 * SHARE, int(shares * 100) * CENT_SHARES)

    def _furnish(self, index: int, market: MarketSpec, now_ms: int) -> Floor:
        """Open a floor with a full book."""
        ladder = Ladder()
        for side, towards in ((Side.BUY, 1), (Side.SELL, -1)):
            touch = self._touch(side, float(market.fair), market.tick)
            for offset in OFFSETS:
                price = touch - towards * offset * market.tick
                if 0 < price < PRICE_ONE:
                    ladder.put(Change(side, price, self._size(index, offset)))
        return Floor(market, ladder, now_ms)
