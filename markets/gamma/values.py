"""What Gamma says, as values in the units of the database: prices and cash in pUSD, sizes in shares.

Law: a value here is whole and checked; Decimal, never float.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from markets.domain.market import Generation

Kind: TypeAlias = Literal["events", "markets"]
Document: TypeAlias = dict[str, Any]


class GammaError(ValueError):
    """A field whose content cannot be what the venue means."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class NotBinary(ValueError):
    """Sound, but not a market with a condition and two outcomes: skipped, not an error."""


class CrawlFailed(Exception):
    """The walk could not be finished; what was yielded before is sound but not everything."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a live walk, items as the venue wrote them."""

    kind: Kind
    number: int
    items: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class GammaOutcome:
    index: int
    name: str
    asset_id: str
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class GammaEvent:
    """`set_size` is the size of a complete neg-risk set, 0 for none, None when only its name was given.

    `convert_fee_bps` is what the neg-risk adapter keeps of a conversion, None when the venue does not say.
    """

    gamma_id: str
    slug: str
    title: str
    category: str
    neg_risk: bool
    augmented: bool
    closed: bool
    set_size: int | None = None
    convert_fee_bps: int | None = None


@dataclass(frozen=True, slots=True)
class GammaMarket:
    """`event_id` is empty when no event was named, `outcomes` while the venue has not given both ids.

    `rule_text` is the canonical JSON that `rule_hash` is the SHA-256 of.
    """

    condition_id: str
    gamma_id: str
    event_id: str
    slug: str
    question: str
    group_title: str
    generation: Generation
    tick_size: Decimal
    min_size: Decimal
    neg_risk: bool
    other: bool
    active: bool
    closed: bool
    accepting_orders: bool
    delayed: bool
    fee_rate: Decimal
    fee_exponent: int
    fee_rebate: Decimal
    fees_known: bool
    rewards_min_size: Decimal
    rewards_max_spread: Decimal
    rewards_daily: Decimal
    volume_24h: Decimal
    liquidity: Decimal
    best_bid: Decimal | None
    best_ask: Decimal | None
    game_start: datetime | None
    end_date: datetime | None
    resolution_status: str
    rule_text: str
    rule_hash: str
    outcomes: tuple[GammaOutcome, ...]
    question_id: str = ""
