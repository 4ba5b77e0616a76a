"""A proposal against the caps of every level: what could be lost, held, paid, and how many orders would rest.

Law: what adds nothing to a sum is never refused for its cap; whatever is refused says the figure and the bound.
"""

from collections.abc import Iterable, Sequence

from markets.domain.units import Cash, ConditionId, Price, Size, cash_ceil
from risk.domain.caps import Level
from risk.domain.exposure import ExposureBook
from risk.domain.limits import Limits, Room, Rooms
from risk.domain.payoff import Growth, Outlook, ProposedOrder
from risk.domain.refusals import CAP_OF, Found, RefusalCode, could_lose, decimal, pusd
from risk.domain.rows import SPREAD, Sum, Sums

_LIKE_TOTAL = (RefusalCode.CATEGORY_CAP, RefusalCode.WALLET_CAP)
_OWN_FIGURE = ("category", "strategy", "wallet")


def check_losses(
    after: Outlook, event_id: str, exposure: ExposureBook, limits: Limits, rooms: Rooms, found: Found
) -> Cash:
    """The total loss possible afterwards. What adds nothing to a loss is never refused for its cap."""
    for name, loss in after.markets:
        cap = limits.for_market(name)
        if loss > cap and loss > exposure.worst_market(name):
            which = "market" if len(after.markets) == 1 else f"market {name}"
            found.append((RefusalCode.MARKET_CAP, could_lose(which, loss, cap)))
    more = after.event - exposure.worst_event(event_id)
    if more <= 0:
        return after.total
    cap = limits.for_event(event_id)
    if after.event > cap:
        found.append((RefusalCode.EVENT_CAP, could_lose("event", after.event, cap)))
    in_category = exposure.worst_category(event_id) + more
    # Without a figure of their own these two are the total again, which speaks for them.
    if in_category > rooms.category_loss < limits.total_loss:
        found.append((RefusalCode.CATEGORY_CAP, could_lose("category", in_category, rooms.category_loss)))
    if after.total > rooms.wallet_loss < limits.total_loss:
        found.append((RefusalCode.WALLET_CAP, could_lose("wallet", after.total, rooms.wallet_loss)))
    if after.total > limits.total_loss:
        found.append((RefusalCode.TOTAL_CAP, could_lose("total", after.total, limits.total_loss)))
    return after.total


def check_standing(
    event_id: str, condition_id: ConditionId, exposure: ExposureBook, limits: Limits, rooms: Rooms, found: Found
) -> None:
    """What is held and rests already, against caps that may have become smaller: it adds nothing, so no proposal of it
    would be refused.
    """
    total = exposure.worst_total()
    for code, what, loss, cap in (
        (RefusalCode.TOTAL_CAP, "total", total, limits.total_loss),
        (RefusalCode.WALLET_CAP, "wallet", total, rooms.wallet_loss),
        (RefusalCode.CATEGORY_CAP, "category", exposure.worst_category(event_id), rooms.category_loss),
        (RefusalCode.EVENT_CAP, "event", exposure.worst_event(event_id), limits.for_event(event_id)),
        (RefusalCode.MARKET_CAP, "market", exposure.worst_market(condition_id), limits.for_market(condition_id)),
    ):
        # Without a figure of their own category and wallet are the total again, which speaks for them.
        if loss > cap and (code not in _LIKE_TOTAL or cap < limits.total_loss):
            found.append((code, could_lose(what, loss, cap)))
    sums = exposure.sums(condition_id, SPREAD)
    for level, what, used, room in (
        (Level.OUTCOME, "YES", sums.yes, rooms.outcome),
        (Level.OUTCOME, "NO", sums.no, rooms.outcome),
        (Level.MARKET, "market", sums.market, rooms.market),
        (Level.EVENT, "event", sums.event, rooms.event),
        (Level.CATEGORY, "category", sums.category, rooms.category),
        (Level.STRATEGY, "strategy", sums.strategy, rooms.strategy),
        (Level.WALLET, "wallet", sums.total, rooms.wallet),
        (Level.TOTAL, "total", sums.total, rooms.total),
    ):
        if what in _OWN_FIGURE and room == rooms.total:
            continue
        if used.shares > room.shares:
            found.append((CAP_OF[level], _too_many(what, used.shares, room.shares)))
        if used.notional > room.notional:
            found.append((CAP_OF[level], _too_dear(what, used.notional, room.notional)))
        if used.orders > room.orders:
            found.append((CAP_OF[level], f"{what} has {used.orders} open orders, cap {room.orders}"))


def check_all_filled(loss: Cash, event_id: str, exposure: ExposureBook, limits: Limits, found: Found) -> None:
    cap = limits.for_event(event_id)
    if loss > cap and loss > exposure.worst_event(event_id):
        found.append((RefusalCode.EVENT_CAP, could_lose("event with every leg filled", loss, cap)))


def check_orders(proposed: Iterable[ProposedOrder], room: Room, found: Found) -> None:
    """Single orders that are too large."""
    for order in proposed:
        check_order(order.price, order.size, room, found)


def check_order(price: Price, size: Size, room: Room, found: Found) -> None:
    if size > room.shares:
        found.append((RefusalCode.ORDER_CAP, _too_many("order", size, room.shares)))
    notional = cash_ceil(price, size)
    if notional > room.notional:
        found.append((RefusalCode.ORDER_CAP, _too_dear("order", notional, room.notional)))


def check_market(growth: Growth, sums: Sums, rooms: Rooms, found: Found) -> None:
    """The caps of one market and its outcomes."""
    _, yes_shares, yes_notional, no_shares, no_notional, count = growth
    if yes_shares or yes_notional:
        _compare(Level.OUTCOME, "YES", (yes_shares, yes_notional, 0), sums.yes, rooms.outcome, found)
    if no_shares or no_notional:
        _compare(Level.OUTCOME, "NO", (no_shares, no_notional, 0), sums.no, rooms.outcome, found)
    more = (yes_shares + no_shares, yes_notional + no_notional, count)
    _compare(Level.MARKET, "market", more, sums.market, rooms.market, found)


def check_wider(growth: Sequence[Growth], sums: Sums, rooms: Rooms, found: Found) -> None:
    """The caps of everything a market is part of; all of `growth` is in one event."""
    shares = notional = count = 0
    for each in growth:
        shares += each.yes_shares + each.no_shares
        notional += each.yes_notional + each.no_notional
        count += each.orders
    if not (shares or notional or count):
        return
    more = (shares, notional, count)
    _compare(Level.EVENT, "event", more, sums.event, rooms.event, found)
    _compare(Level.TOTAL, "total", more, sums.total, rooms.total, found)
    # Without a figure of their own these are the total again, which has spoken.
    if rooms.category != rooms.total:
        _compare(Level.CATEGORY, "category", more, sums.category, rooms.category, found)
    if rooms.strategy != rooms.total:
        _compare(Level.STRATEGY, "strategy", more, sums.strategy, rooms.strategy, found)
    if rooms.wallet != rooms.total:
        _compare(Level.WALLET, "wallet", more, sums.total, rooms.wallet, found)


def _compare(level: Level, what: str, more: tuple[int, int, int], used: Sum, room: Room, found: Found) -> None:
    shares, notional, count = more
    if shares and used.shares + shares > room.shares:
        found.append((CAP_OF[level], _too_many(what, used.shares + shares, room.shares)))
    if notional and used.notional + notional > room.notional:
        found.append((CAP_OF[level], _too_dear(what, used.notional + notional, room.notional)))
    if count and used.orders + count > room.orders:
        found.append((CAP_OF[level], f"{what} would have {used.orders + count} open orders, cap {room.orders}"))


def _too_many(what: str, shares: int, cap: int) -> str:
    return f"{what} could hold {decimal(shares, 6)} shares, cap {decimal(cap, 6)}"


def _too_dear(what: str, cash: int, cap: int) -> str:
    return f"{what} could cost {pusd(cash)} pUSD, cap {pusd(cap)} pUSD"
