"""What the paper venue refuses, in the words of the real one.

Law: pure; a refusal is proof that the order neither rests nor traded.
"""

from collections.abc import Sequence

from execution.domain.commands import GTD_ENDS_EARLY, NewOrder
from markets.domain.events import Level
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import CASH_ONE, NANOS_PER_MILLI, PRICE_ONE, Nanos, Price, Size, cash_floor
from strategies.domain.intents import OrderType

IMMEDIATE = (OrderType.FOK, OrderType.FAK)


class Refused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def check_terms(order: NewOrder, market: Market, tick: Price, now_ns: Nanos) -> None:
    if not market.accepting_orders:
        raise Refused("not_accepting", "market not accepting orders")
    if order.price % tick or not tick <= order.price <= PRICE_ONE - tick:
        raise Refused("off_grid", f"price {order.price} breaks minimum tick size rule: {tick}")
    if order.size <= 0 or order.size % SIZE_STEP:
        raise Refused("invalid_size", f"size {order.size} has more than two decimals")
    if order.order_type in IMMEDIATE:
        if order.post_only:
            raise Refused("invalid_order", "post-only works for GTC and GTD only")
        if cash_floor(order.price, order.size) < CASH_ONE:
            raise Refused("below_min_amount", "invalid amount for a marketable order, min size: $1")
    elif order.size < market.min_size:
        raise Refused("below_min_size", f"size {order.size} lower than the minimum: {market.min_size}")
    ends_ns = (order.expires_ms - GTD_ENDS_EARLY) * NANOS_PER_MILLI
    if order.order_type is OrderType.GTD and ends_ns <= now_ns:
        raise Refused("invalid_expiration", "invalid expiration")


def fit(levels: Sequence[Level], size: Size) -> list[Level]:
    """The part of `levels` that an order of `size` eats."""
    eaten: list[Level] = []
    for price, there in levels:
        if size <= 0:
            break
        eaten.append((price, min(there, size)))
        size -= there
    return eaten


def check_matched(order: NewOrder, takes: Sequence[Level]) -> None:
    matched = sum(size for _, size in takes)
    if order.order_type is OrderType.FOK and matched < order.size:
        raise Refused("fok_not_filled", "order couldn't be fully filled. FOK orders are fully filled or killed")
    if order.order_type is OrderType.FAK and not matched:
        raise Refused("fak_no_match", "no orders found to match with FAK order")
