"""A calm day on the sandbox's floors, in two mixes: nearly nothing but single price changes, or trades as well.

Law: the same arguments give the same frames. Every frame is one the sandbox's venue says; only its traders are
calmer than in the sandbox, where a third of all frames is about trades.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from execution.sandbox import wire
from execution.sandbox.crowd import Crowd, Mood, Regime
from execution.sandbox.ladder import Change
from execution.sandbox.listing import EventSpec, build_listing
from execution.sandbox.recording import START_MS, TOKENS_PER_DUMP
from execution.sandbox.wire import NO, YES, Print
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, SIZE_ONE, Millis

ANNOUNCED_AFTER_MS: Millis = 200


@dataclass(frozen=True, slots=True)
class Mix:
    """How calm a day is. `one_each`: whoever requotes changes one level, as one order placed or cancelled does."""

    name: str
    regime: Regime
    one_each: bool


QUOTES = Mix("quotes", Regime(0.0002, 0.03, trade_share=0.002, sweep_share=0.2, spread_ticks=2, haste=4.0), True)
TRADES = Mix("trades", Regime(0.0005, 0.03, trade_share=0.04, sweep_share=0.2, spread_ticks=2, haste=4.0), False)


class CalmCrowd(Crowd):
    """Traders that requote and rarely trade."""

    def __init__(self, seed: int, event: EventSpec, mix: Mix) -> None:
        self._mix = mix
        super().__init__(seed, event, START_MS, pace=1.0, mood=Mood.QUIET)

    @property
    def regime(self) -> Regime:
        return self._mix.regime

    def _requotes(self, index: int) -> list[Change]:
        changes = super()._requotes(index)
        return changes[:1] if self._mix.one_each else changes


@dataclass(frozen=True, slots=True)
class CalmDay:
    frames: list[Frame]
    markets: tuple[Market, ...]


def calm_day(mix: Mix, *, seed: int, markets: int, seconds: int) -> CalmDay:
    """What a client subscribed to every token would have received, and the markets it was about."""
    events = build_listing(seed, markets)
    crowds = [CalmCrowd(seed, event, mix) for event in events]
    frames = [*_opening(crowds), *_happenings(crowds, START_MS + seconds * 1_000)]
    return CalmDay(frames, tuple([market for event in events for market in _markets(event)]))


def _frame(at_ms: Millis, text: str) -> Frame:
    return Frame(at_ms * NANOS_PER_MILLI, 0, text.encode())


def _opening(crowds: list[CalmCrowd]) -> Iterator[Frame]:
    books = [floor.opening_book(outcome) for crowd in crowds for floor in crowd.floors for outcome in (YES, NO)]
    for begin in range(0, len(books), TOKENS_PER_DUMP):
        yield _frame(START_MS, wire.compact(books[begin : begin + TOKENS_PER_DUMP]))


def _happenings(crowds: list[CalmCrowd], end_ms: Millis) -> Iterator[Frame]:
    """Everybody's turns in the order of time, and each trade told a moment after the books have shown it."""
    turns: list[tuple[Millis, int, int, Print | None]] = [
        (START_MS + crowd.pause_ms(), number, 0, None) for number, crowd in enumerate(crowds)
    ]
    heapq.heapify(turns)
    told = 0
    while turns[0][0] < end_ms:
        now_ms, number, _, trade = heapq.heappop(turns)
        if trade is not None:
            yield _frame(now_ms, wire.last_trade_price(trade, now_ms).text)
            continue
        acts = crowds[number].act(now_ms)
        for frame in acts.frames:
            yield _frame(now_ms, frame.text)
        for one in acts.prints:
            told += 1
            heapq.heappush(turns, (now_ms + ANNOUNCED_AFTER_MS, number, told, one))
        heapq.heappush(turns, (now_ms + crowds[number].pause_ms(), number, 0, None))


def _markets(event: EventSpec) -> Iterator[Market]:
    for spec in event.open_markets:
        yield Market(
            spec.condition_id,
            event_id=event.event_id,
            question=spec.question,
            yes=spec.asset_ids[YES],
            no=spec.asset_ids[NO],
            tick=spec.tick,
            min_size=spec.min_size * SIZE_ONE,
            neg_risk=spec.neg_risk,
        )
