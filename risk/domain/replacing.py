"""Quotes on the way from those that rest to those wanted: how much worse and how much larger a market may become.

Law: on each side either all old quotes rest or at most one order per target, the target or an old one kept for it
(`execution.domain.converge`); only the worse of the two counts, and what rests already adds nothing.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from markets.domain.events import Side
from markets.domain.fees import FeeSchedule, taker_fee_ceil
from markets.domain.units import Cash, Price, Size
from risk.domain.payoff import Growth
from risk.domain.rows import NO_EFFECT, Effect, Row, Standing

# A wanted quote as the `RestingOrder` it would be. A bare tuple: made for every quote the gate judges.
Target: TypeAlias = tuple[bool, Side, Price, Size, bool]


class Change(msgspec.Struct, frozen=True, gc=False):
    """`fresh` targets do not rest yet; `win` and `lose` (0 or below) are added to the market's payoffs.

    Who bids for YES buys YES or sells NO, so what a side adds is shares of one outcome.
    """

    fresh: int
    win: Cash
    lose: Cash
    yes: Size
    yes_cost: Cash
    no: Size
    no_cost: Cash
    orders: int

    def growth(self, condition_id: str) -> Growth:
        return Growth(condition_id, self.yes, self.yes_cost, self.no, self.no_cost, self.orders)


UNCHANGED = Change(0, 0, 0, 0, 0, 0, 0, 0)


def change(row: Row, bids: Sequence[Target], offers: Sequence[Target], fees: FeeSchedule | None = None) -> Change:
    """What these targets may add. A side nobody wants adds nothing: what rests there only goes.

    `fees` of targets that are not post-only: they may trade at once, and whoever takes pays.
    """
    old_bids, old_offers, _, _ = row.around()
    fresh = more_fresh = 0
    effect = more = NO_EFFECT
    orders = 0
    if bids:
        fresh, effect = _side(row, old_bids, bids, fees)
        orders = max(0, len(bids) - len(old_bids))
    if offers:
        more_fresh, more = _side(row, old_offers, offers, fees)
        orders += max(0, len(offers) - len(old_offers))
    fresh += more_fresh
    if not fresh:
        return UNCHANGED
    win, lose, yes, yes_cost = effect
    more_win, more_lose, no, no_cost = more
    return Change(fresh, win + more_win, lose + more_lose, yes, yes_cost, no, no_cost, orders)


def _side(row: Row, old: Sequence[Standing], wanted: Sequence[Target], fees: FeeSchedule | None) -> tuple[int, Effect]:
    """How many targets of one side are fresh, and what they may add to what counts already."""
    if len(wanted) != 1 or len(old) > 1:
        return _layers(row, old, wanted, fees)
    (target,) = wanted
    if not old:
        return 1, _effect(row, target, fees)
    order, had, *_ = old[0]
    if order == target:
        return 0, NO_EFFECT
    return 1, _worse(_effect(row, target, fees), had)


def _effect(row: Row, target: Target, fees: FeeSchedule | None) -> Effect:
    is_yes, side, price, size, _ = target
    return row.effect(is_yes, side, price, size, 0 if fees is None else taker_fee_ceil(fees, price, size))


def _layers(
    row: Row, old: Sequence[Standing], wanted: Sequence[Target], fees: FeeSchedule | None
) -> tuple[int, Effect]:
    spare = [each.order for each in old]
    rests = [each.effect for each in old]
    every = list(rests)
    fresh = 0
    for target in wanted:
        if target in spare:
            spare.remove(target)  # it equals the resting order it stands for
        else:
            fresh += 1
            every.append(_effect(row, target, fees))
    if not fresh:
        return 0, NO_EFFECT
    had = tuple(sum(column) for column in zip(*rests, strict=True)) if rests else NO_EFFECT
    most = len(wanted)
    win, lose, shares, notional = (sorted(column) for column in zip(*every, strict=True))
    new = (sum(win[:most]), sum(lose[:most]), sum(shares[-most:]), sum(notional[-most:]))
    return fresh, _worse(new, (had[0], had[1], had[2], had[3]))


def _worse(new: Effect, had: Effect) -> Effect:
    """What `new` may add to what `had` counts already."""
    new_win, new_lose, new_shares, new_notional = new
    win, lose, shares, notional = had
    return (
        new_win - win if new_win < win else 0,
        new_lose - lose if new_lose < lose else 0,
        new_shares - shares if new_shares > shares else 0,
        new_notional - notional if new_notional > notional else 0,
    )
