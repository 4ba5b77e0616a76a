"""Remembering and recalling: trading state to memories, and back.

Law: pure. What is not understood is refused whole, never half taken up.
"""

from collections.abc import Iterable

from execution.domain.budget import CancelWindow
from markets.domain.units import AssetId, ConditionId, Size
from polyweb.runtime.memory import (
    EVERYTHING,
    EngineMemory,
    MarketMemory,
    Memories,
    engine_memory,
    market_memory,
    written,
)
from polyweb.runtime.state import Desk, TradingState
from risk.domain.breakers import Breaker
from risk.domain.panel import Kept

# What a desk and its memory both have, under the same name.
AS_THEY_ARE = tuple(name for name in MarketMemory.__struct_fields__ if name not in ("cancels", "kept"))


def remember(state: TradingState, condition_ids: Iterable[ConditionId]) -> dict[str, str]:
    """What is worth keeping of these markets, of every one with a breaker, and of everything."""
    panel = state.panel
    found = {EVERYTHING: written(EngineMemory(state.rate.keep(), panel.keep(), state.losses, _held_sets(state)))}
    for condition_id in dict.fromkeys((*condition_ids, *panel.targets())):
        desk, kept = state.desks.get(condition_id), panel.keep(condition_id)
        found[condition_id] = written(_of(desk, kept) if desk is not None else MarketMemory(kept=kept))
    return found


def _held_sets(state: TradingState) -> dict[AssetId, dict[str, Size]]:
    """Of what is still held: a set that was merged, paid out or sold by hand is none any more."""
    return {asset: dict(plans) for asset, plans in state.sets.items() if plans and state.ledger.holding(asset).shares}


def _of(desk: Desk, kept: Kept) -> MarketMemory:
    return MarketMemory(desk.cancels.keep(), kept=kept, **{name: getattr(desk, name) for name in AS_THEY_ARE})


def recall(state: TradingState, memories: Memories, breakers: Iterable[Breaker] = ()) -> None:
    """Take up what an earlier run kept; `breakers` are those last reported, for whatever the memories lack.

    Raises msgspec.ValidationError, and changes nothing, for memories that are none.
    """
    markets = {target: market_memory(text) for target, text in memories.items() if target != EVERYTHING}
    engine = engine_memory(memories[EVERYTHING]) if EVERYTHING in memories else None
    for breaker in breakers:
        state.panel.restore(breaker.target, Kept((breaker,)))
    if engine is not None:
        state.rate.restore(engine.rate)
        state.losses = engine.losses
        state.sets.update(engine.sets)
        state.panel.restore(EVERYTHING, engine.kept)
    for target, memory in markets.items():
        state.panel.restore(target, memory.kept)
    state.remembered.update(markets)


def open_desk(state: TradingState, desk: Desk) -> Desk:
    """A market's desk, set up for the first time in this run, gets back what it had."""
    memory = state.remembered.pop(desk.market.condition_id, None)
    if memory is not None:
        desk.cancels = CancelWindow(memory.cancels)
        for name in AS_THEY_ARE:
            setattr(desk, name, getattr(memory, name))
    return desk
