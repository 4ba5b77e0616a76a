"""What the ledger would hold were postings booked that have not been: jobs on chain that are decided or under way.

Law: the same arithmetic as the ledger's, on what is final there; nothing is booked.
"""

from collections.abc import Iterable
from typing import NamedTuple

from execution.domain.ledger import Holding, Ledger, Move, fold
from execution.domain.postings import Posting
from markets.domain.units import AssetId, Cash, ConditionId, Size


class Difference(NamedTuple):
    """Of one asset: shares that come and what they cost, below 0 for what goes."""

    condition_id: ConditionId
    shares: Size
    cost: Cash


def supposed(ledger: Ledger, postings: Iterable[Posting]) -> dict[AssetId, Difference]:
    """What changes in the assets these postings touch, in their order."""
    was: dict[AssetId, Holding] = {}
    now: dict[AssetId, Holding] = {}
    where: dict[AssetId, ConditionId] = {}
    for posting in postings:
        for leg in posting.legs:
            if not leg.shares:
                continue
            if leg.asset not in was:
                was[leg.asset] = now[leg.asset] = ledger.confirmed(leg.asset)
                where[leg.asset] = leg.condition_id
            now[leg.asset] = fold(now[leg.asset], Move(leg.shares, -leg.cash, 0, True))
    return {
        asset: Difference(where[asset], held.shares - was[asset].shares, held.cost - was[asset].cost)
        for asset, held in now.items()
    }
