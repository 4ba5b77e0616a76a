"""Reads for the pages and their sockets: the engine's sign of life, market rows, orders, what needs a person.

Law: everything here comes from rows, so every page is whole without the channel layer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from execution import selectors as execution
from execution.models import EngineStatus, Fill, MarketState, Order
from markets import selectors as markets
from markets.models import Market
from markets.selectors import SUBSCRIBED
from polyweb.dashboard import figures
from risk import selectors as risk
from risk.models import Stop
from strategies.selectors import resolved

Row = dict[str, Any]
RULES_CHANGED = "rules_changed"
SILENT_AFTER = timedelta(seconds=5)
SHARE_ONE = 1_000_000
DAY = timedelta(hours=24)


# The engine ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Engine:
    """What the header says. `status` None: no engine ever ran here."""

    status: EngineStatus | None
    now: datetime

    @property
    def age_s(self) -> float | None:
        return None if self.status is None else max(0.0, (self.now - self.status.beat_at).total_seconds())

    @property
    def word(self) -> str:
        """never, silent, or the state it reported."""
        if self.status is None:
            return "never"
        if self.now - self.status.beat_at > SILENT_AFTER and self.status.state != "stopped":
            return "silent"
        return self.status.state

    @property
    def live(self) -> bool:
        return self.word in ("running", "starting", "stopping")

    @property
    def summary(self) -> Row:
        return self.status.summary if self.status is not None else {}


def engine() -> Engine:
    status = EngineStatus.objects.order_by("-beat_at").first()
    return Engine(status, timezone.now())


def engine_message() -> Row:
    """The summary as a socket message, with the age of the heartbeat it came with."""
    seen = engine()
    age_ms = None if seen.age_s is None else int(seen.age_s * 1000)
    return {"kind": "engine", "data": {**seen.summary, "state": seen.word}, "age_ms": age_ms}


# Markets -------------------------------------------------------------------------------------------------


def stored_view(condition_id: str) -> Row | None:
    row = MarketState.objects.filter(market__condition_id=condition_id).only("view").first()
    return row.view if row is not None and row.view else None


def followed() -> QuerySet[Market]:
    return Market.objects.filter(SUBSCRIBED).select_related("event", "state")


def fills_24h(market_pks: Iterable[int]) -> dict[int, int]:
    since = timezone.now() - DAY
    counted = Fill.objects.filter(market__in=list(market_pks), at__gte=since).values_list("market")
    return dict(counted.annotate(count=Count("pk")))


def market_rows(shown: Sequence[Market]) -> list[Row]:
    """Rows of the market list, in the given order. The live rows of the socket have the same names."""
    caps = resolved(shown)
    fills = fills_24h(market.pk for market in shown)
    rows = []
    for market in shown:
        params = caps.get(market.condition_id)
        rows.append(
            {
                **_live_part(market, getattr(market, "state", None)),
                "fills_24h": fills.get(market.pk, 0),
                "category": market.event.category if market.event else "",
                "decimals": figures.tick_decimals(market.tick_size),
                "tick": str(market.tick_size),
                "cap": str(params.max_inventory // SHARE_ONE) if params else "",
                "trading": market.trading,
                "watched": market.watched,
                "closed": market.closed,
                "volume_24h": market.volume_24h,
                "generation": market.generation,
            }
        )
    return rows


def _live_part(market: Market, state: MarketState | None) -> Row:
    view = state.view if state is not None else {}
    position = view.get("position") or {}
    word, reason = _state_word(market, state)
    return {
        "condition_id": market.condition_id,
        "question": market.question,
        "event_title": market.event.title if market.event else "",
        "bid": _best(view, "bids", market.best_bid),
        "ask": _best(view, "asks", market.best_ask),
        "our_bid": _ours(view, "bid"),
        "our_ask": _ours(view, "ask"),
        "net": position.get("net"),
        "pnl": position.get("pnl"),
        "trust": state.trust if state is not None else "",
        "trust_reason": view.get("trust_reason") or "",
        "state": word,
        "reason": reason,
    }


def _state_word(market: Market, state: MarketState | None) -> tuple[str, str]:
    if not market.trading:
        return ("watching", "off by operator") if market.watched else ("off", "not followed")
    if state is None:
        return "idle", "not seen by the engine yet"
    return state.state, state.reason


def _best(view: Row, side: str, listed: Decimal | None) -> str | None:
    """Of the book; of the listing only where no engine has looked: a side that is empty or in doubt has no price."""
    if "book" not in view:
        return None if listed is None else str(listed)
    levels = (view["book"] or {}).get(side)
    return levels[0][0] if levels else None


def _ours(view: Row, side: str) -> str | None:
    prices = [order["yes_price"] for order in view.get("ours") or () if order.get("yes_side") == side]
    if not prices:
        return None
    return str((max if side == "bid" else min)(prices, key=lambda text: figures.number(text) or 0))


def state_rows() -> list[Row]:
    """The live part of every followed market, for a socket that heard nothing from the layer."""
    return [_live_part(market, getattr(market, "state", None)) for market in followed()]


def most_active(limit: int = 10) -> list[Row]:
    """Quoting ones first, then by volume."""
    rows = followed().order_by(F("state__state").desc(nulls_last=True), "-trading", "-volume_24h", "pk")
    quoting = [market for market in rows if _state_word(market, getattr(market, "state", None))[0] == "quoting"]
    others = [market for market in rows if market not in quoting]
    return market_rows((quoting + others)[:limit])


# Orders --------------------------------------------------------------------------------------------------


def order_row(order: Order) -> Row:
    return {
        "client_order_id": order.client_order_id,
        "order_id": order.order_id,
        "url": reverse("dashboard:order", args=[order.order_id]),
        "question": order.market.question,
        "market_url": reverse("dashboard:market", args=[order.market.condition_id]),
        "outcome": order.outcome,
        "side": order.side,
        "price": str(order.price),
        "decimals": figures.tick_decimals(order.market.tick_size),
        "size": str(order.size),
        "filled": str(order.filled),
        "state": order.state,
        "ended": order.state in execution.ENDED_STATES,
        "detail": "" if order.detail == order.state else order.detail,  # the state says it already
        "created_at": order.created_at.isoformat(),
        "created": order.created_at,
    }


def _wire(order: Order) -> Row:
    return {key: value for key, value in order_row(order).items() if key != "created"}


def order_rows_by_client_id(ids: Sequence[int]) -> list[Row]:
    rows = Order.objects.filter(client_order_id__in=ids).select_related("market").order_by("created_at", "pk")
    return [_wire(order) for order in rows]


def newest_order_rows(limit: int = 50) -> list[Row]:
    """Oldest of them first: the page puts each on top."""
    return [_wire(order) for order in reversed(execution.orders()[:limit])]


# What a person must look at ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Need:
    text: str
    url: str
    verb: str
    grave: bool = False
    since: datetime | None = None


def needs(seen: Engine) -> list[Need]:
    """Most frightening first."""
    return [
        *_engine_needs(seen),
        *_stop_needs(),
        *_order_needs(),
        *_rule_needs(),
        *_incident_needs(),
        *_book_needs(),
    ]


def _engine_needs(seen: Engine) -> list[Need]:
    system = reverse("dashboard:system")
    if seen.status is None:
        return [Need("No engine has run on this database: nothing is quoted.", system, "start", grave=True)]
    if seen.word == "silent":
        return [
            Need("The engine is silent; what it last said is shown in grey.", system, "look", True, seen.status.beat_at)
        ]
    return []


def stops_in_force() -> QuerySet[Stop]:
    return risk.in_force(timezone.now())


def _stop_needs() -> list[Need]:
    page = reverse("dashboard:incidents")
    return [
        Need(f"Stop in force: {stop.get_level_display()}, {stop_target(stop)}", page, "release", False, stop.created_at)
        for stop in stops_in_force()[:5]
    ]


def stop_target(stop: Stop) -> str:
    return stop.where


def _order_needs() -> list[Need]:
    found = Order.objects.filter(state="unknown").aggregate(count=Count("pk"), oldest=Min("updated_at"))
    if not found["count"]:
        return []
    plural = "orders are" if found["count"] > 1 else "order is"
    text = f"{found['count']} {plural} unknown: the venue has not said what happened"
    return [Need(text, reverse("dashboard:orders") + "?state=unknown", "look", True, found["oldest"])]


def _rule_needs() -> list[Need]:
    """Straight from the markets: an incident about the same comes and goes with a task."""
    found = []
    for market in markets.rules_to_review()[:8]:
        page = reverse("dashboard:market", args=[market.condition_id])
        found.append(Need(f"Rules changed, quoting stopped: {market.question}", f"{page}#review", "review"))
    return found


def _incident_needs() -> list[Need]:
    page = reverse("dashboard:incidents")
    rows = risk.open_incidents().filter(acknowledged_at=None).exclude(kind=RULES_CHANGED)[:8]
    return [Need(row.text, f"{page}#incident-{row.pk}", "review", False, row.opened_at) for row in rows]


def _book_needs() -> list[Need]:
    unsure = MarketState.objects.filter(Q(trust="suspect") | Q(trust="broken"), market__trading=True)
    rows = unsure.select_related("market").order_by("at")[:5]
    found = []
    for row in rows:
        page = reverse("dashboard:market", args=[row.market.condition_id])
        text = f"Book {row.trust}: {row.market.question}"
        found.append(Need(text, page, "look", row.trust == "broken", row.at))
    return found
