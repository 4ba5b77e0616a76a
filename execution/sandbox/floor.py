"""One market's trading floor: placements, cancels and takers in, frames out.

Its one law: every frame it returns tells the truth about its ladder after the whole burst. It knows nothing
of who acts: whoever places, cancels or takes comes through `change` and `take`.
"""

from collections.abc import Sequence

from execution.sandbox import wire
from execution.sandbox.ladder import Change, Ladder, Side
from execution.sandbox.listing import MarketSpec
from execution.sandbox.wire import NO, YES, BookFacts, Frame, Print

FINE_TICK = 10
FINE_ABOVE, FINE_BELOW = 9_600, 400


class Floor:
    """The live state of one market."""

    def __init__(self, spec: MarketSpec, ladder: Ladder, now_ms: int) -> None:
        self.spec = spec
        self.ladder = ladder
        self.tick = spec.tick
        self.last_trade = ""
        self.traded_volume = 0
        self.changed_ms = now_ms

    def facts(self, outcome: int) -> BookFacts:
        return BookFacts(self.spec, outcome, self.tick, self.last_trade, self.changed_ms)

    def opening_book(self, outcome: int) -> dict[str, object]:
        return wire.opening_book(self.facts(outcome), self.ladder)

    def rest_book(self, outcome: int) -> dict[str, object]:
        return wire.rest_book(self.facts(outcome), self.ladder)

    def change(
        self, changes: Sequence[Change], now_ms: int, *, first: int = YES, in_one_frame: bool = True
    ) -> list[Frame]:
        """Apply a burst of placements and cancels that share one timestamp."""
        before = self._tops()
        for change in changes:
            self.ladder.put(change)
        self.changed_ms = now_ms
        return self._announce(changes, first, in_one_frame) + self._moved_tops(before)

    def take(
        self, taker: Side, size: int, limit: int, now_ms: int, *, outcome: int = YES, transaction_hash: str
    ) -> tuple[list[Frame], list[Print]]:
        """Let a taker (side and limit seen from YES) eat the book; the caller announces the prints, later."""
        before, resting = self._tops(), dict(self.ladder.levels(taker.other))
        eaten = self.ladder.take(taker, size, limit)
        if not eaten:
            return [], []
        self.changed_ms = now_ms
        prints = []
        for level in eaten:
            side, price = wire.seen_from(outcome, taker, level.price)
            traded = resting[level.price] - level.size
            self.traded_volume += traded
            prints.append(Print(self.spec, outcome, side, price, traded, transaction_hash))
        # One value per market, not complemented: whichever token traded last. It enters the hash here, before
        # anybody announces it.
        self.last_trade = f"{prints[-1].price / 10_000:.3f}"
        frames = self._announce(eaten, outcome, in_one_frame=False) + self._books()
        return frames + self._moved_tops(before), prints

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
            Frame(self.spec.asset_ids, wire.price_change(both, self.ladder, group, hashes, first))
            for group in groups
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
