"""A basket that did not fill whole: complete it, undo it, or keep what there is, whichever costs least.

Law: every choice is a comparison of worst figures in cash, made on the books as they are now, and says them. What
would lose more than allowed is nobody's choice but the operator's. A basket that sells is the mirror of one that buys:
it is completed by selling the rest, undone by buying back what was sold, and what it keeps is what did not sell.
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
    """One leg as it stands: shares traded, what they cost with fees (below zero for a sale), and the token's book
    without our own orders.

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
        """What so many of its shares cost, brought, or are worth, whichever is more."""
        cost = abs(self.paid) * spare // self.filled if self.filled else 0
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


class _Even(msgspec.Struct, frozen=True, gc=False):
    """What the legs have in common: the least and the most any of them traded, and which of both is the matched part.

    Of sets that are bought the matched part is what every leg has; of sets that are sold each one counts that any leg
    has sold a share of, as it is a set no more.
    """

    side: Side
    least: Size
    most: Size
    matched: Size

    def spare(self, each: Standing) -> Size:
        """Shares of a leg that no other leg matches: bought too many, or not sold."""
        return each.filled - self.matched if self.side is Side.BUY else self.matched - each.filled


def judge(basket: Basket, standing: Sequence[Standing], params: ArbParams, *, may_complete: bool = True) -> Verdict:
    """Compare all ways out. Raises ValueError for a basket that buys and sells."""
    sides = {leg.side for leg in basket.legs}
    if len(sides) > 1:
        raise ValueError(f"plan {basket.plan_id}: its legs must all buy or all sell")
    side = sides.pop()
    least, most = min(each.filled for each in standing), max(each.filled for each in standing)
    even = _Even(side, least, most, least if side is Side.BUY else most)
    paid = sum(each.paid for each in standing)
    earned = basket.payout * even.matched // EDGE_ONE - paid
    if not most:
        return Verdict(Choice.NOTHING, 0, "no leg filled")
    at_stake = sum(_stake(each, leg, even) for each, leg in zip(standing, basket.legs, strict=True))
    if at_stake <= DUST:
        return Verdict(Choice.WHOLE if even.matched else Choice.NOTHING, earned, f"{size_text(even.matched)} sets")
    ways = (
        _complete(basket, standing, even, paid) if may_complete else _Way(Choice.COMPLETE, 0, None, "terms changed"),
        _unwind(basket, standing, even, paid),
        _hold(standing, even, at_stake, earned, params),
    )
    return _best(ways, standing, params)


def _stake(each: Standing, leg: Leg, even: _Even) -> Cash:
    """What is not matched; of what a leg should have sold at least what the plan took it to be worth."""
    spare = even.spare(each)
    if even.side is Side.BUY:
        return each.at_stake(spare)
    return max(each.mark * spare // (2 * PRICE_ONE), cash_floor(leg.price, spare))


def _best(ways: Sequence[_Way], standing: Sequence[Standing], params: ArbParams) -> Verdict:
    told = "; ".join(f"{way.choice.value}: {way.why_not or cash_text(way.profit)}" for way in ways)
    possible = [way for way in ways if way.legs is not None and way.profit >= -params.max_loss]
    if not possible:
        return Verdict(Choice.STUCK, 0, told)
    best = max(possible, key=lambda way: way.profit)
    sold = {leg.asset: leg.size for leg in best.legs or () if leg.side is Side.SELL}
    if any(each.free < sold.get(each.market.asset(each.yes), 0) for each in standing):
        return Verdict(Choice.WAIT, best.profit, told)
    return Verdict(best.choice, best.profit, told, best.legs or ())


def _complete(basket: Basket, standing: Sequence[Standing], even: _Even, paid: Cash) -> _Way:
    """Trade what is missing: what it costs or brings now against the sets it makes whole."""
    buys = even.side is Side.BUY
    legs: list[Leg] = []
    after: list[Size] = []
    for each in standing:
        missing = floor_to_step(even.most - each.filled, SIZE_STEP)
        after.append(each.filled + missing)
        if missing <= SIZE_ONE:  # worth a pUSD at most, whatever the price
            after[-1] = each.filled
            continue
        leg = _trade(each, even.side, each.asks if buys else each.bids, missing)
        if leg is None:
            verb = "bought" if buys else "sold"
            return _Way(Choice.COMPLETE, 0, None, f"{size_text(missing)} of {each.market.question} cannot be {verb}")
        legs.append(leg)
    cost = sum(leg.cost + leg.fee for leg in legs)
    sets = min(after) if buys else max(after)
    return _Way(Choice.COMPLETE, basket.payout * sets // EDGE_ONE - paid - cost, tuple(legs))


def _unwind(basket: Basket, standing: Sequence[Standing], even: _Even, paid: Cash) -> _Way:
    """Sell what no other leg matches, or buy back what was sold without the others: the sets are whole again."""
    buys = even.side is Side.BUY
    legs: list[Leg] = []
    short: Size = 0
    for each in standing:
        over = floor_to_step(each.filled - even.least, SIZE_STEP)
        if each.at_stake(over) <= DUST:
            short = max(short, over)
            continue
        leg = _trade(each, Side.SELL if buys else Side.BUY, each.bids if buys else each.asks, over)
        if leg is None:
            verb = "sold" if buys else "bought back"
            return _Way(Choice.UNWIND, 0, None, f"{size_text(over)} of {each.market.question} cannot be {verb}")
        legs.append(leg)
    sets = even.least if buys else even.least + short
    profit = basket.payout * sets // EDGE_ONE - paid - sum(leg.cost + leg.fee for leg in legs)
    return _Way(Choice.UNWIND, profit, tuple(legs))


def _hold(standing: Sequence[Standing], even: _Even, at_stake: Cash, earned: Cash, params: ArbParams) -> _Way:
    if at_stake > params.max_held:
        return _Way(Choice.HOLD, 0, None, f"{cash_text(at_stake)} at stake, most {cash_text(params.max_held)}")
    worth = sum(each.mark * even.spare(each) for each in standing) // (2 * PRICE_ONE)
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
    """Whether `size` sets would earn the margin if one leg filled at `price` and the others were traded now."""
    side = basket.legs[0].side
    buys = side is Side.BUY
    legs = [_trade(each, side, each.asks if buys else each.bids, size) for each in others]
    if any(leg is None for leg in legs):
        return False
    cost = cash_ceil(price, size) if buys else -cash_floor(price, size)
    cost += sum(leg.cost + leg.fee for leg in legs if leg is not None)
    edge = basket.payout * size // EDGE_ONE - cost
    return edge > 0 and edge * PRICE_ONE >= params.min_edge * size


def cash_text(cash: Cash) -> str:
    return f"{cash_to_decimal(cash):+.2f} pUSD"
