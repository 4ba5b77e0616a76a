"""One market's trading floor: placements, cancels and takers in, frames out.

Its one law: every frame it returns tells the truth about its ladder after the whole burst. The simulated
traders come through `change` and `take`, users' orders through `join`, `leave` and `lift`; the ladder shows the
sum of both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from execution.sandbox import wire
from execution.sandbox.ladder import Change, Ladder, Side
from execution.sandbox.lines import Leg, Lines
from execution.sandbox.listing import MarketSpec
from execution.sandbox.wire import NO, YES, BookFacts, Frame, Print

FINE_TICK = 10
FINE_ABOVE, FINE_BELOW = 9_600, 400


@dataclass(frozen=True, slots=True)
class Meeting:
    """A simulated taker met users' orders; side and prices seen from YES, `outcome` is the taker's token."""

    spec: MarketSpec
    at_ms: int
    taker: Side
    outcome: int
    transaction_hash: str
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a taker brought about: frames for now, prints for a moment later, and whom it met."""

    frames: list[Frame]
    prints: list[Print]
    legs: list[Leg]


class Floor:
    """The live state of one market."""

    def __init__(self, spec: MarketSpec, ladder: Ladder, now_ms: int) -> None:
        self.spec = spec
        self.ladder = ladder
        self.tick = spec.tick
        self.last_trade = ""
        self.traded_volume = 0
        self.changed_ms = now_ms
        self.last_taker: tuple[int, Side] | None = None
        self.lines = Lines()
        # Where meetings with users' orders are left for whoever keeps their books.
        self.meetings: list[Meeting] = []

    def facts(self, outcome: int) -> BookFacts:
        return BookFacts(self.spec, outcome, self.tick, self.last_trade, self.changed_ms)

    def opening_book(self, outcome: int) -> dict[str, object]:
        return wire.opening_book(self.facts(outcome), self.ladder)

    def rest_book(self, outcome: int) -> dict[str, object]:
        return wire.rest_book(self.facts(outcome), self.ladder)

    def change(
        self, changes: Sequence[Change], now_ms: int, *, first: int = YES, in_one_frame: bool = True
    ) -> list[Frame]:
        """Apply a burst of the traders' placements and cancels that share one timestamp."""
        changes = [
            shown
            for change in changes
            if (shown := self.lines.resized(change)) is change or shown.size != self._resting(shown)
        ]
        return self._show(changes, now_ms, first, in_one_frame) if changes else []

    def _resting(self, change: Change) -> int:
        return self.ladder.levels(change.side).get(change.price, 0)

    def _show(self, changes: Sequence[Change], now_ms: int, first: int, in_one_frame: bool) -> list[Frame]:
        before = self._tops()
        for change in changes:
            self.ladder.put(change)
        self.changed_ms = now_ms
        return self._announce(changes, first, in_one_frame) + self._moved_tops(before)

    def join(self, order_id: str, side: Side, price: int, size: int, now_ms: int, first: int) -> list[Frame]:
        """Rest a user's order, behind what rests at its price already."""
        resting = self.ladder.levels(side).get(price, 0)
        return self._show([self.lines.join(order_id, side, price, size, resting)], now_ms, first, True)

    def leave(self, order_id: str, side: Side, price: int, now_ms: int, first: int) -> list[Frame]:
        """Take a user's order out of the book."""
        return self._show([self.lines.leave(order_id, side, price)], now_ms, first, True)

    def within(self, taker: Side, limit: int) -> Iterator[Leg]:
        """What a taker would meet up to a price, in the order of price and time."""
        side = taker.other
        for price in self.ladder.from_the_touch(side):
            if price > limit if taker is Side.BUY else price < limit:
                return
            yield from self.lines.waiting(side, price, self.ladder.levels(side)[price])

    def take(
        self, taker: Side, size: int, limit: int, now_ms: int, *, outcome: int = YES, transaction_hash: str
    ) -> tuple[list[Frame], list[Print]]:
        """Let a simulated taker (side and limit seen from YES) eat the book; the prints are for later."""
        taken = self.lift(taker, size, limit, now_ms, outcome=outcome, transaction_hash=transaction_hash)
        if any(leg.order_id is not None for leg in taken.legs):
            legs = tuple(taken.legs)
            self.meetings.append(Meeting(self.spec, now_ms, taker, outcome, transaction_hash, legs))
        return taken.frames, taken.prints

    def lift(self, taker: Side, size: int, limit: int, now_ms: int, *, outcome: int, transaction_hash: str) -> Taken:
        """Eat the book up to a price, first come first at each level."""
        before, resting = self._tops(), dict(self.ladder.levels(taker.other))
        eaten = self.ladder.take(taker, size, limit)
        if not eaten:
            return Taken([], [], [])
        self.changed_ms = now_ms
        prints, legs = [], []
        for level in eaten:
            side, price = wire.seen_from(outcome, taker, level.price)
            traded = resting[level.price] - level.size
            self.traded_volume += traded
            prints.append(Print(self.spec, outcome, side, price, traded, transaction_hash))
            legs += self.lines.serve(level.side, level.price, traded)
        # One value per market, not complemented: whichever token traded last. It enters the hash here, before
        # anybody announces it.
        self.last_trade = f"{prints[-1].price / 10_000:.3f}"
        self.last_taker = (outcome, prints[-1].side)
        frames = self._announce(eaten, outcome, in_one_frame=False) + self._books()
        return Taken(frames + self._moved_tops(before), prints, legs)

    def outgrows_its_tick(self) -> bool:
        """True when the price has gone where the venue quotes in tenths of a cent."""
        if self.tick <= FINE_TICK or not self.ladder.bids or not self.ladder.asks:
            return False
        middle = (self.ladder.best_bid() + self.ladder.best_ask()) / 2
        return middle > FINE_ABOVE or middle < FINE_BELOW

    def refine_tick(self, now_ms: int) -> list[Frame]:
        """Switch to the fine grid and show both books afresh."""
        old, self.tick, self.changed_ms = self.tick, FINE_TICK, now_ms
        announced = [
            Frame((self.facts(outcome).asset_id,), wire.tick_size_change(self.facts(outcome), old))
            for outcome in (YES, NO)
        ]
        return announced + self._books()

    def _announce(self, changes: Sequence[Change], first: int, in_one_frame: bool) -> list[Frame]:
        both = self.facts(YES), self.facts(NO)
        hashes = (str(self.rest_book(YES)["hash"]), str(self.rest_book(NO)["hash"]))
        groups = [changes] if in_one_frame else [[change] for change in changes]
        return [
            Frame(self.spec.asset_ids, wire.price_change(both, self.ladder, group, hashes, first)) for group in groups
        ]

    def _books(self) -> list[Frame]:
        return [
            Frame((self.spec.asset_ids[outcome],), wire.traded_book(self.facts(outcome), self.ladder))
            for outcome in (YES, NO)
        ]

    def _tops(self) -> tuple[int, int]:
        return self.ladder.best_bid(), self.ladder.best_ask()

    def _moved_tops(self, before: tuple[int, int]) -> list[Frame]:
        if self._tops() == before:
            return []
        return [
            Frame(
                (self.spec.asset_ids[outcome],),
                wire.best_bid_ask(self.facts(outcome), self.ladder),
                custom=True,
            )
            for outcome in (YES, NO)
        ]
