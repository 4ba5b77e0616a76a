"""The last look before an order is signed: would it trade with one of our own?

Law: it knows nothing of plans or verdicts, only what may rest at the venue. BUY YES at p and BUY NO at 1 - p meet like
a bid and an offer: the venue mints a pair for them, and we would have traded with ourselves.
"""

from collections.abc import Iterable, Sequence

from execution.domain.blotter import LiveOrder
from execution.domain.commands import NewOrder
from markets.domain.events import Side
from markets.domain.units import AssetId, Price, complement, price_text


def _as_yes(order: NewOrder | LiveOrder, yes: AssetId) -> tuple[bool, Price]:
    is_yes = order.asset == yes
    return (order.side is Side.BUY) is is_yes, order.price if is_yes else complement(order.price)


def meeting(orders: Sequence[NewOrder], live: Iterable[LiveOrder], yes: AssetId) -> str:
    """What of these new orders of one market would meet which order of ours, "" when nothing does.

    `live` are our orders of that market whose end is not proved; the new ones may be among them.
    """
    new = {order.client_order_id for order in orders}
    beside: list[NewOrder | LiveOrder] = [order for order in live if order.client_order_id not in new]
    for at, order in enumerate(orders):
        bids, price = _as_yes(order, yes)
        for other in [*beside, *orders[:at]]:
            other_bids, other_price = _as_yes(other, yes)
            bid, offer = (price, other_price) if bids else (other_price, price)
            if bids is not other_bids and bid >= offer:
                met = f"our offer at {price_text(offer)} (order {other.client_order_id})"
                return f"our bid at {price_text(bid)} would meet {met}"
    return ""
