"""A venue of paper: our orders against the public book and its prints, with queue position, latency, fees
and cash.

Law: pure and deterministic; the caller brings every event and the time, the seed only varies the latency.
Our orders fill when a print reaches or passes them, never because a quote merely touched them. Fills are
CONFIRMED at once, or MATCHED and then CONFIRMED after `settle_ns`.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

import msgspec

from execution.domain.commands import (
    GTD_ENDS_EARLY,
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    Fill,
    NewOrder,
    Outcome,
    Rejected,
    TradeStatus,
)
from execution.domain.ledger import Ledger
from execution.domain.reconcile import VenueOrder
from execution.relayers.paper_queue import PublicBook, Resting, hits, oriented, share_out
from execution.relayers.paper_rules import (
    IMMEDIATE,
    Refused,
    check_matched,
    check_terms,
    fit,
)
from markets.domain.events import (
    BookSnapshot,
    LastTrade,
    Level,
    MarketEvent,
    MarketResolved,
    PriceChange,
    Side,
    TickSizeChange,
)
from markets.domain.fees import taker_fee_ceil
from markets.domain.market import Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    Cash,
    ConditionId,
    Millis,
    Nanos,
    Price,
    Size,
    cash_ceil,
    complement,
)
from strategies.domain.intents import OrderType

DEFAULT_LATENCY: Nanos = 50 * NANOS_PER_MILLI
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class _Arrive:
    order: NewOrder
    order_id: str


@dataclass(frozen=True, slots=True)
class _Cancel:
    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class _Expire:
    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class _Settle:
    fill: Fill


_Happening: TypeAlias = _Arrive | _Cancel | _Expire | _Settle


class PaperExchange:
    def __init__(
        self,
        market_of: Callable[[ConditionId], Market | None],
        starting_cash: Cash,
        *,
        seed: int = 0,
        latency_ns: Nanos = DEFAULT_LATENCY,
        settle_ns: Nanos = 0,
    ) -> None:
        self.ledger = Ledger(starting_cash)
        self._market_of = market_of
        self._seed = seed
        self._latency_ns = latency_ns
        self._settle_ns = settle_ns
        self._books: dict[ConditionId, PublicBook] = {}
        self._resting: dict[ConditionId, dict[ClientOrderId, Resting]] = {}
        self._where: dict[ClientOrderId, ConditionId] = {}
        self._seen: dict[ClientOrderId, str] = {}
        self._line: list[tuple[Nanos, int, _Happening]] = []
        self._last_arrival_ns: Nanos = 0
        self._numbers = count(1)
        self._trades = count(1)
        self._out: list[Outcome] = []
        self._reserved_cash: Cash = 0

    # What the trader's side asks

    def submit(self, order: NewOrder, order_id: str, now_ns: Nanos) -> None:
        self._enter(_Arrive(order, order_id), now_ns)

    def cancel(self, ids: Sequence[ClientOrderId], now_ns: Nanos) -> None:
        for client_order_id in ids:
            self._enter(_Cancel(client_order_id), now_ns)

    def due(self, now_ns: Nanos) -> list[Outcome]:
        """Everything that has happened up to `now_ns` and was not handed out yet, in the order it
        happened.
        """
        self._run(now_ns)
        out, self._out = self._out, []
        return out

    def on_event(self, event: MarketEvent, now_ns: Nanos) -> None:
        """Hear the market. What was on its way until `now_ns` arrives first."""
        self._run(now_ns)
        match event:
            case BookSnapshot():
                book = self._book(event.market)
                if book is not None:
                    for fall in book.snapshot(event):
                        self._fell(event.market, *fall, event.timestamp_ms)
            case PriceChange():
                known = self._books.get(event.market)
                if known is not None:
                    for fall in known.change(event):
                        self._fell(event.market, *fall, event.timestamp_ms)
            case LastTrade():
                self._print(event, now_ns)
            case TickSizeChange():
                if event.market in self._books:
                    self._books[event.market].tick = event.new_tick
            case MarketResolved():
                for client_order_id in list(self._resting.get(event.market, ())):
                    self._end(client_order_id)
                    self._out.append(Cancelled(client_order_id, "market resolved", now_ns))
                self._books.pop(event.market, None)

    # What may be read

    @property
    def open_ids(self) -> tuple[ClientOrderId, ...]:
        """Resting orders and those on their way."""
        flying = [each.order.client_order_id for _, _, each in sorted(self._line) if isinstance(each, _Arrive)]
        return (*self._where, *flying)

    @property
    def open_orders(self) -> tuple[VenueOrder, ...]:
        return tuple(_listed(each) for orders in self._resting.values() for each in orders.values())

    @property
    def buying_power(self) -> Cash:
        """Free cash; a settled YES + NO pair not being sold counts as the pUSD a merge would make of it.

        Pairs are not merged here, so spending them drives `ledger.cash` below zero, covered by the pairs.
        """
        return self.ledger.cash - self._reserved_cash + sum(self._free_pairs(each) for each in self._resting)

    def mergeable(self, condition_id: ConditionId) -> Size:
        return self.ledger.mergeable(condition_id)

    # Time

    def _enter(self, happening: _Happening, now_ns: Nanos) -> None:
        """Put a request on the wire.

        Latency varies by up to a quarter, but requests never overtake each other.
        """
        number = next(self._numbers)
        spread = self._latency_ns // 4
        late = _mixed(self._seed, number) % (spread + 1) if spread else 0
        self._last_arrival_ns = max(self._last_arrival_ns, now_ns + self._latency_ns + late)
        heapq.heappush(self._line, (self._last_arrival_ns, number, happening))

    def _run(self, now_ns: Nanos) -> None:
        while self._line and self._line[0][0] <= now_ns:
            at_ns, _, happening = heapq.heappop(self._line)
            match happening:
                case _Arrive(order, order_id):
                    self._arrive(order, order_id, at_ns)
                case _Cancel(client_order_id):
                    self._cancel(client_order_id, at_ns)
                case _Expire(client_order_id):
                    if client_order_id in self._where:
                        self._end(client_order_id)
                        self._out.append(Cancelled(client_order_id, "expired", at_ns, expired=True))
                case _Settle(fill):
                    self._book_fill(fill)

    def _cancel(self, client_order_id: ClientOrderId, at_ns: Nanos) -> None:
        if client_order_id in self._where:
            self._end(client_order_id)
            self._out.append(Cancelled(client_order_id, "cancelled", at_ns))
        else:
            self._out.append(CancelFailed(client_order_id, "order not found or already ended", at_ns))

    # Orders

    def _arrive(self, order: NewOrder, order_id: str, at_ns: Nanos) -> None:
        client_order_id = order.client_order_id
        if client_order_id in self._where:  # the same bytes again: the venue knows them already
            self._out.append(Accepted(client_order_id, order_id, Ack.LIVE, at_ns))
            return
        try:
            market, book, takes = self._judge(order, order_id, at_ns)
        except Refused as refused:
            self._out.append(Rejected(client_order_id, refused.code, refused.detail, at_ns))
            return
        self._seen[client_order_id] = order_id
        self._out.append(Accepted(client_order_id, order_id, Ack.MATCHED if takes else Ack.LIVE, at_ns))
        is_bid, price = oriented(market, order.asset, order.side, order.price)
        left = order.size
        for level, size in takes:
            book.take(not is_bid, level, size)
            left -= size
            own = level if order.asset == market.yes else complement(level)
            fee = taker_fee_ceil(market.fees, own, size)
            self._trade(order, own, size, fee, False, at_ns)
        if not left:
            return
        if order.order_type in IMMEDIATE:
            self._out.append(Cancelled(client_order_id, "the rest found no match", at_ns))
            return
        resting = Resting(order, order_id, is_bid, price, book.size_at(is_bid, price))
        resting.remaining = left
        self._resting[order.condition_id][client_order_id] = resting
        self._where[client_order_id] = order.condition_id
        self._reserved_cash += _reserve(resting)
        if order.order_type is OrderType.GTD:
            until = (order.expires_ms - GTD_ENDS_EARLY) * NANOS_PER_MILLI
            heapq.heappush(self._line, (until, next(self._numbers), _Expire(client_order_id)))

    def _judge(self, order: NewOrder, order_id: str, at_ns: Nanos) -> tuple[Market, PublicBook, list[Level]]:
        """Everything the venue would look at, in its words; returns what the order takes at once."""
        if order.client_order_id in self._seen:
            raise Refused("duplicated", f"order {order_id} was already handled")
        market = self._market_of(order.condition_id)
        book = self._books.get(order.condition_id)
        if market is None or book is None:
            raise Refused("no_orderbook", "no orderbook exists for this market yet")
        check_terms(order, market, book.tick or market.tick, at_ns)
        is_bid, price = oriented(market, order.asset, order.side, order.price)
        takes = fit(book.available(not is_bid, price), order.size)
        own = [each.price for each in self._resting[order.condition_id].values() if each.is_bid is not is_bid]
        meets_own = any(each <= price if is_bid else each >= price for each in own)
        if order.post_only and (takes or meets_own):
            raise Refused("crosses_book", "invalid post-only order: order crosses book")
        if meets_own:
            raise Refused("own_cross", "order would meet an order of the same wallet")
        check_matched(order, takes)
        self._check_funds(order, market, takes)
        return market, book, takes

    def _check_funds(self, order: NewOrder, market: Market, takes: Sequence[Level]) -> None:
        short = Refused("balance", "not enough balance / allowance")
        if order.side is Side.SELL:
            before = self._free_pairs(order.condition_id)
            free = self._free_shares(market, order.condition_id)
            mine = 0 if order.asset == market.yes else 1
            if free[mine] < order.size:
                raise short
            lost = before - max(0, min(free[mine] - order.size, free[1 - mine]))
            if lost and self.buying_power < lost:  # those shares stand for cash that is spent
                raise short
            return
        need = 0
        left = order.size
        for level, size in takes:
            own = level if order.asset == market.yes else complement(level)
            need += cash_ceil(own, size) + taker_fee_ceil(market.fees, own, size)
            left -= size
        if order.order_type not in IMMEDIATE:
            need += cash_ceil(order.price, left)
        if need > self.ledger.cash - self._reserved_cash and need > self.buying_power:
            raise short

    def _free_shares(self, market: Market, condition_id: ConditionId) -> tuple[Size, Size]:
        selling = {market.yes: 0, market.no: 0}
        for each in self._resting[condition_id].values():
            if each.order.side is Side.SELL:
                selling[each.order.asset] += each.remaining
        held = self.ledger.inventory(market, selling)
        return held.yes_sellable, held.no_sellable

    def _free_pairs(self, condition_id: ConditionId) -> Size:
        market = self._market_of(condition_id)
        return min(self._free_shares(market, condition_id)) if market else 0

    def _end(self, client_order_id: ClientOrderId) -> None:
        resting = self._resting[self._where.pop(client_order_id)].pop(client_order_id)
        self._reserved_cash -= _reserve(resting)

    # The market

    def _book(self, condition_id: ConditionId) -> PublicBook | None:
        book = self._books.get(condition_id)
        if book is None:
            market = self._market_of(condition_id)
            if market is None:
                return None
            book = self._books[condition_id] = PublicBook(market)
            self._resting.setdefault(condition_id, {})
        return book

    def _fell(
        self, condition_id: ConditionId, is_bid: bool, price: Price, before: Size, after: Size, now_ms: Millis
    ) -> None:
        for each in self._resting[condition_id].values():
            if each.is_bid is is_bid and each.price == price:
                each.fell(before, after, now_ms)

    def _print(self, event: LastTrade, now_ns: Nanos) -> None:
        book = self._books.get(event.market)
        orders = self._resting.get(event.market)
        if book is None or not orders:
            return
        is_bid, price = hits(book.market, event)
        for each, size in share_out(list(orders.values()), is_bid, price, event.size, event.timestamp_ms):
            self._reserved_cash -= _reserve(each)
            each.remaining -= size
            self._reserved_cash += _reserve(each)
            if not each.remaining:
                self._end(each.order.client_order_id)
            self._trade(each.order, each.order.price, size, 0, True, now_ns)

    def _trade(self, order: NewOrder, price: Price, size: Size, fee: Cash, maker: bool, at_ns: Nanos) -> None:
        fill = Fill(
            order.client_order_id,
            f"paper-{self._seed}-{next(self._trades)}",
            0,
            order.condition_id,
            order.asset,
            order.side,
            price,
            size,
            fee,
            maker,
            TradeStatus.MATCHED if self._settle_ns else TradeStatus.CONFIRMED,
            at_ns,
        )
        self._book_fill(fill)
        if self._settle_ns:
            settled_ns = at_ns + self._settle_ns
            settled = msgspec.structs.replace(fill, status=TradeStatus.CONFIRMED, at_ns=settled_ns)
            heapq.heappush(self._line, (settled_ns, next(self._numbers), _Settle(settled)))

    def _book_fill(self, fill: Fill) -> None:
        self.ledger.apply(fill)
        self._out.append(fill)


def _reserve(resting: Resting) -> Cash:
    return cash_ceil(resting.order.price, resting.remaining) if resting.order.side is Side.BUY else 0


def _listed(resting: Resting) -> VenueOrder:
    order = resting.order
    return VenueOrder(
        resting.order_id,
        order.condition_id,
        order.asset,
        order.side,
        order.price,
        order.size,
        order.size - resting.remaining,
    )


def _mixed(seed: int, number: int) -> int:
    """SplitMix64 of a counter: even enough for latencies, the same on every machine."""
    z = (seed + number * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
