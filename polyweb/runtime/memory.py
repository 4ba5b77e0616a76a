"""What the trader must not forget when its process dies: budgets, cool-downs, cancel counters and breaker windows.

Law: one value per market and one for everything. What is taken up again decides as if nothing had happened. Orders,
fills and postings are not in it: they have a journal of their own.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from markets.domain.units import AssetId, Nanos, Price, Size
from risk.domain.losses import NOTHING_LOST, Losses
from risk.domain.panel import EVERYTHING, NOTHING, Kept
from strategies.domain.basket_stages import TakenGap
from strategies.domain.measures import Measures
from strategies.domain.rewards import Scores

Memories: TypeAlias = Mapping[str, str]
"""JSON by condition id, and by the empty string what is about everything."""


class MarketMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """`cancels` are the requoting cancels of the last minute; the rest is as in `Desk`."""

    cancels: tuple[tuple[Nanos, int], ...] = ()
    proved: bool = False
    asked_ns: Nanos = 0
    exit_from: Price | None = None
    exit_tried_ns: Nanos = 0
    bids_replaced_ns: Nanos = 0
    offers_replaced_ns: Nanos = 0
    rivals: Scores | None = None
    rivals_ns: Nanos = 0
    measures: Measures = msgspec.field(default_factory=Measures)
    losses: Losses = NOTHING_LOST
    kept: Kept = NOTHING


class EngineMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """`rate` is the order rate's credit and its moment, `sets` the shares that baskets hold, by asset and plan, `gaps`
    the open ones that baskets were taken from, by event.
    """

    rate: tuple[int, Nanos] = (0, 0)
    kept: Kept = NOTHING
    losses: Losses = NOTHING_LOST
    sets: dict[AssetId, dict[str, Size]] = msgspec.field(default_factory=dict)
    gaps: dict[str, TakenGap] = msgspec.field(default_factory=dict)


_encoder = msgspec.json.Encoder()
_markets = msgspec.json.Decoder(MarketMemory)
_engines = msgspec.json.Decoder(EngineMemory)


def written(memory: MarketMemory | EngineMemory) -> str:
    return _encoder.encode(memory).decode()


def market_memory(text: str) -> MarketMemory:
    """Raises msgspec.ValidationError on what `written` did not write."""
    return _markets.decode(text)


def engine_memory(text: str) -> EngineMemory:
    """Raises msgspec.ValidationError on what `written` did not write."""
    return _engines.decode(text)


BLANK = written(MarketMemory())


class Notebook:
    """Which memories have changed since they were last kept."""

    def __init__(self, kept: Memories | None = None) -> None:
        self._kept = dict(kept or {})

    def changed(self, memories: Memories) -> dict[str, str]:
        return {target: text for target, text in memories.items() if self._kept.get(target, BLANK) != text}

    def keep(self, memories: Memories) -> None:
        """They are stored."""
        self._kept.update(memories)


__all__ = ["BLANK", "EVERYTHING", "EngineMemory", "MarketMemory", "Memories", "Notebook"]
