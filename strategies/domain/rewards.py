"""The venue's liquidity rewards: the published score of orders, and what a share of the daily amount is worth.

Law: integers only. A score is shares times a weight between 0 and 1, floored to 1e-6. All makers but us are taken
for one, because their orders cannot be told apart in a book. Source: the venue's liquidity rewards programme.
"""

from collections.abc import Iterable, Sequence

import msgspec

from markets.domain.events import Level
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, Cash, Price, Size

ONE_SIDED_PART = 3  # orders of one side only score this much less where the mid is not extreme
LOW_X2, HIGH_X2 = 2 * PRICE_ONE // 10, 2 * PRICE_ONE * 9 // 10


class Scores(msgspec.Struct, frozen=True, gc=False):
    """Of the bid and of the ask side of the mirrored book: a NO ask is a YES bid."""

    bid: int = 0
    ask: int = 0


def paid(market: Market) -> bool:
    return bool(market.rewards_daily and market.rewards_max_spread)


def adjusted_mid_x2(bids: Sequence[Level], asks: Sequence[Level], market: Market) -> int | None:
    """Twice the middle between the best levels that are large enough; None when a side has none."""
    least = market.rewards_min_size
    if bids and asks and bids[0][1] >= least and asks[0][1] >= least:  # nearly always
        return bids[0][0] + asks[0][0]
    bid, ask = _first(bids, least), _first(asks, least)
    return None if bid is None or ask is None else bid + ask


def _first(levels: Iterable[Level], least: Size) -> Price | None:
    for price, size in levels:
        if size >= least:
            return price
    return None


def score(market: Market, distance_x2: int, size: Size) -> int:
    """Of one order: size, weighed by the square of how far inside the band it stands."""
    band_x2 = 2 * market.rewards_max_spread
    inside = band_x2 - abs(distance_x2)
    return size * inside * inside // (band_x2 * band_x2) if inside > 0 else 0


def score_of_order(market: Market, mid_x2: int, price: Price, size: Size) -> int:
    """An order below the minimum size scores nothing."""
    return score(market, 2 * price - mid_x2, size) if size >= market.rewards_min_size else 0


def scores_of_book(market: Market, mid_x2: int, bids: Iterable[Level], asks: Iterable[Level]) -> Scores:
    """As if every level were one order that is large enough: rather too much for the others than too little."""
    return Scores(
        sum(score(market, 2 * price - mid_x2, size) for price, size in bids),
        sum(score(market, 2 * price - mid_x2, size) for price, size in asks),
    )


def counted(mid_x2: int, scores: Scores) -> int:
    """What a maker's two sides count together."""
    both = min(scores.bid, scores.ask)
    if not LOW_X2 <= mid_x2 <= HIGH_X2:
        return both
    return max(both, max(scores.bid, scores.ask) // ONE_SIDED_PART)


def daily(market: Market, mid_x2: int, ours: Scores, others: Scores) -> Cash:
    """Expected reward a day, in 1e-6 pUSD, if nothing changed all day."""
    mine = counted(mid_x2, ours)
    return market.rewards_daily * mine // (mine + counted(mid_x2, others)) if mine else 0
