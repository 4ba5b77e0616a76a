"""What a venue inside this process remembers of its orders, so that it can be asked about them like a real one.

Law: it repeats what was told, and nothing else. The newest orders and trades are kept; older ones it no longer knows,
which at the real venue proves nothing either.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

import msgspec

from execution.domain.commands import Cancelled, ClientOrderId, Fill, NewOrder
from execution.domain.decode import Leg, OrderWord, TradeWord
from markets.domain.events import Side
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, AssetId, ConditionId, Nanos, Size

K = TypeVar("K")
V = TypeVar("V")

KEPT = 10_000
_OTHER = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


def check_named(condition_id: ConditionId, asset: AssetId) -> None:
    """A request that names nothing would be one for everything. Raises ValueError."""
    if not condition_id and not asset:
        raise ValueError("condition_id, asset: name a market or a token; cancel_all takes everything down")


def concerns(order: NewOrder, condition_id: ConditionId, asset: AssetId) -> bool:
    return condition_id in ("", order.condition_id) and asset in ("", order.asset)


class Status(StrEnum):
    """As the venue's REST spells them."""

    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"
    EXPIRED = "CANCELED_EXPIRED"


class _Known(msgspec.Struct):
    order: NewOrder
    order_id: str
    at_ns: Nanos
    status: Status = Status.LIVE
    matched: Size = 0


class Recall:
    """`kept` bounds how many orders, and how many trades, are remembered."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._orders: dict[ClientOrderId, _Known] = {}
        self._trades: dict[tuple[str, ClientOrderId, int], Fill] = {}

    def arrived(self, order: NewOrder, order_id: str, at_ns: Nanos) -> None:
        """The same bytes again are the same order."""
        self._orders.setdefault(order.client_order_id, _Known(order, order_id, at_ns))
        _forget(self._orders, self._kept)

    def filled(self, fill: Fill) -> None:
        """Told again with a later status, it is the same trade."""
        key = (fill.trade_id, fill.client_order_id, fill.bucket)
        known = self._orders.get(fill.client_order_id)
        if known is not None and key not in self._trades:
            known.matched += fill.size
            if known.matched >= known.order.size:
                known.status = Status.MATCHED
        self._trades[key] = fill
        _forget(self._trades, self._kept)

    def cancelled(self, told: Cancelled) -> None:
        known = self._orders.get(told.client_order_id)
        if known is not None:
            known.status = Status.EXPIRED if told.expired else Status.CANCELED

    # Being asked

    def order(self, client_order_id: ClientOrderId) -> OrderWord | None:
        known = self._orders.get(client_order_id)
        if known is None:
            return None
        order = known.order
        return OrderWord(
            known.order_id,
            order.condition_id,
            order.asset,
            order.side,
            order.price,
            order.size,
            known.matched,
            known.status.value,
            None,
            known.at_ns // NANOS_PER_MILLI,
        )

    def trades(self, after_s: int) -> tuple[TradeWord, ...]:
        told = [fill for fill in self._trades.values() if fill.at_ns // NANOS_PER_SECOND >= after_s]
        return tuple(self._trade(fill) for fill in told)

    def resting_in(self, condition_id: ConditionId, asset: AssetId) -> Sequence[ClientOrderId]:
        """Orders of that market, or of that token, whose end was not told. Raises ValueError when neither is named."""
        check_named(condition_id, asset)
        return [
            number
            for number, known in self._orders.items()
            if known.status is Status.LIVE and concerns(known.order, condition_id, asset)
        ]

    def _trade(self, fill: Fill) -> TradeWord:
        known = self._orders.get(fill.client_order_id)
        own = Leg(known.order_id if known else "", fill.asset, fill.side, fill.price, fill.size)
        other = Leg("", fill.asset, _OTHER[fill.side], fill.price, fill.size)
        taker, makers = (other, (own,)) if fill.maker else (own, (other,))
        matched_ms = fill.at_ns // NANOS_PER_MILLI
        return TradeWord(fill.trade_id, fill.bucket, fill.condition_id, fill.status, taker, makers, matched_ms)


def _forget(remembered: dict[K, V], kept: int) -> None:
    while len(remembered) > kept:
        del remembered[next(iter(remembered))]
