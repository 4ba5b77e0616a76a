"""A run that dies and is taken up again decides as one that never stopped, on the same recording."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from execution.domain.blotter import OrderRecord
from execution.domain.commands import Cancel, Cancelled, Command, Fill, Outcome, Place, Rejected
from execution.domain.orders import ENDED
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, SIZE_ONE, Nanos
from markets.feed.frames import read_frames
from markets.gamma.metadata import read_markets
from polyweb.runtime.inbox import Control, Tick, TraderConfig
from polyweb.runtime.rehearsal_venues import PaperVenue
from polyweb.runtime.trader import Trader
from risk.domain.breakers import BreakerKind
from risk.domain.limits import Limits
from risk.domain.thresholds import Thresholds
from strategies.domain.params import SpreadParams
from tests.builders import a_control

DATA = Path(__file__).parents[2] / "data"
WILD = DATA / "wild_tick_change.jsonl.gz"
MARKETS = read_markets(WILD.with_name(WILD.name + ".metadata.json"))
FRAMES = [frame for frame in read_frames(WILD) if isinstance(frame, Frame)]
CASH = 1_000 * CASH_ONE
# Tight enough that what was used up before the cut decides what happens after it.
PARAMS = SpreadParams(max_cancels_per_minute=6, size=20 * SIZE_ONE)
LIMITS = Limits(orders_per_second=2)
TERMS = Thresholds(rejects=5, rejects_window_s=30, cooldown_s=20)


def control() -> Control:
    return a_control(MARKETS, 0, defaults=PARAMS, limits=LIMITS, thresholds=TERMS)


class Moody:
    """A paper venue that turns some orders down, always the same ones."""

    def __init__(self) -> None:
        self.known: dict[str, Market] = {market.condition_id: market for market in MARKETS}
        self.paper = PaperVenue(self.known.get, CASH, seed=1)
        self.waiting: list[Outcome] = []
        self.placed: dict[int, tuple[Place, int]] = {}

    def place(self, place: Place, now_ns: Nanos) -> None:
        for index, order in enumerate(place.orders):
            self.placed[order.client_order_id] = (place, index)
            if order.client_order_id % 3 == 0:
                self.waiting.append(Rejected(order.client_order_id, "order_crosses", "no", now_ns))
            else:
                self.paper.place(msgspec.structs.replace(place, orders=(order,)), now_ns)

    def due(self, now_ns: Nanos) -> Sequence[Outcome]:
        told, self.waiting = [*self.waiting, *self.paper.due(now_ns)], []
        return told


class Run:
    """One process's trader at a venue that outlives it."""

    def __init__(self, venue: Moody, first_id: int = 1) -> None:
        self.venue = venue
        self.trader = Trader(TraderConfig(first_id, CASH, hash_every=0), venue.paper.on_event)
        if first_id == 1:
            self.trader.apply(control())
        self.fills: list[Fill] = []
        self.said: list[Command] = []
        self._ticked_ns: Nanos = 0

    def play(self, frames: Sequence[Frame]) -> "Run":
        for frame in frames:
            now_ns = frame.received_ns
            if now_ns - self._ticked_ns >= NANOS_PER_SECOND:
                self._ticked_ns = now_ns
                self.trader.apply(Tick(now_ns))
            self._hear(now_ns)
            self.trader.apply(frame)
            self._hear(now_ns)
            for command in self.trader.decide(now_ns):
                self.said.append(command)
                if isinstance(command, Place):
                    self.venue.place(command, now_ns)
                elif isinstance(command, Cancel):
                    self.venue.paper.cancel(command, now_ns)
            self.trader.drain_facts()
        return self

    def _hear(self, now_ns: Nanos) -> None:
        for outcome in self.venue.due(now_ns):
            if isinstance(outcome, Fill):
                self.fills.append(outcome)
            self.trader.apply(outcome)

    def journaled(self) -> list[OrderRecord]:
        """Open orders as the journal has them."""
        records = []
        for number, (place, index) in self.venue.placed.items():
            order = self.trader.blotter.order(number)
            if order is not None and order.state not in ENDED:
                mine = tuple((fill.trade_id, fill.bucket) for fill in self.fills if fill.client_order_id == number)
                filled = order.size - order.remaining
                records.append(
                    OrderRecord(
                        order=place.orders[index],
                        plan_id=place.plan_id,
                        strategy=place.strategy,
                        state=order.state,
                        filled=filled,
                        placed_ns=order.placed_ns,
                        order_id=order.order_id,
                        cancel_asked=order.cancel_asked,
                        fills=mine,
                    )
                )
        return records

    def killed_and_taken_up(self, seen: Sequence[Frame], *, remembering: bool = True) -> "Run":
        """A new process: books from the feed, orders and fills from the journal, the rest from what was kept."""
        memories = self.trader.remember([market.condition_id for market in MARKETS])
        then = Run(self.venue, self.trader.new_id())
        then.trader.books = self.trader.books  # what the feed shows anew
        then.trader.last_frame_ns = seen[-1].received_ns
        then.trader.restore(self.journaled(), self.fills, seen[-1].received_ns)
        then.fills = list(self.fills)
        if remembering:
            then.trader.recall(memories)
        then.trader.apply(control())
        then._ticked_ns = self._ticked_ns
        return then


def decided(commands: Sequence[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, Place | Cancel)]


def both(cut: int, *, remembering: bool = True) -> tuple[list[Command], list[Command], Run]:
    whole = Run(Moody()).play(FRAMES[:cut])
    before = len(whole.said)
    whole.play(FRAMES[cut:])
    first = Run(Moody()).play(FRAMES[:cut])
    second = first.killed_and_taken_up(FRAMES[:cut], remembering=remembering).play(FRAMES[cut:])
    return decided(whole.said[before:]), decided(second.said), first


CUTS = [len(FRAMES) * part // 8 for part in range(1, 8)]


@pytest.mark.parametrize("cut", CUTS)
def test_decisions_after_a_kill_are_those_of_a_run_that_never_stopped(cut: int) -> None:
    uninterrupted, resumed, _ = both(cut)
    assert resumed == uninterrupted


def test_without_what_was_kept_it_would_decide_otherwise() -> None:
    runs = [both(cut, remembering=False) for cut in CUTS]
    assert any(resumed != uninterrupted for uninterrupted, resumed, _ in runs)


def test_the_recording_really_uses_up_budgets_and_trips_breakers_before_the_cuts() -> None:
    *_, first = both(CUTS[4])
    kept = first.trader.remember([market.condition_id for market in MARKETS])
    assert any('"cancels"' in text for text in kept.values())
    assert first.trader.panel.trips
    assert {breaker.kind for breaker in first.trader.panel.tripped} <= set(BreakerKind)


def test_what_was_cancelled_while_nobody_lived_is_heard_by_the_next() -> None:
    first = Run(Moody()).play(FRAMES[: CUTS[2]])
    second = first.killed_and_taken_up(FRAMES[: CUTS[2]])
    live = second.trader.blotter.all_live()
    assert live
    for order in live:
        second.trader.apply(Cancelled(order.client_order_id, "not at the venue", FRAMES[CUTS[2]].received_ns))
    assert second.trader.blotter.open_count == 0
