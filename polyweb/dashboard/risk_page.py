"""The risk page: every cap that has something standing against it, how full it is, and who changed caps.

Law: it reads rows and the engine's last word, and computes nothing the gate does not compute itself.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from markets.domain.market import Market
from markets.models import Event
from polyweb.dashboard.figures import share_of
from polyweb.dashboard.standing import Standing, standing
from risk import selectors as risk
from risk.domain.caps import BY_KIND, CapKind, Level
from risk.domain.limits import Room, Rooms
from risk.domain.rows import Sum

FULLEST = 12
CHANGES = 20


class Line(NamedTuple):
    """One cap: what it is about, what stands against it in its own unit, and how much of it that is, in percent."""

    subject: str
    kind: str
    unit: str
    used: Decimal
    cap: Decimal
    percent: int
    condition_id: str = ""


def context(summary: Mapping[str, Any]) -> dict[str, Any]:
    now = standing()
    narrow = sorted(_narrow(now), key=lambda line: line.percent, reverse=True)
    return {
        "everything": [*_total(now), *_over_time(now, summary)],
        "fullest": [line for line in narrow if line.used][:FULLEST],
        "changes": risk.limit_history()[:CHANGES],
    }


def _line(subject: str, kind: CapKind, used: int, cap: int, condition_id: str = "") -> Line:
    scale, unit = BY_KIND[kind].scale, BY_KIND[kind].unit
    told, most = Decimal(used) / scale, Decimal(cap) / scale
    return Line(subject, kind.value.replace("_", " "), unit, told, most, share_of(told, most), condition_id)


def _sums(subject: str, used: Sum, room: Room, condition_id: str = "", *, orders: bool = True) -> Iterator[Line]:
    yield _line(subject, CapKind.SHARES, used.shares, room.shares, condition_id)
    yield _line(subject, CapKind.NOTIONAL, used.notional, room.notional, condition_id)
    if orders:
        yield _line(subject, CapKind.OPEN_ORDERS, used.orders, room.orders, condition_id)


def _total(now: Standing) -> Iterator[Line]:
    limits = now.limits
    yield _line("everything", CapKind.LOSS, now.exposure.worst_total(), limits.total_loss)
    room = Room(*(limits.cap(kind, Level.TOTAL) for kind in (CapKind.SHARES, CapKind.NOTIONAL, CapKind.OPEN_ORDERS)))
    yield from _sums("everything", now.exposure.total(), room)


def _over_time(now: Standing, summary: Mapping[str, Any]) -> Iterator[Line]:
    """What only the engine counts; nothing of it without one."""
    said = summary.get("risk") or {}
    caps = {
        CapKind.DAILY_LOSS: now.limits.daily_loss,
        CapKind.ROLLING_LOSS: now.limits.rolling_loss,
        CapKind.DRAWDOWN: now.limits.drawdown,
    }
    for kind, cap in caps.items():
        if said.get(kind.value) is not None:
            used = int(Decimal(said[kind.value]) * BY_KIND[kind].scale)
            yield _line({"daily_loss": "today", "rolling_loss": "the last hour"}.get(kind, "ever"), kind, used, cap)
    rate = summary.get("rate") or {}
    if rate.get("room") is not None:
        per_second = now.limits.orders_per_second
        yield _line("this second", CapKind.ORDER_RATE, max(0, per_second - int(rate["room"])), per_second)


def _narrow(now: Standing) -> Iterator[Line]:
    """Per market, outcome and event that holds something."""
    titles = dict(
        Event.objects.filter(gamma_id__in={market.event_id for market in now.markets.values()}).values_list(
            "gamma_id", "title"
        )
    )
    told: set[str] = set()
    for market in now.markets.values():
        rooms, sums = now.limits.rooms(market, ""), now.exposure.sums(market.condition_id)
        yield from _of_market(now, market, rooms)
        if market.event_id not in told:
            told.add(market.event_id)
            title = f"event: {titles.get(market.event_id, market.event_id)}"
            worst, cap = now.exposure.worst_event(market.event_id), now.limits.for_event(market.event_id)
            yield _line(title, CapKind.LOSS, worst, cap)
            yield from _sums(title, sums.event, rooms.event)


def _of_market(now: Standing, market: Market, rooms: Rooms) -> Iterator[Line]:
    name, sums = market.condition_id, now.exposure.sums(market.condition_id)
    yield _line(market.question, CapKind.LOSS, now.exposure.worst_market(name), now.limits.for_market(name), name)
    yield from _sums(market.question, sums.market, rooms.market, name)
    for outcome, used in (("YES", sums.yes), ("NO", sums.no)):
        yield from _sums(f"{outcome}: {market.question}", used, rooms.outcome, name, orders=False)
