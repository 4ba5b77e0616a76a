"""The trader's own orders: what was planned, what is known of each, what still rests in each market.

Law: the blotter learns from outcomes alone and can hear each of them twice. An order leaves the live view
only when its end is proved. Fills move the order here, the money in the ledger; neither looks at the other.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from execution.domain.commands import (
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    ClientOrderId,
    Fill,
    NewOrder,
    Outcome,
    Rejected,
    Strategy,
    TradeStatus,
    Unknown,
)
from execution.domain.orders import CANCEL_DEFERRED, ENDED, OrderEventKind, OrderState, move
from markets.domain.events import Side
from markets.domain.market import SIZE_STEP
from markets.domain.units import AssetId, ConditionId, Nanos, Price, Size, price_text, size_text

# Settlement rounds: an order with less than one size step left has been filled.
DUST: Size = SIZE_STEP
# A global of this module is found faster than a member of an enum.
_PLANNED, _LIVE, _CANCELLING = OrderState.PLANNED, OrderState.LIVE, OrderState.CANCELLING
_ACCEPT, _DELAY, _CANCEL = OrderEventKind.ACCEPT, OrderEventKind.DELAY, OrderEventKind.CANCEL
_EXPIRE, _ASK_CANCEL = OrderEventKind.EXPIRE, OrderEventKind.ASK_CANCEL
_FILLS = (OrderEventKind.FILL_PART, OrderEventKind.FILL_ALL)
_DELAYED, _SPREAD = Ack.DELAYED, Strategy.SPREAD
_replace = msgspec.structs.replace
_ACKS = {ack: ack.value for ack in Ack}


class LiveOrder(msgspec.Struct, frozen=True, gc=False):
    """An order that may still trade. `order_id` is the venue's hash or "", `placed_ns` when it was decided.

    `cancel_asked` is true from the wish to cancel on, also while the cancel cannot be sent yet.
    """

    client_order_id: ClientOrderId
    condition_id: ConditionId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    remaining: Size
    placed_ns: Nanos
    state: OrderState
    order_id: str = ""
    strategy: Strategy = Strategy.SPREAD
    cancel_asked: bool = False


class OrderMoved(msgspec.Struct, frozen=True, gc=False):
    """One step of one order, for the journal. `filled` is its total after the step."""

    client_order_id: ClientOrderId
    before: OrderState
    event: OrderEventKind
    after: OrderState
    at_ns: Nanos
    detail: str = ""
    filled: Size = 0

    @property
    def resizes(self) -> bool:
        """Whether another amount of the order may still fill than before."""
        return self.event in _FILLS or (self.before in ENDED) is not (self.after in ENDED)


class OrderRecord(msgspec.Struct, frozen=True, gc=False):
    """An order as the journal had it, for `restore`; `fills` are the (trade_id, bucket) inside `filled`."""

    order: NewOrder
    plan_id: str
    strategy: Strategy
    state: OrderState
    filled: Size
    placed_ns: Nanos
    order_id: str
    cancel_asked: bool = False
    fills: tuple[tuple[str, int], ...] = ()


class _Shelf:
    """One market's orders whose end is not proved, oldest first. `every` and `quotes` are put together when somebody
    asks after one has moved, and kept until the next does.
    """

    __slots__ = ("every", "newest_end_ns", "orders", "quotes")

    def __init__(self) -> None:
        self.orders: dict[ClientOrderId, LiveOrder] = {}
        self.every: tuple[LiveOrder, ...] | None = ()
        self.quotes: tuple[LiveOrder, ...] | None = ()
        self.newest_end_ns: Nanos = 0


class _Entry(msgspec.Struct, gc=False):
    """One order as it is since its last step, where it is shown, and what has filled of it."""

    shown: LiveOrder
    shelf: _Shelf
    filled: Size = 0
    fills: frozenset[tuple[str, int]] = frozenset()


class Blotter:
    def __init__(self) -> None:
        self._entries: dict[ClientOrderId, _Entry] = {}
        self._shelves: dict[ConditionId, _Shelf] = {}
        self._early: dict[ClientOrderId, list[Outcome]] = {}
        self._due: dict[ClientOrderId, None] = {}
        self._asked: dict[ClientOrderId, Nanos] = {}
        self._ended: dict[ClientOrderId, Nanos] = {}
        self._open = 0

    # Learning

    def plan(self, order: NewOrder, strategy: Strategy, at_ns: Nanos) -> tuple[OrderMoved, ...]:
        """Note a new order before it is sent; returns the moves of outcomes that were already waiting for it.

        Raises ValueError when the client order id is taken: a plan said twice places nothing twice.
        """
        if order.client_order_id in self._entries:
            raise ValueError(f"client order id {order.client_order_id} is taken")
        return self._adopt(_opened(order, strategy, at_ns))

    def restore(self, records: Iterable[OrderRecord], at_ns: Nanos) -> tuple[OrderMoved, ...]:
        """Take over what the journal knew. What was on its way may have arrived: it is UNKNOWN."""
        moves: list[OrderMoved] = []
        for record in records:
            left = record.order.size - record.filled
            shown = _replace(
                _opened(record.order, record.strategy, record.placed_ns),
                remaining=left if left > 0 else 0,
                state=record.state,
                order_id=record.order_id,
                cancel_asked=record.cancel_asked,
            )
            moves += self._adopt(shown, record.filled, frozenset(record.fills))
            entry = self._entries[shown.client_order_id]
            if entry.shown.state in (OrderState.PLANNED, OrderState.SUBMITTING):
                moved = self._move(entry, OrderEventKind.LOSE, at_ns, "restarted while it was being sent")
                moves += [moved] if moved else []
        return tuple(moves)

    def submitting(self, client_order_id: ClientOrderId, at_ns: Nanos) -> OrderMoved | None:
        return self._move(self._entries[client_order_id], OrderEventKind.SUBMIT, at_ns, "")

    def apply(self, outcome: Outcome) -> OrderMoved | None:
        """Fold one outcome in. None when it changed nothing, or waits for an order not known yet."""
        entry = self._entries.get(outcome.client_order_id)
        if entry is None:
            self._early.setdefault(outcome.client_order_id, []).append(outcome)
            return None
        match outcome:
            case Accepted():
                event = _DELAY if outcome.ack is _DELAYED else _ACCEPT
                return self._move(entry, event, outcome.at_ns, _ACKS[outcome.ack], outcome.order_id)
            case Cancelled():
                event = _EXPIRE if outcome.expired else _CANCEL
                return self._move(entry, event, outcome.at_ns, outcome.detail)
            case Fill():
                return self._fill(entry, outcome)
            case Rejected():
                return self._move(entry, OrderEventKind.REJECT, outcome.at_ns, f"{outcome.code}: {outcome.detail}")
            case Unknown():
                return self._move(entry, OrderEventKind.LOSE, outcome.at_ns, outcome.detail)
            case CancelFailed():
                return self._move(entry, OrderEventKind.FAIL_CANCEL, outcome.at_ns, outcome.detail)

    def ask_cancel(self, ids: Iterable[ClientOrderId], at_ns: Nanos) -> tuple[ClientOrderId, ...]:
        """Note the wish to cancel; returns what can be sent now. `due_cancels` hands out the rest later.

        A sent `Cancel` implies the journal's move to CANCELLING, so none is returned.
        """
        now: list[ClientOrderId] = []
        for client_order_id in ids:
            entry = self._entries.get(client_order_id)
            if entry is None:
                continue
            shown = entry.shown
            if shown.state in ENDED or shown.cancel_asked:
                continue
            if shown.state in CANCEL_DEFERRED:
                self._show(entry, _replace(shown, cancel_asked=True))
            else:
                self._send_cancel(entry, at_ns)
                now.append(client_order_id)
        return tuple(now)

    @property
    def cancels_wait(self) -> bool:
        """Whether any cancel is to be sent or was sent and is not proved."""
        return bool(self._due or self._asked)

    def due_cancels(self, at_ns: Nanos) -> tuple[ClientOrderId, ...]:
        """Deferred cancels whose order has meanwhile been seen resting: to be sent now, handed out once."""
        if not self._due:
            return ()
        due = tuple(self._due)
        self._due.clear()
        for client_order_id in due:
            self._send_cancel(self._entries[client_order_id], at_ns)
        return due

    def overdue_cancels(self, at_ns: Nanos, patience_ns: Nanos) -> tuple[ClientOrderId, ...]:
        """Cancels sent `patience_ns` ago and not proved: request or answer was lost, send them again."""
        late: list[ClientOrderId] = []
        for client_order_id, sent_ns in self._asked.items():  # oldest first: asked for at every decision
            if at_ns - sent_ns < patience_ns:
                break
            late.append(client_order_id)
        for client_order_id in late:
            del self._asked[client_order_id]  # the newest last
            self._asked[client_order_id] = at_ns
        return tuple(late)

    def forget(self, before_ns: Nanos) -> int:
        """Drop orders that ended before `before_ns`; a later word about one is a stranger's."""
        old: list[ClientOrderId] = []
        for client_order_id, ended_ns in self._ended.items():  # oldest end first
            if ended_ns >= before_ns:
                break
            old.append(client_order_id)
        for client_order_id in old:
            del self._ended[client_order_id]
            del self._entries[client_order_id]
        return len(old)

    # Looking

    def live(self, condition_id: ConditionId, strategy: Strategy | None = None) -> tuple[LiveOrder, ...]:
        """Orders of one market whose end is not proved, oldest first; of one strategy when named."""
        shelf = self._shelves.get(condition_id)
        if shelf is None:
            return ()
        every = shelf.every
        if every is None:
            every = shelf.every = tuple(shelf.orders.values())
        if strategy is None:
            return every
        return tuple([order for order in every if order.strategy is strategy])

    def quotes(self, condition_id: ConditionId) -> tuple[LiveOrder, ...]:
        """`live` of the spread quoter, kept until an order moves: asked at every decision."""
        shelf = self._shelves.get(condition_id)
        if shelf is None:
            return ()
        found = shelf.quotes
        if found is None:
            found = shelf.quotes = tuple([order for order in shelf.orders.values() if order.strategy is _SPREAD])
        return found

    def only_quotes(self, condition_id: ConditionId) -> bool:
        """Whether no other strategy has an order in this market."""
        shelf = self._shelves.get(condition_id)
        if shelf is None:
            return True
        quotes = shelf.quotes
        return len(self.quotes(condition_id) if quotes is None else quotes) == len(shelf.orders)

    def newest_end_ns(self, condition_id: ConditionId) -> Nanos:
        """When an order of this market last proved to have ended; 0 when none has."""
        shelf = self._shelves.get(condition_id)
        return shelf.newest_end_ns if shelf is not None else 0

    def all_live(self) -> tuple[LiveOrder, ...]:
        return tuple([order for shelf in self._shelves.values() for order in shelf.orders.values()])

    @property
    def open_count(self) -> int:
        return self._open

    @property
    def unknown(self) -> tuple[LiveOrder, ...]:
        return tuple(order for order in self.all_live() if order.state is OrderState.UNKNOWN)

    @property
    def strangers(self) -> Mapping[ClientOrderId, Sequence[Outcome]]:
        """Outcomes of orders never planned here."""
        return self._early

    def order(self, client_order_id: ClientOrderId) -> LiveOrder | None:
        """One order in whatever state, None when unknown or forgotten."""
        entry = self._entries.get(client_order_id)
        return entry.shown if entry is not None else None

    def selling(self, condition_id: ConditionId, asset: AssetId, besides: Strategy | None = None) -> Size:
        """Shares reserved by open sells, not counting those of the strategy that would replace them."""
        return sum(
            order.remaining
            for order in self.live(condition_id)
            if order.asset == asset and order.side is Side.SELL and order.strategy is not besides
        )

    # Inside

    def _shelf(self, condition_id: ConditionId) -> _Shelf:
        shelf = self._shelves.get(condition_id)
        if shelf is None:
            shelf = self._shelves[condition_id] = _Shelf()
        return shelf

    def _adopt(
        self, shown: LiveOrder, filled: Size = 0, fills: frozenset[tuple[str, int]] = frozenset()
    ) -> tuple[OrderMoved, ...]:
        client_order_id = shown.client_order_id
        entry = self._entries[client_order_id] = _Entry(shown, self._shelf(shown.condition_id), filled, fills)
        if shown.state in ENDED:
            self._ended[client_order_id] = shown.placed_ns
        else:
            self._open += 1
        self._show(entry, shown)
        if client_order_id not in self._early:  # nearly always
            return ()
        waiting = self._early.pop(client_order_id)
        return tuple([moved for outcome in waiting if (moved := self.apply(outcome)) is not None])

    def _fill(self, entry: _Entry, fill: Fill) -> OrderMoved | None:
        """A trade counts once whatever its settlement does: a FAILED one does not bring the order back."""
        key, shown = (fill.trade_id, fill.bucket), entry.shown
        if key in entry.fills:
            return None
        left = shown.size - entry.filled - fill.size
        event = OrderEventKind.FILL_ALL if left < DUST else OrderEventKind.FILL_PART
        after = move(shown.state, event)
        entry.fills |= {key}
        entry.filled += fill.size
        failed = " (settlement failed)" if fill.status is TradeStatus.FAILED else ""
        detail = f"{size_text(fill.size)} at {price_text(fill.price)}{failed}"
        return self._step(entry, event, _replace(shown, state=after, remaining=max(0, left)), fill.at_ns, detail)

    def _move(
        self, entry: _Entry, event: OrderEventKind, at_ns: Nanos, detail: str, order_id: str = ""
    ) -> OrderMoved | None:
        shown = entry.shown
        after, order_id = move(shown.state, event), order_id or shown.order_id
        if after is shown.state:
            if order_id != shown.order_id:
                self._show(entry, _replace(shown, order_id=order_id))
            return None
        if after is _LIVE and entry.filled:
            after = OrderState.PARTIALLY_FILLED
        return self._step(entry, event, _replace(shown, state=after, order_id=order_id), at_ns, detail)

    def _step(self, entry: _Entry, event: OrderEventKind, shown: LiveOrder, at_ns: Nanos, detail: str) -> OrderMoved:
        before, after, client_order_id = entry.shown.state, shown.state, shown.client_order_id
        had_ended = before in ENDED
        if had_ended:
            self._ended.pop(client_order_id, None)
        if after in ENDED:
            self._ended[client_order_id] = entry.shelf.newest_end_ns = at_ns
            self._open -= not had_ended
            if shown.cancel_asked:
                self._due.pop(client_order_id, None)
                self._asked.pop(client_order_id, None)
        else:
            self._open += had_ended
            if shown.cancel_asked and after not in CANCEL_DEFERRED and after is not _CANCELLING:
                self._due[client_order_id] = None
        self._show(entry, shown)
        return OrderMoved(client_order_id, before, event, after, at_ns, detail, entry.filled)

    def _send_cancel(self, entry: _Entry, at_ns: Nanos) -> None:
        shown = entry.shown
        self._asked.pop(shown.client_order_id, None)  # the newest last
        self._asked[shown.client_order_id] = at_ns
        self._show(entry, _replace(shown, state=move(shown.state, _ASK_CANCEL), cancel_asked=True))

    @staticmethod
    def _show(entry: _Entry, shown: LiveOrder) -> None:
        """Keep the live view of the order's market true."""
        shelf, entry.shown = entry.shelf, shown
        if shown.state in ENDED:
            shelf.orders.pop(shown.client_order_id, None)
        else:
            shelf.orders[shown.client_order_id] = shown
        shelf.every = shelf.quotes = None


def _opened(order: NewOrder, strategy: Strategy, at_ns: Nanos) -> LiveOrder:
    size = order.size
    return LiveOrder(
        order.client_order_id, order.condition_id, order.asset, order.side, order.price, size, size, at_ns, _PLANNED,
        "", strategy,
    )  # fmt: skip
