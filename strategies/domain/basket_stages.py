"""What becomes of a basket, step by step: the words and values that its row, its history and the screens share.

Law: every basket reaches an end, and an end that is not balanced is one somebody must look at.
"""

from enum import StrEnum

import msgspec

from markets.domain.units import Cash, Nanos, Size
from strategies.domain.intents import Basket


class Stage(StrEnum):
    """Where a basket is. The ends are stored and shown; `BALANCED` are those nobody must look at.

    `KEPT` are sets that were split and not sold, and that keeping was cheaper than merging; `NOT_CONVERTED` that a
    step on chain failed or could not be asked for; `CHAIN_UNKNOWN` that one was not heard of in its time.
    """

    PREPARING = "splitting first"
    MAKING = "first leg rests"
    TAKING = "legs sent"
    COMPLETING = "completing"
    UNWINDING = "unwinding"
    CONVERTING = "merging or converting"
    MERGING_BACK = "merging back"
    WHOLE = "whole"
    NOTHING = "nothing filled"
    UNWOUND = "unwound"
    KEPT = "kept as whole sets"
    NOT_CONVERTED = "not converted"
    CHAIN_UNKNOWN = "chain not heard of"
    HELD = "held unbalanced"
    STUCK = "unbalanced"
    INTERRUPTED = "interrupted"


ON_CHAIN = frozenset({Stage.PREPARING, Stage.CONVERTING, Stage.MERGING_BACK})
BALANCED = frozenset({Stage.WHOLE, Stage.NOTHING, Stage.UNWOUND, Stage.KEPT})
ENDS = BALANCED | {Stage.NOT_CONVERTED, Stage.CHAIN_UNKNOWN, Stage.HELD, Stage.STUCK, Stage.INTERRUPTED}


class TakenGap(msgspec.Struct, frozen=True, gc=False):
    """A gap that baskets were taken from and that is still open: since when, and the plans that are not taken again."""

    opened_ns: Nanos
    plans: tuple[str, ...] = ()


class BasketMoved(msgspec.Struct, frozen=True, gc=False):
    """One step of one basket, for its row and its history. `filled` per leg in the order of the plan, in shares;
    `paid` is the cash that left so far, fees included; `trace` is JSON of `strategies.domain.basket_traces`.
    """

    basket: Basket
    stage: Stage
    at_ns: Nanos
    detail: str
    filled: tuple[Size, ...]
    paid: Cash
    profit: Cash = 0
    trace: str = ""
