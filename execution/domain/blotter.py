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
_NOBODY: Mapping[ClientOrderId, "LiveOrder"] = {}


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


class _Entry:
    """The mutable side of one order. Owned by the blotter alone."""

    __slots__ = (
        "cancel_asked", "filled", "fills", "order", "order_id", "placed_ns", "plan_id",
        "state", "strategy",
    )  # fmt: skip

    def __init__(self, record: OrderRecord) -> None:
        self.order = record.order
        self.plan_id = record.plan_id
        self.strategy = record.strategy
        self.state = record.state
        self.filled = record.filled
        self.placed_ns = record.placed_ns
        self.order_id = record.order_id
        self.cancel_asked = record.cancel_asked
        self.fills: set[tuple[str, int]] = set(record.fills)

    def view(self) -> LiveOrder:
        order = self.order
        return LiveOrder(
            order.client_order_id,
            order.condition_id,
            order.asset,
            order.side,
            order.price,
            order.size,
            max(0, order.size - self.filled),
            self.placed_ns,
            self.state,
            self.order_id,
            self.strategy,
            self.cancel_asked,
        )


class Blotter:
    def __init__(self) -> None:
        self._entries: dict[ClientOrderId, _Entry] = {}
        self._live: dict[ConditionId, dict[ClientOrderId, LiveOrder]] = {}
        self._views: dict[ConditionId, tuple[LiveOrder, ...]] = {}
        self._quotes: dict[ConditionId, tuple[LiveOrder, ...]] = {}
        self._early: dict[ClientOrderId, list[Outcome]] = {}
        self._due: dict[ClientOrderId, None] = {}
        self._asked: dict[ClientOrderId, Nanos] = {}
        self._ended: dict[ClientOrderId, Nanos] = {}
        self._newest_end: dict[ConditionId, Nanos] = {}
        self._open = 0

    # Learning

    def plan(self, order: NewOrder, plan_id: str, strategy: Strategy, at_ns: Nanos) -> tuple[OrderMoved, ...]:
        """Note a new order before it is sent; returns the moves of outcomes that were already waiting for it.

        Raises ValueError when the client order id is taken: a plan said twice places nothing twice.
        """
        if order.client_order_id in self._entries:
            raise ValueError(f"client order id {order.client_order_id} is taken")
        record = OrderRecord(order, plan_id, strategy, OrderState.PLANNED, 0, at_ns, "")
        return self._adopt(record)

    def restore(self, records: Iterable[OrderRecord], at_ns: Nanos) -> tuple[OrderMoved, ...]:
        """Take over what the journal knew. What was on its way may have arrived: it is UNKNOWN."""
        moves: list[OrderMoved] = []
        for record in records:
            moves += self._adopt(record)
            entry = self._entries[record.order.client_order_id]
            if entry.state in (OrderState.PLANNED, OrderState.SUBMITTING):
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
            case Fill():
                return self._fill(entry, outcome)
            case Accepted():
                event = OrderEventKind.DELAY if outcome.ack is Ack.DELAYED else OrderEventKind.ACCEPT
                entry.order_id = outcome.order_id or entry.order_id
                return self._move(entry, event, outcome.at_ns, outcome.ack.value)
            case Rejected():
                return self._move(entry, OrderEventKind.REJECT, outcome.at_ns, f"{outcome.code}: {outcome.detail}")
            case Unknown():
                return self._move(entry, OrderEventKind.LOSE, outcome.at_ns, outcome.detail)
            case Cancelled():
                event = OrderEventKind.EXPIRE if outcome.expired else OrderEventKind.CANCEL
                return self._move(entry, event, outcome.at_ns, outcome.detail)
            case CancelFailed():
                return self._move(entry, OrderEventKind.FAIL_CANCEL, outcome.at_ns, outcome.detail)

    def ask_cancel(self, ids: Iterable[ClientOrderId], at_ns: Nanos) -> tuple[ClientOrderId, ...]:
        """Note the wish to cancel; returns what can be sent now. `due_cancels` hands out the rest later.

        A sent `Cancel` implies the journal's move to CANCELLING, so none is returned.
        """
        now: list[ClientOrderId] = []
        for client_order_id in ids:
            entry = self._entries.get(client_order_id)
            if entry is None or entry.state in ENDED or entry.cancel_asked:
                continue
            entry.cancel_asked = True
            if entry.state in CANCEL_DEFERRED:
                self._show(entry)
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
            self._note_asked(client_order_id, at_ns)
        return tuple(late)

    def _note_asked(self, client_order_id: ClientOrderId, at_ns: Nanos) -> None:
        self._asked.pop(client_order_id, None)
        self._asked[client_order_id] = at_ns

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
        view = self._views.get(condition_id)
        if view is None:
            view = self._views[condition_id] = tuple(self._live.get(condition_id, _NOBODY).values())
        if strategy is None:
            return view
        return tuple([order for order in view if order.strategy is strategy])

    def quotes(self, condition_id: ConditionId) -> tuple[LiveOrder, ...]:
        """`live` of the spread quoter, kept until an order moves: asked at every decision."""
        found = self._quotes.get(condition_id)
        if found is None:
            found = self._quotes[condition_id] = self.live(condition_id, Strategy.SPREAD)
        return found

    def only_quotes(self, condition_id: ConditionId) -> bool:
        """Whether no other strategy has an order in this market."""
        quotes = self._quotes.get(condition_id)
        if quotes is None:
            quotes = self.quotes(condition_id)
        return len(quotes) == len(self._live.get(condition_id, _NOBODY))

    def newest_end_ns(self, condition_id: ConditionId) -> Nanos:
        """When an order of this market last proved to have ended; 0 when none has."""
        return self._newest_end.get(condition_id, 0)

    def all_live(self) -> tuple[LiveOrder, ...]:
        return tuple(order for orders in self._live.values() for order in orders.values())

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
        if entry is None:
            return None
        shown = self._live.get(entry.order.condition_id, _NOBODY).get(client_order_id)
        return shown if shown is not None else entry.view()

    def selling(self, condition_id: ConditionId, asset: AssetId, besides: Strategy | None = None) -> Size:
        """Shares reserved by open sells, not counting those of the strategy that would replace them."""
        return sum(
            order.remaining
            for order in self.live(condition_id)
            if order.asset == asset and order.side is Side.SELL and order.strategy is not besides
        )

    # Inside

    def _adopt(self, record: OrderRecord) -> tuple[OrderMoved, ...]:
        entry = _Entry(record)
        client_order_id = record.order.client_order_id
        self._entries[client_order_id] = entry
        if entry.state in ENDED:
            self._ended[client_order_id] = record.placed_ns
        else:
            self._open += 1
            self._show(entry)
        waiting = self._early.pop(client_order_id, ())
        return tuple(moved for outcome in waiting if (moved := self.apply(outcome)) is not None)

    def _fill(self, entry: _Entry, fill: Fill) -> OrderMoved | None:
        """A trade counts once whatever its settlement does: a FAILED one does not bring the order back."""
        key = (fill.trade_id, fill.bucket)
        if key in entry.fills:
            return None
        left = entry.order.size - entry.filled - fill.size
        event = OrderEventKind.FILL_ALL if left < DUST else OrderEventKind.FILL_PART
        after = move(entry.state, event)
        entry.fills.add(key)
        entry.filled += fill.size
        failed = " (settlement failed)" if fill.status is TradeStatus.FAILED else ""
        detail = f"{size_text(fill.size)} at {price_text(fill.price)}{failed}"
        return self._step(entry, event, after, fill.at_ns, detail)

    def _move(self, entry: _Entry, event: OrderEventKind, at_ns: Nanos, detail: str) -> OrderMoved | None:
        after = move(entry.state, event)
        if after is entry.state:
            self._show(entry)
            return None
        if after is OrderState.LIVE and entry.filled:
            after = OrderState.PARTIALLY_FILLED
        return self._step(entry, event, after, at_ns, detail)

    def _step(self, entry: _Entry, event: OrderEventKind, after: OrderState, at_ns: Nanos, detail: str) -> OrderMoved:
        before = entry.state
        client_order_id = entry.order.client_order_id
        entry.state = after
        if after in ENDED:
            self._ended.pop(client_order_id, None)
            self._ended[client_order_id] = self._newest_end[entry.order.condition_id] = at_ns
            self._due.pop(client_order_id, None)
            self._asked.pop(client_order_id, None)
        elif entry.cancel_asked and after not in CANCEL_DEFERRED and after is not OrderState.CANCELLING:
            self._due[client_order_id] = None
        self._open += (before in ENDED) - (after in ENDED)
        if before in ENDED and after not in ENDED:
            self._ended.pop(client_order_id, None)
        self._show(entry)
        return OrderMoved(client_order_id, before, event, after, at_ns, detail, entry.filled)

    def _send_cancel(self, entry: _Entry, at_ns: Nanos) -> None:
        self._note_asked(entry.order.client_order_id, at_ns)
        entry.state = move(entry.state, OrderEventKind.ASK_CANCEL)
        self._show(entry)

    def _show(self, entry: _Entry) -> None:
        """Keep the live view of the order's market true."""
        condition_id = entry.order.condition_id
        orders = self._live.setdefault(condition_id, {})
        if entry.state in ENDED:
            orders.pop(entry.order.client_order_id, None)
        else:
            orders[entry.order.client_order_id] = entry.view()
        self._views.pop(condition_id, None)
        self._quotes.pop(condition_id, None)
