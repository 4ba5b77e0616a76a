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
from risk.domain.rows import NO_EFFECT, Around, Effect, Row, Standing

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
# Of one side: how many targets are fresh, what they may add to what counts already, and how many orders more.
_Added: TypeAlias = tuple[int, Effect, int]
_NOTHING: _Added = (0, NO_EFFECT, 0)


def change(
    row: Row, around: Around, bids: Sequence[Target], offers: Sequence[Target], fees: FeeSchedule | None = None
) -> Change:
    """What these targets may add to what rests `around` them. A side nobody wants adds nothing: what rests there only
    goes.

    `fees` of targets that are not post-only: they may trade at once, and whoever takes pays.
    """
    old_bids, old_offers, _, _ = around
    fresh, (win, lose, yes, yes_cost), orders = _side(row, old_bids, bids, fees) if bids else _NOTHING
    more_fresh, (more_win, more_lose, no, no_cost), more = _side(row, old_offers, offers, fees) if offers else _NOTHING
    fresh += more_fresh
    if not fresh:
        return UNCHANGED
    return Change(fresh, win + more_win, lose + more_lose, yes, yes_cost, no, no_cost, orders + more)


def _side(row: Row, old: Sequence[Standing], wanted: Sequence[Target], fees: FeeSchedule | None) -> _Added:
    if len(wanted) != 1 or len(old) > 1:
        return _layers(row, old, wanted, fees)
    target = wanted[0]
    if not old:
        return 1, _effect(row, target, fees), 1
    rests = old[0]
    return _NOTHING if rests.order == target else (1, _worse(_effect(row, target, fees), rests.effect), 0)


def _effect(row: Row, target: Target, fees: FeeSchedule | None) -> Effect:
    is_yes, side, price, size, _ = target
    return row.effect(is_yes, side, price, size, 0 if fees is None else taker_fee_ceil(fees, price, size))


def _layers(row: Row, old: Sequence[Standing], wanted: Sequence[Target], fees: FeeSchedule | None) -> _Added:
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
        return _NOTHING
    had = tuple(sum(column) for column in zip(*rests, strict=True)) if rests else NO_EFFECT
    most = len(wanted)
    win, lose, shares, notional = (sorted(column) for column in zip(*every, strict=True))
    new = (sum(win[:most]), sum(lose[:most]), sum(shares[-most:]), sum(notional[-most:]))
    return fresh, _worse(new, (had[0], had[1], had[2], had[3])), max(0, most - len(old))


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
