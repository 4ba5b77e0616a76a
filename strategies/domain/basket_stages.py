"""What becomes of a basket, step by step: the words and values that its row, its history and the screens share.

Law: every basket reaches an end, and an end that is not balanced is one somebody must look at.
"""

from enum import StrEnum

import msgspec

from markets.domain.units import Cash, Nanos, Size
from strategies.domain.intents import Basket


class Stage(StrEnum):
    """Where a basket is. The ends are stored and shown; `BALANCED` are those nobody must look at."""

    MAKING = "first leg rests"
    TAKING = "legs sent"
    COMPLETING = "completing"
    UNWINDING = "unwinding"
    WHOLE = "whole"
    NOTHING = "nothing filled"
    UNWOUND = "unwound"
    HELD = "held unbalanced"
    STUCK = "unbalanced"
    INTERRUPTED = "interrupted"


ENDS = frozenset({Stage.WHOLE, Stage.NOTHING, Stage.UNWOUND, Stage.HELD, Stage.STUCK, Stage.INTERRUPTED})
BALANCED = frozenset({Stage.WHOLE, Stage.NOTHING, Stage.UNWOUND})


class TakenGap(msgspec.Struct, frozen=True, gc=False):
    """A gap that baskets were taken from and that is still open: since when, and the plans that are not taken again."""

    opened_ns: Nanos
    plans: tuple[str, ...] = ()


class BasketMoved(msgspec.Struct, frozen=True, gc=False):
    """One step of one basket, for its row and its history. `filled` per leg in the order of the plan, in shares;
    `paid` is the cash that left so far, fees included.
    """

    basket: Basket
    stage: Stage
    at_ns: Nanos
    detail: str
    filled: tuple[Size, ...]
    paid: Cash
    profit: Cash = 0
