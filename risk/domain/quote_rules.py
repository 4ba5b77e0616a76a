"""Every rule and cap for the quotes of one market, judged on the way from those that rest to those wanted.

Law: each rule is first asked in the fewest steps whether anything is near its bound; only then does it speak, in
`order_rules` and `cap_rules`, and what it says there decides. Nothing near a bound may be missed, and nothing is
written for what is in order.

Quotes that all rest add nothing, and what rests was in order. While the same quotes are wanted, no order of the market
has moved and the same bounds hold, that is so still: only the middle of the book may have left them behind.
"""

from collections.abc import Mapping, Sequence

from markets.domain.market import SIZE_STEP
from markets.domain.units import PRICE_ONE, Cash, ConditionId, Price
from risk.domain import cap_rules, order_rules
from risk.domain.bounds import Bounds
from risk.domain.exposure import ExposureBook
from risk.domain.limits import Limits
from risk.domain.payoff import BUY, Outlook, ProposedOrder
from risk.domain.refusals import Found
from risk.domain.replacing import Change, Target, change
from strategies.domain.intents import Quote, QuoteSet


def judge(
    wanted: QuoteSet,
    bounds: Bounds,
    exposure: ExposureBook,
    limits: Limits,
    mids_x2: Mapping[ConditionId, int] | None,
    found: Found,
) -> tuple[int, Cash]:
    """How many of the quotes do not rest yet, and the total loss possible once they do."""
    if _still_agreed(wanted, bounds, mids_x2):
        return 0, exposure.worst_total()
    bids, offers, bid, ask = _by_side(wanted.quotes, bounds, found)
    _check_prices(wanted.quotes, bounds, bid, ask, mids_x2, found)
    moved = change(bounds.row, bids, offers, None if wanted.post_only else bounds.market.fees)
    if not moved.fresh:  # every one of them counts already: nothing is added, and what adds nothing is within every cap
        if not found:
            agreed = bounds.agreed
            agreed.quotes, agreed.around, agreed.bid, agreed.ask = wanted.quotes, bounds.row.around(), bid, ask
        return 0, exposure.worst_total()
    total = _check_losses(moved, bounds, exposure, limits, found)
    _check_sums(moved, bounds, exposure, found)
    return moved.fresh, total


def _still_agreed(wanted: QuoteSet, bounds: Bounds, mids_x2: Mapping[ConditionId, int] | None) -> bool:
    last = bounds.agreed
    if last.around is not bounds.row.around():
        return False
    if mids_x2 is not None:
        mid_x2, collar_x2 = mids_x2.get(bounds.market.condition_id), bounds.figures.collar_x2
        if mid_x2 is None or last.bid * 2 - mid_x2 > collar_x2 or mid_x2 - last.ask * 2 > collar_x2:
            return False
    return last.quotes == wanted.quotes


def _by_side(quotes: Sequence[Quote], bounds: Bounds, found: Found) -> tuple[list[Target], list[Target], Price, Price]:
    """Bids and offers of the one mirrored book with the best of each as YES prices (0 and PRICE_ONE without one)."""
    yes, plain = bounds.market.yes, bounds.figures
    tick, highest, least = plain.tick, plain.highest, plain.least_size
    most, outlay = plain.order_size, plain.order_outlay
    bids: list[Target] = []
    offers: list[Target] = []
    bid, ask = 0, PRICE_ONE
    for quote in quotes:
        price, size, side, is_yes = quote.price, quote.size, quote.side, quote.asset == yes
        if price % tick or not tick <= price <= highest or size % SIZE_STEP or size < least:
            order_rules.check_grid(quote, bounds.market, found)
        if size > most or price * size > outlay:
            cap_rules.check_order(price, size, bounds.rooms.order, found)
        at = price if is_yes else PRICE_ONE - price
        if (side is BUY) is is_yes:
            bids.append((is_yes, side, price, size, True))
            if at > bid:
                bid = at
        else:
            offers.append((is_yes, side, price, size, True))
            if at < ask:
                ask = at
    return bids, offers, bid, ask


def _check_prices(
    quotes: Sequence[Quote],
    bounds: Bounds,
    bid: Price,
    ask: Price,
    mids_x2: Mapping[ConditionId, int] | None,
    found: Found,
) -> None:
    """Meeting neither each other nor what rests beside them, and not too far past the middle of the book."""
    around = bounds.row.around()
    order_rules.check_meeting(bid, ask, around.high_bid, around.low_ask, found)
    if mids_x2 is None:
        return
    market, collar_x2 = bounds.market, bounds.figures.collar_x2
    mid_x2 = mids_x2.get(market.condition_id)
    if mid_x2 is None or bid * 2 - mid_x2 > collar_x2 or mid_x2 - ask * 2 > collar_x2:
        orders = [
            ProposedOrder(market.condition_id, quote.asset == market.yes, quote.side, quote.price, quote.size)
            for quote in quotes
        ]
        order_rules.check_collar(orders, market, bounds.rooms.collar, mids_x2, found)


def _check_losses(moved: Change, bounds: Bounds, exposure: ExposureBook, limits: Limits, found: Found) -> Cash:
    """The total loss possible afterwards."""
    win, lose, row, total = moved.win, moved.lose, bounds.row, exposure.worst_total()
    if not (win or lose):
        return total
    group, plain = row.group, bounds.figures
    event, more = group.event, group.more(row.index, win, lose)
    loss, total = max(-row.win - win, -row.lose - lose, 0), total + more
    if loss > plain.market_loss or (
        more > 0
        and (
            event.worst + more > plain.event_loss
            or total > plain.total_loss
            or event.category.worst + more > plain.category_loss
        )
    ):
        market = bounds.market
        after = Outlook([(market.condition_id, loss)], event.worst + more, total, [])
        cap_rules.check_losses(after, market.event_id, exposure, limits, bounds.rooms, found)
    return total


def _check_sums(moved: Change, bounds: Bounds, exposure: ExposureBook, found: Found) -> None:
    """Shares, their cost and open orders, from the outcomes to everything."""
    yes, yes_cost, no, no_cost = moved.yes, moved.yes_cost, moved.no, moved.no_cost
    shares, notional, orders = yes + no, yes_cost + no_cost, moved.orders
    if not (shares or notional or orders):
        return
    row, plain = bounds.row, bounds.figures
    most_shares, most_notional = plain.outcome_shares, plain.outcome_notional
    of_yes, of_no = row.yes_sum, row.no_sum
    near = (
        of_yes.shares + yes > most_shares
        or of_no.shares + no > most_shares
        or of_yes.notional + yes_cost > most_notional
        or of_no.notional + no_cost > most_notional
    )
    for used, most_shares, most_notional, most_orders in bounds.scopes:
        if (
            used.shares + shares > most_shares
            or used.notional + notional > most_notional
            or used.orders + orders > most_orders
        ):
            near = True
    if near:
        growth, sums = (
            moved.growth(bounds.market.condition_id),
            exposure.sums(bounds.market.condition_id, bounds.strategy),
        )
        cap_rules.check_market(growth, sums, bounds.rooms, found)
        cap_rules.check_wider((growth,), sums, bounds.rooms, found)
