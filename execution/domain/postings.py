"""What moves the money and is no fill: positions from before us, transfers, splits, merges, payouts, rebates, dust.

Law: a posting says its shares, its cash and its reason itself and counts once by its id; nothing in it depends on what
the ledger holds when it arrives, so that folding it again anywhere gives the same.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from markets.domain.market import Market
from markets.domain.units import (
    PRICE_ONE,
    AssetId,
    Cash,
    ConditionId,
    Nanos,
    Price,
    Size,
    cash_ceil,
    cash_floor,
    price_text,
    size_text,
)


class PostingKind(StrEnum):
    """Which account the cash of a leg without shares belongs to is said by the kind; see `Ledger.post`."""

    ADOPTED = "adopted position"
    TRANSFER = "cash moved by the operator"
    SPLIT = "split"
    MERGE = "merge"
    CONVERT = "convert"
    PAYOUT = "payout"
    REBATE = "rebate"
    REWARD = "reward"
    DUST = "dust"
    ADJUSTED = "adjusted to the venue"


class PostingLeg(msgspec.Struct, frozen=True, gc=False):
    """Signed changes: `shares` of `asset` that come in, `cash` that comes in. Without shares it is cash alone."""

    asset: AssetId = ""
    condition_id: ConditionId = ""
    shares: Size = 0
    cash: Cash = 0


class Posting(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One booking. Legs with shares buy or sell them for their cash; legs without are explained by `kind`."""

    posting_id: str
    kind: PostingKind
    legs: tuple[PostingLeg, ...]
    at_ns: Nanos
    reason: str = ""


def transfer(posting_id: str, cash: Cash, at_ns: Nanos, reason: str) -> Posting:
    """Cash paid in or out: capital, not profit."""
    return Posting(posting_id, PostingKind.TRANSFER, (PostingLeg(cash=cash),), at_ns, reason)


def adopted(
    posting_id: str, market: Market, held: Mapping[AssetId, Size], prices: Mapping[AssetId, Price], at_ns: Nanos,
    source: str,
) -> Posting:  # fmt: skip
    """Shares that were there before us, as capital brought in at the stated price; `source` says who stated it.

    Raises ValueError when a held asset has no price or belongs to another market.
    """
    legs: list[PostingLeg] = []
    said: list[str] = []
    for asset, shares in held.items():
        if asset not in (market.yes, market.no):
            raise ValueError(f"asset: {asset} is no token of {market.condition_id}")
        if asset not in prices:
            raise ValueError(f"prices: none is stated for {asset}; a position is never adopted at a guess")
        cost = cash_ceil(prices[asset], shares)
        legs += [
            PostingLeg(condition_id=market.condition_id, cash=cost),
            PostingLeg(asset, market.condition_id, shares, -cost),
        ]
        said.append(f"{size_text(shares)} {'YES' if asset == market.yes else 'NO'} at {price_text(prices[asset])}")
    return Posting(posting_id, PostingKind.ADOPTED, tuple(legs), at_ns, f"{', '.join(said)}: {source}")


def merge(posting_id: str, market: Market, pairs: Size, at_ns: Nanos, reason: str = "") -> Posting:
    """YES + NO pairs become one pUSD each. Each token is booked as sold for half of it, whatever it cost."""
    return Posting(posting_id, PostingKind.MERGE, _pairs(market, -pairs), at_ns, reason)


def split(posting_id: str, market: Market, pairs: Size, at_ns: Nanos, reason: str = "") -> Posting:
    return Posting(posting_id, PostingKind.SPLIT, _pairs(market, pairs), at_ns, reason)


def _pairs(market: Market, shares: Size) -> tuple[PostingLeg, ...]:
    half = shares // 2
    return (
        PostingLeg(market.yes, market.condition_id, shares, -half),
        PostingLeg(market.no, market.condition_id, shares, half - shares),
    )


def payout(
    posting_id: str, market: Market, held: Mapping[AssetId, Size], yes_pays: Price, at_ns: Nanos, reason: str = ""
) -> Posting:
    """What resolution makes of a position. `yes_pays` is a whole pUSD, nothing, or a share of it (in price units)."""
    pays = {market.yes: yes_pays, market.no: PRICE_ONE - yes_pays}
    legs = tuple(
        PostingLeg(asset, market.condition_id, -shares, cash_floor(pays[asset], shares))
        for asset, shares in held.items()
        if shares
    )
    return Posting(posting_id, PostingKind.PAYOUT, legs, at_ns, reason)


def income(
    posting_id: str, kind: PostingKind, cash: Cash, at_ns: Nanos, condition_id: ConditionId = "", reason: str = ""
) -> Posting:
    """A maker rebate or a liquidity reward. Raises ValueError for any other kind."""
    if kind not in (PostingKind.REBATE, PostingKind.REWARD):
        raise ValueError(f"kind: {kind.value} is no income; use REBATE or REWARD")
    return Posting(posting_id, kind, (PostingLeg(condition_id=condition_id, cash=cash),), at_ns, reason)


def adjusted(posting_id: str, kind: PostingKind, leg: PostingLeg, price: Price, at_ns: Nanos, reason: str) -> Posting:
    """The venue's figure is believed: `leg` says what changes, shares are valued at `price`, the rest is adjustments.

    A leg without shares is cash alone. For DUST and ADJUSTED; raises ValueError for any other kind.
    """
    if kind not in (PostingKind.DUST, PostingKind.ADJUSTED):
        raise ValueError(f"kind: {kind.value} is no adjustment; use DUST or ADJUSTED")
    if not leg.asset:
        return Posting(posting_id, kind, (leg,), at_ns, reason)
    value = cash_floor(price, leg.shares)
    legs = (
        msgspec.structs.replace(leg, cash=-value),
        PostingLeg(condition_id=leg.condition_id, cash=value),
    )
    return Posting(posting_id, kind, legs, at_ns, reason)
