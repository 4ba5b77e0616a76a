"""The market side of the sandbox as a function of seed and time.

Its one law: it neither waits nor looks at a clock; `advance(now_ms)` returns what happened until then, and
how the time is cut into calls changes nothing.
"""

import heapq
from collections.abc import Iterable

from execution.sandbox import wire
from execution.sandbox.crowd import Crowd, Mood
from execution.sandbox.floor import Floor
from execution.sandbox.listing import EventSpec, MarketSpec, build_listing
from execution.sandbox.wire import Frame, Print

# The venue announces a trade about a fifth of a second after the books have shown it.
ANNOUNCE_MS = (150, 240)


class Generator:
    """All markets of one sandbox and the traders that keep them alive."""

    def __init__(
        self, *, seed: int, markets: int, start_ms: int, pace: float = 1.0, mood: Mood = Mood.MIXED, fee_bips: int = 0
    ) -> None:
        if pace <= 0:
            raise ValueError("pace must be above zero")
        self.events: tuple[EventSpec, ...] = build_listing(seed, markets, fee_bips)
        self.now_ms = start_ms
        self._crowds = [Crowd(seed, event, start_ms, pace=pace, mood=mood) for event in self.events]
        self._floors: dict[str, tuple[Floor, int]] = {
            asset_id: (floor, outcome)
            for crowd in self._crowds
            for floor in crowd.floors
            for outcome, asset_id in enumerate(floor.spec.asset_ids)
        }
        self._turns = [(start_ms + crowd.pause_ms(), index) for index, crowd in enumerate(self._crowds)]
        heapq.heapify(self._turns)
        self._prints: list[tuple[int, int, Print]] = []
        self._printed = 0

    @property
    def asset_ids(self) -> list[str]:
        """Every token with a book, YES before NO, in the order of the listing."""
        return list(self._floors)

    @property
    def markets(self) -> list[MarketSpec]:
        return [market for event in self.events for market in event.open_markets]

    def floor(self, asset_id: str) -> Floor | None:
        found = self._floors.get(asset_id)
        return found[0] if found else None

    def opening_books(self, asset_ids: Iterable[str]) -> list[dict[str, object]]:
        """The greeting books of those of the ids that exist."""
        return [
            floor.opening_book(outcome)
            for floor, outcome in (self._floors[asset_id] for asset_id in asset_ids if asset_id in self._floors)
        ]

    def rest_book(self, asset_id: str) -> dict[str, object] | None:
        found = self._floors.get(asset_id)
        return found[0].rest_book(found[1]) if found else None

    def advance(self, now_ms: int) -> list[Frame]:
        """Everything that happened since the last call, in order."""
        frames: list[Frame] = []
        while (due_ms := self._next_due()) <= now_ms:
            frames += self._announce() if self._prints and self._prints[0][0] == due_ms else self._turn()
        self.now_ms = max(self.now_ms, now_ms)
        return frames

    def announce_later(self, prints: Iterable[Print], now_ms: int) -> None:
        """Trades of now, to be told when the venue tells them."""
        low, high = ANNOUNCE_MS
        for trade in prints:
            # Taken from the trade's own hash, so that it needs no generator of its own.
            delay_ms = low + int(trade.transaction_hash[2:10], 16) % (high - low)
            heapq.heappush(self._prints, (now_ms + delay_ms, self._printed, trade))
            self._printed += 1

    def announce_rest(self) -> list[Frame]:
        """The trades that are still to be announced, for a recording that ends here."""
        return [frame for _ in range(len(self._prints)) for frame in self._announce()]

    def hold(self, events: Iterable[int], until_ms: int) -> None:
        """The traders of these events, by number, do nothing until then."""
        held = set(events)
        self._turns = [(max(due_ms, until_ms) if index in held else due_ms, index) for due_ms, index in self._turns]
        heapq.heapify(self._turns)

    def skip_to(self, now_ms: int) -> None:
        """Leave a gap in time: what was due moves behind it and nothing happens inside it."""
        gap = now_ms - self.now_ms
        if gap <= 0:
            return
        self._turns = [(due_ms + gap, index) for due_ms, index in self._turns]
        self._prints = [(due_ms + gap, number, trade) for due_ms, number, trade in self._prints]
        self.now_ms = now_ms

    def _next_due(self) -> int:
        turn_ms = self._turns[0][0]
        return min(turn_ms, self._prints[0][0]) if self._prints else turn_ms

    def _announce(self) -> list[Frame]:
        due_ms, _, trade = heapq.heappop(self._prints)
        return [wire.last_trade_price(trade, due_ms)]

    def _turn(self) -> list[Frame]:
        due_ms, index = heapq.heappop(self._turns)
        crowd = self._crowds[index]
        acts = crowd.act(due_ms)
        self.announce_later(acts.prints, due_ms)
        heapq.heappush(self._turns, (due_ms + crowd.pause_ms(), index))
        return acts.frames
