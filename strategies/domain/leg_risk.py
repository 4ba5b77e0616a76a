"""A basket that did not fill whole: complete it, undo it, or keep what there is, whichever costs least.

Law: every choice is a comparison of worst figures in cash, made on the books as they are now, and says them. What
would lose more than allowed is nobody's choice but the operator's. Only baskets that buy are judged here: what is sold
was split before, and is kept when it does not sell.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from markets.domain.events import Level, Side
from markets.domain.fees import taker_fee_ceil
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import (
    CASH_ONE,
    PRICE_ONE,
    SIZE_ONE,
    Cash,
    Price,
    Size,
    cash_ceil,
    cash_floor,
    cash_to_decimal,
    floor_to_step,
    size_text,
)
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import Basket, Leg
from strategies.domain.routes import EDGE_ONE

# A BUY names whole cents, so the last cent of every leg may buy some shares more or fewer: worth no order of its own.
DUST: Cash = CASH_ONE


class Choice(StrEnum):
    WHOLE = "whole"
    NOTHING = "nothing filled"
    COMPLETE = "complete"
    UNWIND = "unwind"
    HOLD = "hold"
    WAIT = "wait for settlement"
    STUCK = "operator decides"


class Standing(msgspec.Struct, frozen=True, gc=False):
    """One leg as it stands: shares bought, what they cost with fees, and the token's book without our own orders.

    `free` is how many of its shares may be sold now: settled, and claimed by nobody else.
    """

    market: Market
    yes: bool
    filled: Size
    paid: Cash
    asks: tuple[Level, ...]
    bids: tuple[Level, ...]
    free: Size

    @property
    def mark(self) -> int:
        """Twice the middle price, or twice the bid where nobody offers: what a share is worth if it is kept."""
        bid = self.bids[0][0] if self.bids else 0
        return bid + (self.asks[0][0] if self.asks else bid)

    def at_stake(self, spare: Size) -> Cash:
        """What so many of its shares cost or are worth, whichever is more."""
        cost = self.paid * spare // self.filled if self.filled else 0
        return max(cost, self.mark * spare // (2 * PRICE_ONE))


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What to do: `legs` to trade for it, `profit` of the whole basket if they trade, in words `detail`."""

    choice: Choice
    profit: Cash
    detail: str
    legs: tuple[Leg, ...] = ()


class _Way(msgspec.Struct, frozen=True, gc=False):
    """One way out; `legs` is None where the books or the venue's minima do not allow it."""

    choice: Choice
    profit: Cash
    legs: tuple[Leg, ...] | None
    why_not: str = ""


def judge(basket: Basket, standing: Sequence[Standing], params: ArbParams, *, may_complete: bool = True) -> Verdict:
    """Compare all ways out. Raises ValueError for a basket with a leg that sells."""
    if any(leg.side is Side.SELL for leg in basket.legs):
        raise ValueError(f"plan {basket.plan_id}: a basket that sells keeps what it could not sell")
    sizes = [each.filled for each in standing]
    least, most = min(sizes), max(sizes)
    paid = sum(each.paid for each in standing)
    earned = basket.payout * least // EDGE_ONE - paid
    if not most:
        return Verdict(Choice.NOTHING, 0, "no leg filled")
    at_stake = sum(each.at_stake(each.filled - least) for each in standing)
    if at_stake <= DUST:
        return Verdict(Choice.WHOLE if least else Choice.NOTHING, earned, f"{size_text(least)} sets")
    ways = (
        _complete(basket, standing, most, paid) if may_complete else _Way(Choice.COMPLETE, 0, None, "terms changed"),
        _unwind(standing, least, earned),
        _hold(standing, least, at_stake, earned, params),
    )
    return _best(ways, standing, least, params)


def _best(ways: Sequence[_Way], standing: Sequence[Standing], least: Size, params: ArbParams) -> Verdict:
    told = "; ".join(f"{way.choice.value}: {way.why_not or cash_text(way.profit)}" for way in ways)
    possible = [way for way in ways if way.legs is not None and way.profit >= -params.max_loss]
    if not possible:
        return Verdict(Choice.STUCK, 0, told)
    best = max(possible, key=lambda way: way.profit)
    if best.choice is Choice.UNWIND and any(each.free < each.filled - least for each in standing):
        return Verdict(Choice.WAIT, best.profit, told)
    return Verdict(best.choice, best.profit, told, best.legs or ())


def _complete(basket: Basket, standing: Sequence[Standing], most: Size, paid: Cash) -> _Way:
    """Buy what is missing: what it costs now against the sets it makes whole."""
    legs: list[Leg] = []
    after: list[Size] = []
    for each in standing:
        missing = floor_to_step(most - each.filled, SIZE_STEP)
        after.append(each.filled + missing)
        if missing <= SIZE_ONE:  # worth a pUSD at most, whatever the price
            after[-1] = each.filled
            continue
        leg = _trade(each, Side.BUY, each.asks, missing)
        if leg is None:
            return _Way(Choice.COMPLETE, 0, None, f"{size_text(missing)} of {each.market.question} cannot be bought")
        legs.append(leg)
    cost = sum(leg.cost + leg.fee for leg in legs)
    return _Way(Choice.COMPLETE, basket.payout * min(after) // EDGE_ONE - paid - cost, tuple(legs))


def _unwind(standing: Sequence[Standing], least: Size, earned: Cash) -> _Way:
    """Sell what no other leg matches."""
    legs: list[Leg] = []
    for each in standing:
        spare = floor_to_step(each.filled - least, SIZE_STEP)
        if each.at_stake(spare) <= DUST:
            continue
        leg = _trade(each, Side.SELL, each.bids, spare)
        if leg is None:
            return _Way(Choice.UNWIND, 0, None, f"{size_text(spare)} of {each.market.question} cannot be sold")
        legs.append(leg)
    return _Way(Choice.UNWIND, earned - sum(leg.cost + leg.fee for leg in legs), tuple(legs))


def _hold(standing: Sequence[Standing], least: Size, at_stake: Cash, earned: Cash, params: ArbParams) -> _Way:
    if at_stake > params.max_held:
        return _Way(Choice.HOLD, 0, None, f"{cash_text(at_stake)} at stake, most {cash_text(params.max_held)}")
    worth = sum(each.mark * (each.filled - least) for each in standing) // (2 * PRICE_ONE)
    return _Way(Choice.HOLD, earned + worth, ())


def _trade(each: Standing, side: Side, levels: Sequence[Level], size: Size) -> Leg | None:
    """A marketable order for the whole size at the price of the last level it needs; None when it cannot be."""
    left, limit = size, 0
    cost = fee = 0
    for price, offered in levels:
        take = min(left, offered)
        cost += cash_ceil(price, take) if side is Side.BUY else -cash_floor(price, take)
        fee += taker_fee_ceil(each.market.fees, price, take)
        limit = price
        left -= take
        if not left:
            break
    if left or size < each.market.min_size or limit * size < CASH_ONE * PRICE_ONE:
        return None
    return Leg(each.market.condition_id, each.market.asset(each.yes), side, limit, size, cost, fee)


def still_pays(basket: Basket, price: Price, others: Sequence[Standing], size: Size, params: ArbParams) -> bool:
    """Whether `size` sets would earn the margin if one leg filled at `price` and the others were bought now."""
    legs = [_trade(each, Side.BUY, each.asks, size) for each in others]
    if any(leg is None for leg in legs):
        return False
    cost = cash_ceil(price, size) + sum(leg.cost + leg.fee for leg in legs if leg is not None)
    edge = basket.payout * size // EDGE_ONE - cost
    return edge > 0 and edge * PRICE_ONE >= params.min_edge * size


def cash_text(cash: Cash) -> str:
    return f"{cash_to_decimal(cash):+.2f} pUSD"
