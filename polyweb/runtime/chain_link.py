"""The engine's link to the chain: the hands that split, merge and convert, and what an earlier engine left them.

Law: who carries a job is chosen by the venue that was opened; without one there are no hands, and the trader is told.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from execution.domain.chain import ChainRecord
from execution.engine import ChainHands, Kept, Trouble
from execution.engine.chain_values import ChainRows
from execution.journal import Journal, Terms
from execution.relayers.base import ChainRelayer
from polyweb.runtime.inbox import Item
from polyweb.runtime.trader import Trader


class Wires(Protocol):
    """Where words go once the engine is put together: asked each time, for they are tied later."""

    push: Callable[[Item], None]
    trouble: Callable[[Trouble], None]


def records(jobs: Sequence[Kept]) -> tuple[ChainRecord, ...]:
    """As the trader knows them."""
    return tuple(ChainRecord(each.work, each.state, each.transaction_id) for each in jobs)


def hands(
    relayer: ChainRelayer | None,
    rows: ChainRows,
    journal: Journal,
    terms: Terms,
    trader: Trader,
    jobs: Sequence[Kept],
    wires: Wires,
) -> ChainHands | None:
    """`jobs` are those that have not ended: followed on from the first moment."""
    if relayer is None:
        return None
    made = ChainHands(
        relayer=relayer,
        rows=rows,
        journal=journal,
        terms=terms,
        market_of=trader.known,
        objection=trader.objection,
        on_told=lambda told: wires.push(told),
        on_trouble=lambda trouble: wires.trouble(trouble),
    )
    made.restore(jobs)
    return made
