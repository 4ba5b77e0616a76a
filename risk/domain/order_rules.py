"""What every single order must keep to: the venue's grid, no meeting with our own, no reach far past the book.

Law: a rule adds to what was found and decides nothing.
"""

from collections.abc import Mapping, Sequence

from markets.domain.events import Side
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import PRICE_ONE, Price, complement
from risk.domain.payoff import BUY, ProposedOrder, RestingOrder
from risk.domain.refusals import Found, RefusalCode, decimal
from strategies.domain.intents import Leg, Quote


def check_grid(order: Quote | Leg, market: Market, found: Found) -> None:
    price, size, tick = order.price, order.size, market.tick
    if price % tick or not tick <= price <= PRICE_ONE - tick:
        detail = f"price {decimal(price, 4)} is off the grid of {decimal(tick, 4)}"
        found.append((RefusalCode.OFF_GRID, detail))
    if size % SIZE_STEP:
        found.append((RefusalCode.OFF_GRID, f"size {decimal(size, 6)} has more than two decimals"))
    if size <= 0 or size < market.min_size:
        detail = f"size {decimal(size, 6)} is below the minimum of {decimal(market.min_size, 6)}"
        found.append((RefusalCode.BELOW_MIN_SIZE, detail))


def _as_yes(is_yes: bool, side: Side, price: Price) -> tuple[bool, Price]:
    """An order as the mirrored book shows it: whether it bids for YES, and at which YES price."""
    return (side is BUY) is is_yes, price if is_yes else complement(price)


def check_own_cross(
    orders: Sequence[ProposedOrder], resting: Sequence[RestingOrder], market: Market, found: Found
) -> None:
    """A new order may meet neither another new one nor one of ours that rests beside it.

    A quote may be wanted where it would meet a quote that still rests: it is placed when that one is proved gone.
    """
    high_bid = new_bid = 0
    low_ask = new_ask = PRICE_ONE
    for is_yes, side, price, _, _ in resting:
        is_bid, price = _as_yes(is_yes, side, price)
        if is_bid:
            high_bid = max(high_bid, price)
        else:
            low_ask = min(low_ask, price)
    for _, is_yes, side, price, _, _ in orders:
        is_bid, price = _as_yes(is_yes, side, price)
        if is_bid:
            new_bid = max(new_bid, price)
        else:
            new_ask = min(new_ask, price)
    check_meeting(new_bid, new_ask, high_bid, low_ask, found)


def check_meeting(new_bid: Price, new_ask: Price, high_bid: Price, low_ask: Price, found: Found) -> None:
    """The best of the new orders against each other and against the best that rests beside them, as YES prices: 0 and
    PRICE_ONE where there is none.
    """
    if new_bid < new_ask and new_bid < low_ask and new_ask > high_bid:
        return
    bid = max(new_bid, high_bid) if new_ask <= high_bid else new_bid
    ask = min(new_ask, low_ask) if new_bid >= low_ask else new_ask
    detail = f"our own bid {decimal(bid, 4)} would meet our ask {decimal(ask, 4)}"
    found.append((RefusalCode.OWN_CROSS, detail))


def check_collar(
    orders: Sequence[ProposedOrder], market: Market, collar: Price, mids_x2: Mapping[str, int] | None, found: Found
) -> None:
    """A bid far above the middle of its book, or an offer far below it, is a mistake wherever it comes from."""
    if mids_x2 is None:
        return
    mid_x2 = mids_x2.get(market.condition_id)
    if mid_x2 is None:
        found.append((RefusalCode.COLLAR, "no price in the book to judge orders by"))
        return
    for order in orders:
        is_bid, price = _as_yes(order.is_yes, order.side, order.price)
        past_x2 = price * 2 - mid_x2 if is_bid else mid_x2 - price * 2
        if past_x2 > collar * 2:
            reach, most = decimal(past_x2 * 5, 5), decimal(collar, 4)
            found.append((RefusalCode.COLLAR, f"order reaches {reach} past the middle of the book, most {most}"))
