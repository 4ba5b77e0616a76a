"""Every rule and cap for the quotes of one market, judged on the way from those that rest to those wanted.

Law: each rule is first asked in the fewest steps whether anything is near its bound; only then does it speak, in
`order_rules` and `cap_rules`, and what it says there decides. Nothing near a bound may be missed, and nothing is
written for what is in order.

While the same quotes are wanted, nothing of ours has moved in the market and the same bounds hold, they may add what
they might before: only the middle of the book may have left them behind, and others may have used up the caps.
"""

from collections.abc import Mapping, Sequence

from markets.domain.market import SIZE_STEP
from markets.domain.units import PRICE_ONE, Cash, ConditionId, Price
from risk.domain import cap_rules, order_rules
from risk.domain.bounds import Bounds, Judged
from risk.domain.exposure import ExposureBook
from risk.domain.limits import Limits
from risk.domain.payoff import BUY, Outlook, ProposedOrder
from risk.domain.refusals import Found
from risk.domain.replacing import Change, Target, change
from risk.domain.rows import Around
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
    last, around = bounds.last, bounds.row.around()
    if last.around is not around or last.quotes != wanted.quotes or last.post_only is not wanted.post_only:
        last = _judged(wanted, bounds, around, found)
    if mids_x2 is not None:
        mid_x2, collar_x2 = mids_x2.get(bounds.market.condition_id), bounds.figures.collar_x2
        if mid_x2 is None or last.bid * 2 - mid_x2 > collar_x2 or mid_x2 - last.ask * 2 > collar_x2:
            _check_collar(wanted.quotes, bounds, mids_x2, found)
    moved = last.moved
    if not moved.fresh:  # every one of them counts already: nothing is added, and what adds nothing is within every cap
        return 0, exposure.worst_total()
    total = _check_losses(moved, bounds, exposure, limits, found)
    _check_sums(moved, bounds, exposure, found)
    return moved.fresh, total


def _judged(wanted: QuoteSet, bounds: Bounds, around: Around, found: Found) -> Judged:
    """What rules and changes depend on these quotes and what rests alone; remembered when nothing was found."""
    last, quotes = bounds.last, wanted.quotes
    if last.quotes == quotes:
        bids, offers, bid, ask = last.bids, last.offers, last.bid, last.ask
    else:
        bids, offers, bid, ask = _by_side(quotes, bounds, found)
    order_rules.check_meeting(bid, ask, around.high_bid, around.low_ask, found)
    moved = change(bounds.row, around, bids, offers, None if wanted.post_only else bounds.market.fees)
    judged = Judged(quotes, wanted.post_only, bids, offers, bid, ask, around, moved)
    if not found:
        bounds.last = judged
    return judged


def _by_side(
    quotes: Sequence[Quote], bounds: Bounds, found: Found
) -> tuple[Sequence[Target], Sequence[Target], Price, Price]:
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


def _check_collar(quotes: Sequence[Quote], bounds: Bounds, mids_x2: Mapping[ConditionId, int], found: Found) -> None:
    market = bounds.market
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
    event, more, least = group.event, group.more(row.index, win, lose), -plain.market_loss
    total += more
    if (
        row.win + win < least
        or row.lose + lose < least
        or (
            more > 0
            and (
                event.worst + more > plain.event_loss
                or total > plain.total_loss
                or event.category.worst + more > plain.category_loss
            )
        )
    ):
        market, loss = bounds.market, max(-row.win - win, -row.lose - lose, 0)
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
    most_notional, of_yes, of_no = plain.outcome_notional, row.yes_sum, row.no_sum
    near = of_yes.notional + yes_cost > most_notional or of_no.notional + no_cost > most_notional
    larger = shares or orders  # hardly ever: a quote that has moved is as large as it was
    if larger:
        most_shares = plain.outcome_shares
        near = near or of_yes.shares + yes > most_shares or of_no.shares + no > most_shares
    for used, most_shares, most_notional, most_orders in bounds.scopes:
        if used.notional + notional > most_notional or (
            larger and (used.shares + shares > most_shares or used.orders + orders > most_orders)
        ):
            near = True
    if near:
        name = bounds.market.condition_id
        growth, sums = moved.growth(name), exposure.sums(name, bounds.strategy)
        cap_rules.check_market(growth, sums, bounds.rooms, found)
        cap_rules.check_wider((growth,), sums, bounds.rooms, found)
