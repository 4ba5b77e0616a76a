"""From a full set on offer to the basket worth taking: how many sets, at which limits, for which profit.

Law: no share is traded that does not earn the safety margin after its own fees, every rounding goes against us, and
the same opportunity always gets the same `plan_id`.
"""

from collections.abc import Sequence
from hashlib import sha256
from math import gcd, lcm

import msgspec

from markets.domain.events import Side
from markets.domain.fees import taker_fee_ceil
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE, Cash, Price, Size, cash_ceil, cash_floor
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import Basket, ChainStep, Leg, Missed, NotTaken, OrderType
from strategies.domain.routes import EDGE_ONE, EDGE_PER_PRICE, Offer, Opportunity, Steps

# A marketable BUY gives whole cents: price * size must be a multiple of this (in 1e-10 pUSD).
CENT = 10**8
# The venue refuses marketable buys worth less.
MIN_TAKE: Cash = CASH_ONE


class _Depth(msgspec.Struct, frozen=True, gc=False):
    """Up to `size` sets, every leg's last share trades at its limit of `limits`."""

    size: Size
    limits: tuple[Price, ...]


def plan(seen: Opportunity, params: ArbParams) -> Basket | NotTaken:
    """The basket with the most sets that each earn the margin, or why there is none."""
    if seen.refusal is not None:
        return seen.refusal.reason
    if not seen.offers or not all(offer.levels for offer in seen.offers):
        return NotTaken.NO_OFFER
    depths = _worthwhile(seen, params)
    if not depths:
        return _why_nothing(seen, params)
    size = _largest_whole(seen.offers, depths)
    legs = tuple(_leg(offer, size, params) for offer in seen.offers) if size else ()
    if not _large_enough(seen.offers, legs):
        return NotTaken.BELOW_MINIMUM
    edge = seen.payout * size // EDGE_ONE - sum(leg.cost + leg.fee for leg in legs) - seen.fixed
    if edge <= 0 or edge * PRICE_ONE < _margin(seen, params) * size:
        return NotTaken.BELOW_MARGIN
    return Basket(
        _plan_id(seen, legs),
        seen.event_id,
        seen.route,
        size,
        _by_fill_risk(seen.offers, legs),
        edge,
        OrderType.FAK if params.partial_fills else OrderType.FOK,
        seen.payout,
        seen.since_ns,
        _steps(seen.before, -(seen.payout * size // EDGE_ONE)),
        _steps(seen.after, size),
        gross_edge(seen),
    )


def _margin(seen: Opportunity, params: ArbParams) -> Price:
    """What every set must earn: prices move while one is split."""
    return params.min_edge + (params.chain_edge if seen.before else 0)


def at_bids_of_now(basket: Basket, offers: Sequence[Offer], payout: int, params: ArbParams) -> Basket | NotTaken:
    """A basket whose sets are being split or lie here, planned again: the same legs, in the same order, at the bids of
    now. `payout` is what one set is given up for, as in `Opportunity`.
    """
    seen = Opportunity(
        basket.event_id, basket.route, tuple(offers), payout, basket.since_ns, -PRICE_ONE, most=basket.size
    )
    planned = plan(seen, params)
    if isinstance(planned, NotTaken):
        return planned
    legs = {leg.asset: leg for leg in planned.legs}
    return msgspec.structs.replace(
        planned, plan_id=basket.plan_id, legs=tuple(legs[leg.asset] for leg in basket.legs), before=basket.before
    )


def missed(seen: Opportunity, reason: NotTaken, planned: Basket | None = None) -> Missed:
    """The same gap as its best prices show it, for those who want to know what was left."""
    detail = seen.refusal.detail if seen.refusal is not None else ""
    if not seen.offers or not all(offer.levels for offer in seen.offers):
        return Missed(seen.event_id, seen.route, reason, seen.target, detail=detail)
    depth = min(offer.levels[0][1] for offer in seen.offers)
    edge = planned.edge if planned is not None else 0
    return Missed(seen.event_id, seen.route, reason, seen.target, gross_edge(seen), depth, detail, edge)


def gross_edge(seen: Opportunity) -> int:
    """What one set earns at the best prices before any cost, in price units. Every leg must have a price."""
    return seen.gross - sum(_signed(offer.side, offer.levels[0][0]) for offer in seen.offers)


def _steps(steps: Steps, size: Size) -> tuple[ChainStep, ...]:
    return tuple(ChainStep(what, names, size) for what, names in steps)


def _signed(side: Side, amount: int) -> int:
    """What a trade costs: a SELL brings it."""
    return amount if side is Side.BUY else -amount


def slipped(market: Market, side: Side, price: Price, ticks: int) -> Price:
    """`price` moved so many ticks against us, never off the grid's ends."""
    if side is Side.BUY:
        return min(price + ticks * market.tick, max(price, PRICE_ONE - market.tick))
    return max(price - ticks * market.tick, min(price, market.tick))


def _cost(offer: Offer, price: Price) -> int:
    """Cost of one share in 1e-12 pUSD: with the fee of a million shares in 1e-6 pUSD."""
    fee = taker_fee_ceil(offer.market.fees, price, SIZE_ONE * SIZE_ONE)
    return _signed(offer.side, price * EDGE_PER_PRICE) + fee


def _worthwhile(seen: Opportunity, params: ArbParams) -> list[_Depth]:
    """Walk all legs down together while one more set still earns the margin and the plan's cash allows it."""
    enough = max(_margin(seen, params) * EDGE_PER_PRICE, 1)
    ladders = [
        [(slipped(offer.market, offer.side, price, params.slippage_ticks), size) for price, size in offer.levels]
        for offer in seen.offers
    ]
    rungs = [0] * len(ladders)
    left = [ladder[0][1] for ladder in ladders]
    costs = [_cost(offer, ladder[0][0]) for offer, ladder in zip(seen.offers, ladders, strict=True)]
    cash = params.max_cost * EDGE_ONE
    most = params.max_size if seen.most is None else min(params.max_size, seen.most)
    depths: list[_Depth] = []
    taken = 0
    while taken < most and seen.payout - sum(costs) >= enough:
        capital = max(sum(costs), -seen.payout)
        step = min(min(left), most - taken, cash // capital)
        if not step:
            return depths
        taken += step
        cash -= step * capital
        depths.append(_Depth(taken, tuple(ladder[rung][0] for ladder, rung in zip(ladders, rungs, strict=True))))
        for leg, ladder in enumerate(ladders):
            left[leg] -= step
            if left[leg]:
                continue
            rungs[leg] += 1
            if rungs[leg] == len(ladder):
                return depths
            price, left[leg] = ladder[rungs[leg]]
            costs[leg] = _cost(seen.offers[leg], price)
    return depths


def _why_nothing(seen: Opportunity, params: ArbParams) -> NotTaken:
    tops = [(offer, offer.levels[0][0]) for offer in seen.offers]
    if gross_edge(seen) <= 0:
        return NotTaken.NO_EDGE
    if sum(_cost(offer, price) for offer, price in tops) >= seen.gross * EDGE_PER_PRICE:
        return NotTaken.EATEN_BY_FEES
    limits = [(offer, slipped(offer.market, offer.side, price, params.slippage_ticks)) for offer, price in tops]
    if sum(_cost(offer, price) for offer, price in limits) >= seen.payout:
        return NotTaken.EATEN_BY_COSTS
    return NotTaken.BELOW_MARGIN


def _largest_whole(offers: Sequence[Offer], depths: list[_Depth]) -> Size:
    """The most sets for which every leg has a whole size and every BUY costs whole cents at its limit; 0 if none."""
    for at in range(len(depths) - 1, -1, -1):
        limits = zip(offers, depths[at].limits, strict=True)
        grid = lcm(SIZE_STEP, *(CENT // gcd(CENT, price) for offer, price in limits if offer.side is Side.BUY))
        size = depths[at].size - depths[at].size % grid
        if size > (depths[at - 1].size if at else 0):
            return size
    return 0


def _leg(offer: Offer, size: Size, params: ArbParams) -> Leg:
    """The leg at its worst: every level it counts on trades at its slipped price."""
    market, buys = offer.market, offer.side is Side.BUY
    cost = fee = limit = 0
    left = size
    for level, offered in offer.levels:
        take = min(left, offered)
        limit = slipped(market, offer.side, level, params.slippage_ticks)
        cost += cash_ceil(limit, take) if buys else -cash_floor(limit, take)
        fee += taker_fee_ceil(market.fees, limit, take)
        left -= take
        if not left:
            break
    return Leg(market.condition_id, market.asset(offer.yes), offer.side, limit, size, cost, fee)


def _large_enough(offers: Sequence[Offer], legs: Sequence[Leg]) -> bool:
    return bool(legs) and all(
        leg.size >= offer.market.min_size and (leg.side is Side.SELL or leg.price * leg.size >= MIN_TAKE * PRICE_ONE)
        for offer, leg in zip(offers, legs, strict=True)
    )


def _by_fill_risk(offers: Sequence[Offer], legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """The leg with the least to spare at its limit first: if it fails, fail before the others have traded."""
    return tuple(leg for _, leg in sorted(zip(offers, legs, strict=True), key=lambda pair: _spare(*pair)))


def _spare(offer: Offer, leg: Leg) -> Size:
    """Shares on offer within the leg's limit beyond those it needs."""
    within = [size for price, size in offer.levels if _signed(leg.side, price) <= _signed(leg.side, leg.price)]
    return sum(within) - leg.size


def _plan_id(seen: Opportunity, legs: tuple[Leg, ...]) -> str:
    """Names the opportunity by what would be traded, so looking twice plans once."""
    traded = ";".join(sorted(f"{leg.asset}{leg.side.value[0]}{leg.price}x{leg.size}" for leg in legs))
    text = f"{seen.event_id}|{seen.route.name}|{seen.since_ns}|{traded}"
    return sha256(text.encode()).hexdigest()[:32]
