"""Which of the venue's orders are ours, and what its words about them mean for us.

Law: an order is known by its hash before it is sent, so no word about it can come too early. What we gave and got in a
trade is read from our own legs; what is said of an order we do not know is a stranger's and changes nothing.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from execution.domain.blotter import DUST, OrderRecord
from execution.domain.commands import Accepted, Ack, Cancelled, ClientOrderId, Fill, NewOrder, Outcome, TradeStatus
from execution.domain.decode import Leg, OrderWord, TradeWord, Word, scaled
from execution.domain.orders import ENDED
from markets.domain.fees import FeeSchedule, taker_fee
from markets.domain.market import SIZE_STEP
from markets.domain.units import NANOS_PER_MILLI, Cash, ConditionId, Millis, Nanos, Price, Size, complement
from strategies.domain.intents import OrderType

REMEMBERED = 50_000  # ended orders of which late words are still understood
REST_KILLED = "the rest of an order that never rests"
NEVER_REST = (OrderType.FOK, OrderType.FAK)
_SPLITS = 10_000

_FINAL = (TradeStatus.CONFIRMED, TradeStatus.FAILED)
_ACKS = {"MATCHED": Ack.MATCHED, "DELAYED": Ack.DELAYED}
_TradeKey: TypeAlias = tuple[str, int]
_SplitKey: TypeAlias = tuple[str, int, ClientOrderId]


class Meaning(NamedTuple):
    """What words mean for us, and the ids of orders they named that we do not know."""

    outcomes: tuple[Outcome, ...]
    strangers: tuple[str, ...]


class _Part(NamedTuple):
    trade_id: str
    price: Price
    size: Size
    fee: Cash = 0


class OurOrders:
    """Every order we sent or are about to send, by our number and by the venue's id."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._orders: dict[str, NewOrder] = {}
        self._ids: dict[ClientOrderId, str] = {}
        self._ended: dict[str, None] = {}
        self._splits: dict[_SplitKey, tuple[_Part, ...]] = {}
        self._unsettled: dict[_TradeKey, Millis] = {}
        self._pins: dict[str, dict[_TradeKey, None]] = {}
        self._filled: dict[str, dict[tuple[str, int], Size]] = {}
        self._taken: dict[str, Size] = {}

    def note(self, order: NewOrder, order_id: str) -> None:
        """Before it is sent."""
        self._orders[order_id] = order
        self._ids[order.client_order_id] = order_id

    def restore(self, records: Iterable[OrderRecord], fills: Iterable[Fill] = ()) -> None:
        """What the journal knew, so that words about it are understood after a restart."""
        for record in records:
            self.note(record.order, record.order_id)
            if record.state in ENDED:
                self.end(record.order_id)
        for fill in fills:
            trade_id, at, _ = fill.trade_id.partition("@")
            if fill.status not in _FINAL:
                self._unsettled[trade_id, fill.bucket] = fill.at_ns // NANOS_PER_MILLI
                self._pin(fill.client_order_id, (trade_id, fill.bucket))
            if at:
                key = (trade_id, fill.bucket, fill.client_order_id)
                part = _Part(fill.trade_id, fill.price, fill.size, fill.fee)
                self._splits[key] = (*self._splits.get(key, ()), part)

    def end(self, order_id: str) -> None:
        """It rests no more. Late words about it are understood until many others have ended after it, and those about
        trades that have not settled always.
        """
        if order_id in self._orders:
            self._ended[order_id] = None
            self._filled.pop(order_id, None)
            self._taken.pop(order_id, None)
        while len(self._ended) > self._remembered:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            if self._pins.get(oldest):
                self._ended[oldest] = None  # back to the end of the queue
                break
            self._pins.pop(oldest, None)
            del self._ids[self._orders.pop(oldest).client_order_id]

    def took(self, order_id: str, size: Size, at_ns: Nanos) -> Cancelled | None:
        """An order that never rests is over and took `size`. The end of its rest is told when all of that was told.

        Told before, it would free the exposure of shares that are ours already.
        """
        if order_id not in self._orders or order_id in self._ended:
            return None
        self._taken[order_id] = size
        return self._rest_ended(order_id, at_ns)

    def _rest_ended(self, order_id: str, at_ns: Nanos) -> Cancelled | None:
        size, filled = self._taken.get(order_id), sum(self._filled.get(order_id, {}).values())
        if size is None or size - filled >= DUST:
            return None
        order = self._orders[order_id]
        self.end(order_id)
        return None if order.size - filled < DUST else Cancelled(order.client_order_id, REST_KILLED, at_ns)

    def find(self, order_id: str) -> NewOrder | None:
        return self._orders.get(order_id)

    def order_id(self, client_order_id: ClientOrderId) -> str:
        """The venue's id of one of ours; "" when we do not know the order."""
        return self._ids.get(client_order_id, "")

    @property
    def open_ids(self) -> tuple[str, ...]:
        """Venue ids of those whose end nobody has told us."""
        return tuple(order_id for order_id in self._orders if order_id not in self._ended)

    @property
    def unsettled_ms(self) -> Millis | None:
        """When the oldest of our trades matched whose settlement we have not been told; None without one."""
        return min(self._unsettled.values(), default=None)

    # What words mean

    def understand(self, words: Iterable[Word], fees: Callable[[ConditionId], FeeSchedule], at_ns: Nanos) -> Meaning:
        outcomes: list[Outcome] = []
        strangers: list[str] = []
        for word in words:
            if isinstance(word, TradeWord):
                fills = self._fills(word, fees, at_ns)
                outcomes += fills
                if fills:
                    self._settling(word, fills)
                    outcomes += self._ends(fills, at_ns)
                else:
                    strangers.append(word.taker.order_id)
            elif (order := self.find(word.order_id)) is None:
                strangers.append(word.order_id)
            else:
                outcomes += self._order(scaled(word, order.size), order, at_ns)
        return Meaning(tuple(outcomes), tuple(strangers))

    def _settling(self, trade: TradeWord, fills: Iterable[Fill]) -> None:
        key = (trade.trade_id, trade.bucket)
        if trade.status not in _FINAL:
            self._unsettled.setdefault(key, trade.matched_ms)
            for fill in fills:
                self._pin(fill.client_order_id, key)
            return
        self._unsettled.pop(key, None)
        for fill in fills:
            self._pins.get(self._ids[fill.client_order_id], {}).pop(key, None)

    def _pin(self, client_order_id: ClientOrderId, key: _TradeKey) -> None:
        order_id = self._ids.get(client_order_id)
        if order_id is not None:
            self._pins.setdefault(order_id, {})[key] = None

    def _order(self, word: OrderWord, order: NewOrder, at_ns: Nanos) -> list[Outcome]:
        if word.cancelled:
            self.end(word.order_id)
            detail = word.status or "cancelled by the venue"
            return [Cancelled(order.client_order_id, detail[:200], at_ns, expired=word.expired)]
        ack = _ACKS.get(word.status.upper(), Ack.LIVE)
        accepted = Accepted(order.client_order_id, word.order_id, ack, at_ns)
        if word.matched is None:
            return [accepted]
        if order.order_type in NEVER_REST:
            over = self.took(word.order_id, word.matched, at_ns) if ack is Ack.MATCHED else None
            return [accepted, over] if over is not None else [accepted]
        if word.matched >= order.size:
            self.end(word.order_id)
        return [accepted]

    def _fills(self, trade: TradeWord, fees: Callable[[ConditionId], FeeSchedule], at_ns: Nanos) -> list[Fill]:
        fills = []
        taker = self.find(trade.taker.order_id)
        if taker is not None:
            schedule = fees(taker.condition_id)
            fills += [_fill(trade, taker, part, False, at_ns) for part in self._parts(trade, taker, schedule)]
        legs: dict[str, Leg] = {}
        for leg in trade.makers:
            if leg.order_id in self._orders:
                before = legs.get(leg.order_id)
                size = leg.size + (before.size if before else 0)
                legs[leg.order_id] = Leg(leg.order_id, leg.asset, leg.side, leg.price, size)
        for order_id, leg in legs.items():
            part = _Part(trade.trade_id, leg.price, leg.size)
            fills.append(_fill(trade, self._orders[order_id], part, True, at_ns))
        return fills

    def _ends(self, fills: Iterable[Fill], at_ns: Nanos) -> list[Outcome]:
        """A whole order filled is ended, also when no other word says so; one that never rests, when it has all."""
        ends: list[Outcome] = []
        for fill in fills:
            order_id = self._ids[fill.client_order_id]
            if order_id in self._ended:
                continue
            filled = self._filled.setdefault(order_id, {})
            filled[fill.trade_id, fill.bucket] = fill.size
            over = self._rest_ended(order_id, at_ns)
            ends += [over] if over is not None else []
            if self._orders[order_id].size - sum(filled.values()) < DUST:
                self.end(order_id)
        return ends

    def _parts(self, trade: TradeWord, taker: NewOrder, schedule: FeeSchedule) -> tuple[_Part, ...]:
        """What the taker's order traded, one part per price: the price of the whole is a rounded average.

        A trade once told in parts stays in these parts: a fill is known by its id, and money must not move twice.
        """
        key = (trade.trade_id, trade.bucket, taker.client_order_id)
        known = self._splits.get(key)
        if known is not None:
            return known
        parts = _split(trade, taker, schedule)
        if len(parts) > 1:
            self._splits[key] = parts
            if len(self._splits) > _SPLITS:
                del self._splits[next(iter(self._splits))]
        return parts


def _split(trade: TradeWord, taker: NewOrder, schedule: FeeSchedule) -> tuple[_Part, ...]:
    """Sizes and fees by price. The venue rounds the fee of every leg by itself."""
    sizes: dict[Price, Size] = {}
    charged: dict[Price, Cash] = {}
    for leg in trade.makers:
        price = leg.price if leg.asset == taker.asset else complement(leg.price)
        sizes[price] = sizes.get(price, 0) + leg.size
        charged[price] = charged.get(price, 0) + taker_fee(schedule, price, leg.size)
    left = trade.taker.size - sum(sizes.values())
    if not sizes or abs(left) > SIZE_STEP:  # the legs are not the whole of it
        price = trade.taker.price
        fee = taker_fee(schedule, price, trade.taker.size)
        return (_Part(trade.trade_id, price, trade.taker.size, fee),)
    sizes[max(sizes, key=lambda price: sizes[price])] += left  # settlement dust
    if len(sizes) == 1:
        ((price, size),) = sizes.items()
        return (_Part(trade.trade_id, price, size, charged[price]),)
    return tuple(_Part(f"{trade.trade_id}@{price}", price, sizes[price], charged[price]) for price in sorted(sizes))


def _fill(trade: TradeWord, order: NewOrder, part: _Part, maker: bool, at_ns: Nanos) -> Fill:
    return Fill(
        order.client_order_id,
        part.trade_id,
        trade.bucket,
        order.condition_id,
        order.asset,
        order.side,
        part.price,
        part.size,
        part.fee,
        maker,
        trade.status,
        at_ns,
    )
