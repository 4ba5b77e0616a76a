"""Orders of a running engine whose fate nobody knows, and what looking at the venue proves about them.

Law: one look that finds nothing proves nothing. An order has ended without a trace only when it was missing from two
looks some time apart, both well after it was sent; whatever the venue lists is there.
"""

from collections.abc import Iterable, Sequence

import msgspec

from execution.domain import reconcile
from execution.domain.blotter import LiveOrder
from execution.domain.commands import Accepted, Ack, Cancelled, ClientOrderId, Outcome
from execution.domain.orders import OrderState
from execution.domain.reconcile import Correction, CorrectionKind, VenueOrder
from markets.domain.units import NANOS_PER_SECOND, Nanos

# A request may still be under way for so long after the decision that sent it.
GRACE_NS: Nanos = 15 * NANOS_PER_SECOND
APART_NS: Nanos = 5 * NANOS_PER_SECOND
# A cancel that has not been answered for so long is in doubt as well.
CANCEL_GRACE_NS: Nanos = 10 * NANOS_PER_SECOND

LOOKED_TWICE = "not at the venue: looked twice"


class Doubts:
    """What earlier looks have seen. `doubtful` names the orders to look for, `judge` what the look proves."""

    def __init__(self) -> None:
        self._cancelling: dict[ClientOrderId, Nanos] = {}
        self._missed: dict[ClientOrderId, Nanos] = {}

    def doubtful(self, live: Iterable[LiveOrder], now_ns: Nanos) -> tuple[LiveOrder, ...]:
        """UNKNOWN orders, and those that have been seen CANCELLING for too long."""
        orders = tuple(live)
        self._cancelling = {
            order.client_order_id: self._cancelling.get(order.client_order_id, now_ns)
            for order in orders
            if order.state is OrderState.CANCELLING
        }
        found = tuple(order for order in orders if self._in_doubt(order, now_ns))
        kept = {order.client_order_id for order in found}
        self._missed = {key: at_ns for key, at_ns in self._missed.items() if key in kept}
        return found

    def _in_doubt(self, order: LiveOrder, now_ns: Nanos) -> bool:
        if order.state is OrderState.CANCELLING:
            return now_ns - self._cancelling[order.client_order_id] >= CANCEL_GRACE_NS
        return order.state is OrderState.UNKNOWN

    def judge(self, ours: Iterable[LiveOrder], theirs: Sequence[VenueOrder], asked_ns: Nanos) -> tuple[Correction, ...]:
        """What is proved about `ours`. One without its venue id cannot be looked for: nothing is said of it."""
        named = [order for order in ours if order.order_id]
        missing: dict[ClientOrderId, Nanos] = {}
        proved: list[Correction] = []
        for correction in reconcile.orders(named, theirs, asked_ns, GRACE_NS):
            key = correction.client_order_id
            if correction.kind is CorrectionKind.FOREIGN:
                continue  # ours, but not in doubt; strangers are the reconciliation report's business
            if correction.kind is CorrectionKind.NOT_LISTED:
                missing[key] = self._missed.get(key, asked_ns)
                if asked_ns - missing[key] < APART_NS:
                    continue
            proved.append(correction)
        self._missed = missing
        return tuple(proved)


def outcome(correction: Correction, now_ns: Nanos) -> Outcome | None:
    """The word of the venue that the correction stands for; None where a person must look."""
    match correction.kind:
        case CorrectionKind.FOUND:
            return Accepted(correction.client_order_id, correction.subject, Ack.LIVE, now_ns)
        case CorrectionKind.NOT_LISTED:
            return Cancelled(correction.client_order_id, LOOKED_TWICE, now_ns)
        case _:
            return None


def with_ids(orders: Iterable[LiveOrder], ids: dict[ClientOrderId, str]) -> tuple[LiveOrder, ...]:
    """Orders with the venue ids the journal has: an order whose answer was lost has never told us its own."""
    return tuple(
        msgspec.structs.replace(order, order_id=order.order_id or ids.get(order.client_order_id, ""))
        for order in orders
    )
