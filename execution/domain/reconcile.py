"""Our orders against the venue's: what differs, as values. `drift` does the same for balances.

Law: a comparison changes nothing and proves only what both sides say. One look that does not find an order
is a reason to look again, not an end; foreign orders are reported and left alone.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import ClientOrderId
from execution.domain.orders import OrderState
from markets.domain.events import Side
from markets.domain.units import AssetId, ConditionId, Nanos, Price, Size, price_text, size_text


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """An order as the venue lists it. `matched` is what it has traded so far."""

    order_id: str
    condition_id: ConditionId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    matched: Size


class CorrectionKind(StrEnum):
    FOUND = "rests, though its answer was lost"
    NOT_LISTED = "ours, but the venue does not list it"
    FILLS_MISSED = "the venue has matched more than we were told"
    FOREIGN = "not ours"
    FOREIGN_GONE = "not ours, cancelled on request"
    POSITION_DRIFT = "position differs"
    CASH_DRIFT = "cash differs"
    DUST = "settlement dust, taken over"
    ADOPTED = "a position from before us, adopted"
    REDEEMED = "redeemed after its market resolved"
    LEFT_BEHIND = "rests there, though it has ended here"
    UNTOLD_TRADE = "a trade of ours that has no fill here"
    UNWATCHED = "open here while no engine runs"
    FILLS_DISAGREE = "its fills do not add up to what it says is filled"


class Correction(msgspec.Struct, frozen=True, gc=False):
    """One difference.

    `client_order_id` 0 where it is about no order of ours, `subject` is an order id or asset.
    """

    kind: CorrectionKind
    client_order_id: ClientOrderId
    subject: str
    detail: str


_UNDER_WAY = frozenset({OrderState.PLANNED, OrderState.SUBMITTING})


def orders(
    ours: Iterable[LiveOrder], theirs: Iterable[VenueOrder], asked_ns: Nanos, grace_ns: Nanos
) -> tuple[Correction, ...]:
    """Compare open orders. `asked_ns` is when the venue was asked: an order younger than `grace_ns` then may
    be on its way.

    Ours need their order id; one without is reported as not listed once its grace is over.
    """
    listed = {order.order_id: order for order in theirs}
    found: list[Correction] = []
    for order in ours:
        twin = listed.pop(order.order_id, None)
        found += _ours(order, twin, asked_ns - order.placed_ns < grace_ns)
    return (*found, *foreign(listed.values()))


def _ours(order: LiveOrder, twin: VenueOrder | None, young: bool) -> Sequence[Correction]:
    def correction(kind: CorrectionKind, detail: str) -> Correction:
        return Correction(kind, order.client_order_id, order.order_id, detail)

    if twin is None:
        if young or order.state in _UNDER_WAY:
            return ()
        return (correction(CorrectionKind.NOT_LISTED, f"is {order.state.value} here"),)
    corrections: list[Correction] = []
    if order.state is OrderState.UNKNOWN:
        corrections.append(correction(CorrectionKind.FOUND, _terms(twin)))
    filled = order.size - order.remaining
    if twin.matched > filled:
        corrections.append(
            correction(CorrectionKind.FILLS_MISSED, f"{size_text(twin.matched)} there, {size_text(filled)} here")
        )
    return corrections


def _terms(order: VenueOrder) -> str:
    left = size_text(order.size - order.matched)
    return f"{order.side.value} {left} at {price_text(order.price)} of {order.asset}"


def left_behind(
    theirs: Iterable[VenueOrder], number_of: Callable[[str], ClientOrderId], ended: Callable[[ClientOrderId], bool]
) -> tuple[Correction, ...]:
    """Orders of ours that the venue lists although they have ended here. `number_of` is 0 for a stranger's."""
    found: list[Correction] = []
    for order in theirs:
        number = number_of(order.order_id)
        if number and ended(number):
            found.append(Correction(CorrectionKind.LEFT_BEHIND, number, order.order_id, _terms(order)))
    return tuple(found)


def foreign(theirs: Iterable[VenueOrder]) -> tuple[Correction, ...]:
    """Orders at the venue that are none of ours."""
    return tuple(Correction(CorrectionKind.FOREIGN, 0, order.order_id, _terms(order)) for order in theirs)
