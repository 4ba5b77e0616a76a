"""Why the gate says no: stable codes, and sentences with the figure and the bound.

Law: codes are in the journal, the API and the metrics; none is ever renamed.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from markets.domain.units import Cash, cash_to_decimal
from risk.domain.caps import Level


class RefusalCode(StrEnum):
    """Stable words: they are in the journal, the API and the metrics."""

    STOPPED = "stopped"
    NOT_HELD = "not_held"
    BREAKER = "breaker"
    BOOK_NOT_VERIFIED = "book_not_verified"
    BOOK_STALE = "book_stale"
    ORDER_CAP = "order_cap"
    OUTCOME_CAP = "outcome_cap"
    MARKET_CAP = "market_cap"
    EVENT_CAP = "event_cap"
    CATEGORY_CAP = "category_cap"
    STRATEGY_CAP = "strategy_cap"
    WALLET_CAP = "wallet_cap"
    TOTAL_CAP = "total_cap"
    COLLAR = "collar"
    ORDER_RATE = "order_rate"
    VERSION_UNKNOWN = "version_unknown"
    NOT_ACCEPTING = "not_accepting"
    OTHER_OUTCOME = "other_outcome"
    OWN_CROSS = "own_cross"
    OFF_GRID = "off_grid"
    BELOW_MIN_SIZE = "below_min_size"


CAP_OF: Mapping[Level, RefusalCode] = {level: RefusalCode(f"{level}_cap") for level in Level}
# Refusals about how much is at stake: what takes inventory down may still pass.
CAPS = frozenset(CAP_OF.values())


class Refused(msgspec.Struct, frozen=True, gc=False):
    codes: tuple[RefusalCode, ...]
    detail: str


Found: TypeAlias = list[tuple[RefusalCode, str]]


def could_lose(what: str, loss: Cash, cap: Cash) -> str:
    return f"{what} could lose {pusd(loss)} pUSD, cap {pusd(cap)} pUSD"


def pusd(cash: Cash) -> str:
    return f"{cash_to_decimal(cash).normalize():f}"


def decimal(value: int, places: int) -> str:
    """An integer unit as people write it: 123 with 4 places is 0.0123."""
    whole, part = divmod(value, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")
