"""What the venue of `bench quote --load` will say, written before it says anything.

Law: made by the sandbox's own floors, so every frame tells the truth about its book, with the venue's spelling and its
hashes. Playing it costs next to nothing: the bytes are ready for the socket, and what the books are after each of them
is kept beside, for whoever asks for a snapshot.

Books have up to thirty levels a side. Of a hundred things that happen in a market, eighty resize a level, eighteen move
the whole book by a tick and back, two are trades. Which market, is chance.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from execution.sandbox import wire
from execution.sandbox.floor import Floor
from execution.sandbox.ladder import PRICE_ONE, SHARE, Change, Ladder, Side
from execution.sandbox.listing import MarketSpec, hex_id
from execution.sandbox.wire import Frame, Print

STRETCH_S = 10
LEVELS = 30
MOVES, TRADES = 18, 2
ANNOUNCED_MS = 200
TEXT = 0x81


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` and `burst` in messages a second; one second of every ten is a burst, and one of every shorter run."""

    markets: int
    rate: int
    burst: int
    seconds: int
    seed: int = 7

    def is_burst(self, slot_ms: int) -> bool:
        """Bursts stand in the middle of their stretch, so that the end of a run sees the last one out."""
        stretch_s = min(STRETCH_S, self.seconds)
        return slot_ms // 1_000 % stretch_s == stretch_s // 2

    def bursts_ms(self) -> list[tuple[int, int]]:
        return [(at * 1_000, (at + 1) * 1_000) for at in range(self.seconds) if self.is_burst(at * 1_000)]

    def due(self, slot_ms: int) -> int:
        """Messages of this millisecond, so spread that every second has its whole number."""
        of_second = self.burst if self.is_burst(slot_ms) else self.rate
        within = slot_ms % 1_000
        return of_second * (within + 1) // 1_000 - of_second * within // 1_000


@dataclass(frozen=True, slots=True)
class State:
    """What a floor is after an act."""

    bids: dict[int, int]
    asks: dict[int, int]
    last_trade: str
    changed_ms: int

    @classmethod
    def of(cls, floor: Floor) -> "State":
        return cls(dict(floor.ladder.bids), dict(floor.ladder.asks), floor.last_trade, floor.changed_ms)

    def put(self, floor: Floor) -> None:
        floor.ladder.bids, floor.ladder.asks = dict(self.bids), dict(self.asks)
        floor.last_trade, floor.changed_ms = self.last_trade, self.changed_ms


@dataclass(frozen=True, slots=True)
class Saying:
    """The frames of one act in one market, as WebSocket frames back to back; `state` None changes no book."""

    market: int
    data: bytes
    messages: int
    state: State | None


@dataclass(slots=True)
class Script:
    """`slots` are milliseconds from the start. `opening` is where the books stand before."""

    plan: Plan
    start_ms: int
    opening: list[State]
    slots: list[list[Saying]] = field(default_factory=list)
    by_type: Counter[str] = field(default_factory=Counter)

    @property
    def messages(self) -> int:
        return sum(self.by_type.values())


def write(plan: Plan, specs: Sequence[MarketSpec], start_ms: int) -> Script:
    rng = Random(plan.seed)
    walks = [_Walk(spec, rng, start_ms - 1) for spec in specs]
    script = Script(plan, start_ms, [State.of(walk.floor) for walk in walks])
    later: dict[int, list[tuple[int, Print]]] = {}
    ahead = 0  # an act may say more than was due; the next milliseconds are shorter by that
    for slot in range(plan.seconds * 1_000):
        now_ms = start_ms + slot
        sayings = [
            _saying(script, market, [wire.last_trade_price(trade, now_ms)], None)
            for market, trade in later.pop(slot, ())
        ]
        ahead += sum(each.messages for each in sayings) - plan.due(slot)
        while ahead < 0:
            market = rng.randrange(len(walks))
            frames, prints = walks[market].act(now_ms)
            sayings.append(_saying(script, market, frames, State.of(walks[market].floor)))
            later.setdefault(slot + ANNOUNCED_MS, []).extend((market, trade) for trade in prints)
            ahead += len(frames)
        script.slots.append(sayings)
    return script


def _saying(script: Script, market: int, frames: Sequence[Frame], state: State | None) -> Saying:
    script.by_type.update(json.loads(frame.text)["event_type"] for frame in frames)
    return Saying(market, b"".join(framed(frame.text.encode()) for frame in frames), len(frames), state)


def framed(payload: bytes) -> bytes:
    """A server's text frame (RFC 6455, 5.2): whole, not masked."""
    length = len(payload)
    if length < 126:
        return bytes((TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((TEXT, 126)) + length.to_bytes(2, "big") + payload
    return bytes((TEXT, 127)) + length.to_bytes(8, "big") + payload


class _Walk:
    """One market's life: its book never strays more than a tick from where it began, so no set becomes a bargain."""

    def __init__(self, spec: MarketSpec, rng: Random, now_ms: int) -> None:
        self._rng = rng
        self._tick = spec.tick
        self._home = min(PRICE_ONE - 3 * spec.tick, max(3 * spec.tick, int(spec.fair) // spec.tick * spec.tick))
        self._strayed = 0
        self.floor = Floor(spec, Ladder(), now_ms)
        for side in Side:
            for price in self._prices(side):
                self.floor.ladder.put(Change(side, price, self._size()))

    def act(self, now_ms: int) -> tuple[list[Frame], list[Print]]:
        drawn = self._rng.randrange(100)
        if drawn < TRADES:
            return self._trade(now_ms)
        changes = list(self._move()) if drawn < TRADES + MOVES else [self._resize()]
        return self.floor.change(changes, now_ms), []

    def _prices(self, side: Side) -> list[int]:
        middle, towards = self._home + self._strayed * self._tick, -1 if side is Side.BUY else 1
        prices = (middle + towards * (1 + at) * self._tick for at in range(LEVELS))
        return [price for price in prices if 0 < price < PRICE_ONE]

    def _size(self) -> int:
        return self._rng.randrange(20, 900) * SHARE

    def _resize(self) -> Change:
        side = Side(self._rng.randrange(2))
        levels = self.floor.ladder.levels(side)
        price = self._rng.choice(self.floor.ladder.from_the_touch(side)[:6])
        size = self._size()
        return Change(side, price, size if size != levels[price] else size + SHARE)

    def _move(self) -> Iterator[Change]:
        """A tick away from home or back to it; what goes first makes room for what comes."""
        self._strayed = 0 if self._strayed else self._rng.choice((-1, 1))
        wanted = {side: set(self._prices(side)) for side in Side}
        for side in Side:
            for price in sorted(set(self.floor.ladder.levels(side)) - wanted[side]):
                yield Change(side, price, 0)
        for side in Side:
            for price in sorted(wanted[side] - set(self.floor.ladder.levels(side))):
                yield Change(side, price, self._size())

    def _trade(self, now_ms: int) -> tuple[list[Frame], list[Print]]:
        """Somebody takes a part of the best level."""
        taker, outcome = Side(self._rng.randrange(2)), self._rng.randrange(2)
        best = self.floor.ladder.best(taker.other)
        half = self.floor.ladder.levels(taker.other)[best] // (2 * SHARE) * SHARE or SHARE
        return self.floor.take(taker, half, best, now_ms, outcome=outcome, transaction_hash=hex_id(self._rng))
