"""Remembering and recalling: trading state to memories, and back.

Law: pure. A memory that is not understood is never half taken up: it is left out, and until an operator has looked
nothing is quoted.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from execution.domain.budget import CancelWindow
from markets.domain.units import AssetId, ConditionId, Nanos, Size
from polyweb.runtime.desk import Desk
from polyweb.runtime.memory import (
    EVERYTHING,
    EngineMemory,
    MarketMemory,
    Memories,
    engine_memory,
    market_memory,
    written,
)
from polyweb.runtime.state import TradingState
from risk.domain.breakers import Breaker, BreakerKind
from risk.domain.panel import Kept

M = TypeVar("M")

# What a desk and its memory both have, under the same name.
AS_THEY_ARE = tuple(name for name in MarketMemory.__struct_fields__ if name not in ("cancels", "kept"))


def remember(state: TradingState, condition_ids: Iterable[ConditionId]) -> dict[str, str]:
    """What is worth keeping of these markets, of every one with a breaker, and of everything.

    What could not be read is written anew: its breaker is kept until an operator has released it, and once is enough.
    """
    panel = state.panel
    engine = EngineMemory(state.rate.keep(), panel.keep(), state.losses, _held_sets(state), dict(state.gaps))
    found = {EVERYTHING: written(engine)}
    for condition_id in dict.fromkeys((*condition_ids, *panel.targets(), *filter(None, state.unread))):
        desk, kept = state.desks.get(condition_id), panel.keep(condition_id)
        found[condition_id] = written(_of(desk, kept) if desk is not None else MarketMemory(kept=kept))
    return found


def _held_sets(state: TradingState) -> dict[AssetId, dict[str, Size]]:
    """Of what is still held: a set that was merged, paid out or sold by hand is none any more. What was about to be
    sold is claimed by nobody after this engine.
    """
    kept = {
        asset: {plan: size for plan, size in plans.items() if plan not in state.selling}
        for asset, plans in state.sets.items()
        if state.ledger.holding(asset).shares
    }
    return {asset: plans for asset, plans in kept.items() if plans}


def _of(desk: Desk, kept: Kept) -> MarketMemory:
    return MarketMemory(desk.cancels.keep(), kept=kept, **{name: getattr(desk, name) for name in AS_THEY_ARE})


def recall(state: TradingState, memories: Memories, breakers: Iterable[Breaker] = (), at_ns: Nanos = 0) -> None:
    """Take up what an earlier run kept; `breakers` are those last reported, for whatever the memories lack.

    One that cannot be read may have held losses and cool-downs, so the loss breaker trips at `at_ns`.
    """
    unread = state.unread
    texts = dict(memories)
    kept = texts.pop(EVERYTHING, None)
    engine = _read(engine_memory, EVERYTHING, kept, unread) if kept is not None else None
    found = {target: _read(market_memory, target, text, unread) for target, text in texts.items()}
    markets = {target: memory for target, memory in found.items() if memory is not None}
    for breaker in breakers:
        state.panel.restore(breaker.target, Kept((breaker,)))
    if engine is not None:
        state.rate.restore(engine.rate)
        state.losses = engine.losses
        state.sets.update(engine.sets)
        state.gaps.update(engine.gaps)
        state.panel.restore(EVERYTHING, engine.kept)
    for target, memory in markets.items():
        state.panel.restore(target, memory.kept)
    state.remembered.update(markets)
    if unread:
        target, error = next(iter(unread.items()))
        told = f"{f'market {target}' if target else 'the engine'}: {error}, {len(unread)} in all"
        state.panel.trip(BreakerKind.LOSS, at_ns, f"what was remembered cannot be read: {told}")


def _read(read: Callable[[str], M], target: str, text: str, unread: dict[str, str]) -> M | None:
    try:
        return read(text)
    except msgspec.DecodeError as error:
        unread[target] = str(error)
        return None


def open_desk(state: TradingState, desk: Desk) -> Desk:
    """A market's desk, set up for the first time in this run, gets back what it had."""
    memory = state.remembered.pop(desk.market.condition_id, None)
    if memory is not None:
        desk.cancels = CancelWindow(memory.cancels)
        for name in AS_THEY_ARE:
            setattr(desk, name, getattr(memory, name))
    return desk
