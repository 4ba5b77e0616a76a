"""Orders of a running engine whose fate nobody knows, and what looking at the venue proves about them.

Law: one look that finds nothing proves nothing. An order has ended without a trace only when it was missing from two
looks some time apart, both well after it was sent; whatever the venue lists is there. What it does not know may be said
once more, in the same bytes, while it is young and still wanted.
"""

from collections.abc import Iterable

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

# The same bytes may be said again between these ages: the first copy has had its time, and the price is still ours.
RESEND_FROM_NS: Nanos = 2 * NANOS_PER_SECOND
RESEND_UNTIL_NS: Nanos = 10 * NANOS_PER_SECOND

LOOKED_TWICE = "not at the venue: looked twice"


class Look(msgspec.Struct, frozen=True, gc=False):
    """What one look at the venue showed, asked at `asked_ns`.

    `missing` are the venue ids of ours that it neither lists nor knows when asked for one by one; None from a venue
    that can only list, where not being listed is the same.
    """

    asked_ns: Nanos
    listed: tuple[VenueOrder, ...]
    missing: frozenset[str] | None = None


class Doubts:
    """What earlier looks have seen. `doubtful` names the orders to look for, `judge` what the look proves."""

    def __init__(self) -> None:
        self._cancelling: dict[ClientOrderId, Nanos] = {}
        self._missed: dict[ClientOrderId, Nanos] = {}
        self._reported: frozenset[str] = frozenset()
        self._resent: dict[ClientOrderId, Nanos] = {}

    def report(self, missing: Iterable[str]) -> None:
        """Somebody else's look did not find these of ours (by venue id): they are in doubt until one does."""
        self._reported = frozenset(missing)

    def doubtful(self, live: Iterable[LiveOrder], now_ns: Nanos) -> tuple[LiveOrder, ...]:
        """UNKNOWN orders, those that have been seen CANCELLING for too long, and those reported missing."""
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
        return order.state is OrderState.UNKNOWN or order.order_id in self._reported

    def judge(self, ours: Iterable[LiveOrder], look: Look) -> tuple[Correction, ...]:
        """What is proved about `ours`. One without its venue id cannot be looked for: nothing is said of it."""
        named = [order for order in ours if order.order_id]
        if look.missing is not None:
            self._reported &= look.missing
        missing: dict[ClientOrderId, Nanos] = {}
        proved: list[Correction] = []
        for correction in reconcile.orders(named, look.listed, look.asked_ns, GRACE_NS):
            key = correction.client_order_id
            if correction.kind is CorrectionKind.FOREIGN:
                continue  # ours, but not in doubt; strangers are the reconciliation report's business
            if correction.kind is CorrectionKind.NOT_LISTED:
                if look.missing is not None and correction.subject not in look.missing:
                    continue  # it is known there, and what is known of it has been told
                missing[key] = self._missed.get(key, look.asked_ns)
                if look.asked_ns - missing[key] < APART_NS:
                    continue
            proved.append(correction)
        self._missed = missing
        return tuple(proved)

    def again(self, ours: Iterable[LiveOrder], look: Look, now_ns: Nanos) -> tuple[ClientOrderId, ...]:
        """Orders to be said once more in the same bytes, each handed out once.

        Only what the venue has just shown not to know, young enough that its price is still the decided one, and
        nobody wants back. Whatever comes of it, only looking ends the order.
        """
        if look.missing is None:
            return ()
        found = tuple(
            order.client_order_id
            for order in ours
            if order.state is OrderState.UNKNOWN
            and order.order_id in look.missing
            and not order.cancel_asked
            and order.client_order_id not in self._resent
            and look.asked_ns - order.placed_ns >= RESEND_FROM_NS
            and now_ns - order.placed_ns <= RESEND_UNTIL_NS
        )
        self._resent = {key: at_ns for key, at_ns in self._resent.items() if now_ns - at_ns <= RESEND_UNTIL_NS}
        self._resent.update(dict.fromkeys(found, now_ns))
        return found


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
