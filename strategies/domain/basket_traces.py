"""A basket's decision on record: what every leg's book showed, what each leg would cost, and how it was judged.

Law: compact, because it is stored with every refusal and every step; what stood at nothing is left out. Prices are in
1/10 000 pUSD, sizes in 1/1 000 000 share, cash in 1/1 000 000 pUSD, as everywhere in the domain.
"""

from collections.abc import Mapping, Sequence

import msgspec

from markets.domain.events import Level
from markets.domain.units import Cash, ConditionId, Price, Size
from strategies.domain.intents import Basket, Leg
from strategies.domain.routes import EDGE_ONE

ABORTED = "aborted"


class LegTrace(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One leg: `size` shares wanted at `price` or better for `cost` with fees (below zero: what it brings), where the
    book showed `depth` at `best`. `edge` is what the plan earns after this leg and those before it.
    """

    condition_id: ConditionId
    token: str
    side: str
    price: Price
    size: Size
    cost: Cash
    best: Price = 0
    depth: Size = 0
    edge: Cash = 0
    filled: Size = 0


class Kept(msgspec.Struct, frozen=True, gc=False):
    """The whole plan, for whoever must go on with it: `terms` say of every market it concerns what must not change."""

    basket: Basket
    terms: dict[ConditionId, str]


class BasketTrace(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`verdict` is approved, refused (by the gate) or aborted (its terms changed); `codes` say why in stable words.

    `worth` is what all sets become (below zero: what they cost before they are sold) and `edge` what is left of it
    after all legs and what is paid once; both 0 where only a part of a basket is traded. `gross` is of one set, at the
    best prices before any cost. `before` and `after` are what the chain is asked for.
    """

    verdict: str
    route: str
    size: Size
    legs: tuple[LegTrace, ...]
    codes: tuple[str, ...] = ()
    worth: Cash = 0
    edge: Cash = 0
    gross: int = 0
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    kept: Kept | None = None


def plan_in(trace: str) -> Kept | None:
    """The plan that was written down with a trace; None where there is none, or none that can be read."""
    try:
        return _reader.decode(trace).kept
    except msgspec.DecodeError:
        return None


_reader = msgspec.json.Decoder(BasketTrace)


def record(
    basket: Basket, tokens: Sequence[str], tops: Mapping[str, Level], verdict: str, codes: tuple[str, ...] = (),
    filled: Sequence[Size] = (), *, whole: bool = True, kept: Kept | None = None,
) -> str:  # fmt: skip
    """The trace as JSON. `tokens` are YES or NO by leg, `tops` the level each leg trades against by asset, `filled` the
    shares each leg has traded so far. Of a basket that is not `whole` no leg has an edge of its own.
    """
    worth = basket.payout * basket.size // EDGE_ONE if whole else 0
    left, legs = worth, []
    for number, (leg, token) in enumerate(zip(basket.legs, tokens, strict=True)):
        left -= leg.cost + leg.fee
        best, depth = tops.get(leg.asset, (0, 0))
        came = filled[number] if number < len(filled) else 0
        legs.append(_leg(leg, token, best, depth, left if whole else 0, came))
    return msgspec.json.encode(
        BasketTrace(
            verdict,
            basket.route.value,
            basket.size,
            tuple(legs),
            codes,
            worth,
            basket.edge if whole else 0,
            basket.gross if whole else 0,
            tuple(step.what.value for step in basket.before),
            tuple(step.what.value for step in basket.after),
            kept,
        )
    ).decode()


def _leg(leg: Leg, token: str, best: Price, depth: Size, edge: Cash, filled: Size) -> LegTrace:
    side, cost = leg.side.value, leg.cost + leg.fee
    return LegTrace(leg.condition_id, token, side, leg.price, leg.size, cost, best, depth, edge, filled)
