"""From a full set on offer to the basket worth buying: how many sets, at which limits, for which profit.

Law: no share is bought that does not earn the safety margin after its own fees, every rounding goes
against us, and the same opportunity always gets the same `plan_id`.
"""

from hashlib import sha256
from math import gcd, lcm

import msgspec

from markets.domain.events import Level, Side
from markets.domain.fees import FeeSchedule, taker_fee_ceil
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE, Cash, Nanos, Price, Size, cash_ceil
from strategies.domain.arb_params import ArbParams
from strategies.domain.intents import Basket, Leg, Missed, NotTaken, Route

# Edges per share are compared in 1e-12 pUSD, where prices are whole and fees as good as exact.
EDGE_ONE = 10**12
EDGE_PER_PRICE = EDGE_ONE // PRICE_ONE
# A marketable BUY gives whole cents: price * size must be a multiple of this (in 1e-10 pUSD).
CENT = 10**8
# The venue refuses marketable buys worth less.
MIN_TAKE: Cash = CASH_ONE


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What one leg can be bought from: `asks` in the token's own price, best first."""

    market: Market
    yes: bool
    asks: tuple[Level, ...]


class Opportunity(msgspec.Struct, frozen=True, gc=False):
    """A full set on offer. `payout` is what one set becomes, in 1e-12 pUSD; `since_ns` when the gap opened.

    `since_ns` is part of the plan's identity: the same gap seen again another day is another plan.
    """

    event_id: str
    route: Route
    offers: tuple[Offer, ...]
    payout: int
    since_ns: Nanos = 0


class _Depth(msgspec.Struct, frozen=True, gc=False):
    """Up to `size` sets, every leg's last share costs its price of `limits`."""

    size: Size
    limits: tuple[Price, ...]


def plan(seen: Opportunity, params: ArbParams) -> Basket | NotTaken:
    """The basket with the most sets that each earn the margin, or why there is none."""
    depths = _worthwhile(seen, params)
    if not depths:
        return _why_nothing(seen)
    size = _largest_whole(depths)
    legs = tuple(_leg(offer, size) for offer in seen.offers) if size else ()
    if not _large_enough(seen.offers, legs):
        return NotTaken.BELOW_MINIMUM
    edge = seen.payout * size // EDGE_ONE - sum(leg.cost + leg.fee for leg in legs)
    if edge <= 0 or edge * PRICE_ONE < params.min_edge * size:
        return NotTaken.BELOW_MARGIN
    return Basket(_plan_id(seen, legs), seen.event_id, seen.route, size, legs, edge)


def missed(seen: Opportunity, reason: NotTaken) -> Missed:
    single = seen.route is Route.BUY_BOTH_AND_MERGE
    return Missed(seen.event_id, seen.route, reason, seen.offers[0].market.condition_id if single else "")


def _price_with_fee(fees: FeeSchedule, price: Price) -> int:
    """Cost of one share in 1e-12 pUSD: with the fee of a million shares in 1e-6 pUSD."""
    return price * EDGE_PER_PRICE + taker_fee_ceil(fees, price, SIZE_ONE * SIZE_ONE)


def _worthwhile(seen: Opportunity, params: ArbParams) -> list[_Depth]:
    """Walk all legs down together while one more set still earns the margin."""
    enough = max(params.min_edge * EDGE_PER_PRICE, 1)
    ladders = [offer.asks for offer in seen.offers]
    rungs = [0] * len(ladders)
    left = [asks[0][1] for asks in ladders]
    costs = [_price_with_fee(offer.market.fees, offer.asks[0][0]) for offer in seen.offers]
    depths: list[_Depth] = []
    taken = 0
    while taken < params.max_size and seen.payout - sum(costs) >= enough:
        step = min(min(left), params.max_size - taken)
        taken += step
        depths.append(_Depth(taken, tuple(asks[rung][0] for asks, rung in zip(ladders, rungs, strict=True))))
        for leg, asks in enumerate(ladders):
            left[leg] -= step
            if left[leg]:
                continue
            rungs[leg] += 1
            if rungs[leg] == len(asks):
                return depths
            price, left[leg] = asks[rungs[leg]]
            costs[leg] = _price_with_fee(seen.offers[leg].market.fees, price)
    return depths


def _why_nothing(seen: Opportunity) -> NotTaken:
    tops = [(offer.market.fees, offer.asks[0][0]) for offer in seen.offers]
    if sum(price for _, price in tops) * EDGE_PER_PRICE >= seen.payout:
        return NotTaken.NO_EDGE
    if sum(_price_with_fee(fees, price) for fees, price in tops) >= seen.payout:
        return NotTaken.EATEN_BY_FEES
    return NotTaken.BELOW_MARGIN


def _largest_whole(depths: list[_Depth]) -> Size:
    """The most sets for which every leg has a whole size and costs whole cents at its limit; 0 if none."""
    for at in range(len(depths) - 1, -1, -1):
        grid = lcm(SIZE_STEP, *(CENT // gcd(CENT, price) for price in depths[at].limits))
        size = depths[at].size - depths[at].size % grid
        if size > (depths[at - 1].size if at else 0):
            return size
    return 0


def _leg(offer: Offer, size: Size) -> Leg:
    market = offer.market
    cost = fee = 0
    left = size
    limit = 0
    for price, offered in offer.asks:
        take = min(left, offered)
        cost += cash_ceil(price, take)
        fee += taker_fee_ceil(market.fees, price, take)
        limit = price
        left -= take
        if not left:
            break
    return Leg(market.condition_id, market.asset(offer.yes), Side.BUY, limit, size, cost, fee)


def _large_enough(offers: tuple[Offer, ...], legs: tuple[Leg, ...]) -> bool:
    return bool(legs) and all(
        leg.size >= offer.market.min_size and leg.price * leg.size >= MIN_TAKE * PRICE_ONE
        for offer, leg in zip(offers, legs, strict=True)
    )


def _plan_id(seen: Opportunity, legs: tuple[Leg, ...]) -> str:
    """Names the opportunity by what would be bought, so looking twice plans once."""
    bought = ";".join(f"{leg.asset}@{leg.price}x{leg.size}" for leg in legs)
    text = f"{seen.event_id}|{seen.route.name}|{seen.since_ns}|{bought}"
    return sha256(text.encode()).hexdigest()[:32]
