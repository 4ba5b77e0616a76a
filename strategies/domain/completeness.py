"""Which markets may be part of a full set, and whether a set of them is full.

Law: proved by metadata, never by prices, and refused in words. What is not known is not complete.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markets.domain.market import Generation, Market
from strategies.domain.intents import NotTaken


class Refusal(NamedTuple):
    """Why something is no set; `detail` says it in the operator's words, "" when the reason says it all."""

    reason: NotTaken
    detail: str = ""


def unfit(market: Market) -> Refusal | None:
    """Why this market may be in no set of any kind; None when nothing stands against it."""
    if market.augmented:
        return Refusal(NotTaken.AUGMENTED)
    if market.other:
        return Refusal(NotTaken.OTHER_OUTCOME, market.question)
    if not market.yes or not market.no:
        return Refusal(NotTaken.UNHYDRATED, f"tokens of {market.question} are not known")
    if market.blocked:
        return Refusal(NotTaken.BLOCKED, f"{market.blocked}: {market.question}")
    if not market.accepting_orders:
        return Refusal(NotTaken.NOT_ACCEPTING, market.question)
    if market.delayed:
        return Refusal(NotTaken.DELAYED, market.question)
    return None


def first_unfit(markets: Iterable[Market]) -> Refusal | None:
    return next((refusal for market in markets if (refusal := unfit(market)) is not None), None)


def is_known_set(markets: Sequence[Market]) -> bool:
    """Whether these are all markets of a neg-risk event that can get no others: at most one YES of them wins."""
    return len(markets) >= 2 and all(
        market.neg_risk and market.set_size == len(markets) and not market.augmented and not market.other
        for market in markets
    )


def is_complete_set(markets: Sequence[Market]) -> bool:
    """Whether exactly one YES of these neg-risk markets must win.

    Never in protocol V2: its module keeps an outcome of its own that wins when all listed ones lose.
    """
    return is_known_set(markets) and all(market.generation is not Generation.V2 for market in markets)


def not_a_set(markets: Sequence[Market]) -> Refusal | None:
    """Why the neg-risk markets of one event are no known set."""
    refusal = first_unfit(markets)
    if refusal is None and not is_known_set(markets):
        expected = markets[0].set_size if markets else 0
        known = f"{len(markets)} of {expected} markets followed" if expected else "the listing does not prove it"
        return Refusal(NotTaken.INCOMPLETE_SET, known)
    return refusal
