"""What is worth keeping of a market's minute: its best prices moved, a trade, trust that changed, a snapshot asked for.

Law: values only, in the venue's units, each with the time we learned of it.
"""

from typing import TypeAlias

import msgspec

from markets.domain.events import Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.units import ConditionId, Millis, Nanos, Price, Size


class TopMoved(msgspec.Struct, frozen=True, gc=False):
    """New best prices of YES in a book that is VERIFIED; None where a side is empty."""

    market: ConditionId
    at_ns: Nanos
    bid: Price | None
    bid_size: Size
    ask: Price | None
    ask_size: Size


class Traded(msgspec.Struct, frozen=True, gc=False):
    """A print as the venue said it: in the traded token's own price, `side` is the taker's."""

    market: ConditionId
    at_ns: Nanos
    venue_ms: Millis
    yes: bool
    price: Price
    size: Size
    side: Side


class TrustMoved(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    at_ns: Nanos
    trust: Trust
    doubt: Doubt


class ResyncAsked(msgspec.Struct, frozen=True, gc=False):
    market: ConditionId
    at_ns: Nanos
    reason: str
    request_id: int


Observed: TypeAlias = TopMoved | Traded | TrustMoved | ResyncAsked
