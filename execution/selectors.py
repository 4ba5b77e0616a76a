"""Reads of the execution app: what a restarted engine needs, and what the faces show.

Law: reads only, each with its order said here; nothing depends on a model's default ordering.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max, Q, QuerySet, Sum
from django.utils import timezone

from execution.domain.blotter import OrderRecord
from execution.domain.commands import ClientOrderId, Fill, NewOrder, Strategy, TradeStatus
from execution.domain.moments import nanos
from execution.domain.orders import ENDED, OrderState
from execution.domain.postings import Posting, PostingKind, PostingLeg
from execution.models import (
    EngineLease,
    EngineStatus,
    ExecAudit,
    MarketState,
    Order,
    PnlPoint,
    PositionSnapshot,
    ReconcileReport,
)
from execution.models import Fill as FillRow
from execution.models import Posting as PostingRow
from execution.services import DEFAULT_LEASE
from markets.domain.events import Side
from markets.domain.units import (
    cash_from_decimal,
    price_from_decimal,
    signed_size_from_decimal,
    size_from_decimal,
)
from markets.models import Market
from strategies.domain.intents import OrderType

SETTLED = (TradeStatus.CONFIRMED.value, TradeStatus.FAILED.value)
ENDED_STATES = tuple(sorted(state.value for state in ENDED))
BEAT_PATIENCE = timedelta(seconds=5)

MICRO = Decimal("0.000001")


# For the engine's start --------------------------------------------------------------------------------------


def order_records(relayer: str) -> list[OrderRecord]:
    """Orders of `relayer` that had not ended, oldest first. Those of a dry run never left and are not among them."""
    rows = (
        Order.objects.filter(relayer=relayer, dry_run=False)
        .exclude(state__in=ENDED_STATES)
        .select_related("plan", "market")
        .prefetch_related("fills")
        .order_by("client_order_id")
    )
    return [_record(row) for row in rows]


def ended_records(relayer: str, since: datetime) -> list[OrderRecord]:
    """Orders that have ended and of which the venue may still say something, oldest first.

    They ended after `since`, or the settlement of one of their trades has not been told.
    """
    unsettled = FillRow.objects.filter(relayer=relayer).exclude(status__in=SETTLED)
    rows = (
        Order.objects.filter(relayer=relayer, dry_run=False, state__in=ENDED_STATES)
        .filter(Q(updated_at__gte=since) | Q(pk__in=unsettled.values("order")))
        .select_related("plan", "market")
        .prefetch_related("fills")
        .order_by("client_order_id")
    )
    return [_record(row) for row in rows]


def order_value(row: Order) -> NewOrder:
    """The order as it was decided; `row.market` is read."""
    # The expiry is not a column: it stands in the signed request, which is what the venue goes by.
    expiration_s = int(json.loads(row.payload)["expiration"])
    return NewOrder(
        client_order_id=row.client_order_id,
        condition_id=row.market.condition_id,
        asset=row.asset_id,
        side=Side(row.side),
        price=price_from_decimal(row.price),
        size=size_from_decimal(row.size),
        tick=price_from_decimal(row.market.tick_size),
        order_type=OrderType(row.order_type),
        post_only=row.post_only,
        expires_ms=expiration_s * 1_000,
    )


def _record(row: Order) -> OrderRecord:
    state = OrderState(row.state)
    return OrderRecord(
        order=order_value(row),
        plan_id=row.plan.plan_id,
        strategy=Strategy(row.plan.strategy),
        state=state,
        filled=size_from_decimal(row.filled),
        placed_ns=nanos(row.decided_at),
        order_id=row.order_id,
        cancel_asked=state is OrderState.CANCELLING,
        fills=tuple((fill.trade_id, fill.bucket) for fill in row.fills.all()),
    )


def fill_values(relayer: str) -> list[Fill]:
    """Every fill of `relayer`, oldest first: folded into an empty ledger they give today's positions."""
    rows = FillRow.objects.filter(relayer=relayer).select_related("order", "market").order_by("at", "pk")
    return [
        Fill(
            client_order_id=row.order.client_order_id,
            trade_id=row.trade_id,
            bucket=row.bucket,
            condition_id=row.market.condition_id,
            asset=row.asset_id,
            side=Side(row.side),
            price=price_from_decimal(row.price),
            size=size_from_decimal(row.size),
            fee=cash_from_decimal(row.fee),
            maker=row.maker,
            status=TradeStatus(row.status),
            at_ns=nanos(row.at),
        )
        for row in rows.iterator(chunk_size=2_000)
    ]


def postings(relayer: str) -> list[Posting]:
    """Every posting of `relayer`, oldest first, as it was booked."""
    return postings_after(relayer, 0)[1]


def postings_after(relayer: str, key: int) -> tuple[int, list[Posting]]:
    """Those written after the row `key`, oldest first, and the key to ask with the next time."""
    rows = PostingRow.objects.filter(relayer=relayer, pk__gt=key).select_related("market").order_by("at", "pk")
    legs: dict[str, list[PostingRow]] = {}
    for row in rows.iterator(chunk_size=2_000):
        legs.setdefault(row.posting_id, []).append(row)
        key = max(key, row.pk)
    return key, [
        Posting(
            posting_id,
            PostingKind(each[0].kind),
            tuple(_posting_leg(row) for row in sorted(each, key=lambda row: row.leg)),
            nanos(each[0].at),
            each[0].reason,
        )
        for posting_id, each in legs.items()
    ]


def _posting_leg(row: PostingRow) -> PostingLeg:
    return PostingLeg(
        row.asset_id,
        row.market.condition_id if row.market is not None else "",
        signed_size_from_decimal(row.shares),
        cash_from_decimal(row.cash),
    )


def max_client_order_id() -> ClientOrderId:
    newest = Order.objects.aggregate(newest=Max("client_order_id"))["newest"]
    return newest or 0


# For the faces -----------------------------------------------------------------------------------------------


def orders(*, market: Market | None = None, live: bool | None = None, state: str | None = None) -> QuerySet[Order]:
    """Newest first. `live` True are those without a final state."""
    rows = Order.objects.select_related("plan", "market").order_by("-created_at", "-pk")
    if market is not None:
        rows = rows.filter(market=market)
    if state is not None:
        rows = rows.filter(state=state)
    if live is True:
        rows = rows.exclude(state__in=ENDED_STATES)
    elif live is False:
        rows = rows.filter(state__in=ENDED_STATES)
    return rows


def open_order_count(relayer: str | None = None) -> int:
    rows = Order.objects.exclude(state__in=ENDED_STATES)
    return (rows.filter(relayer=relayer) if relayer else rows).count()


def fills(*, market: Market | None = None, since: datetime | None = None) -> QuerySet[FillRow]:
    """Newest first."""
    rows = FillRow.objects.select_related("order", "market").order_by("-at", "-pk")
    if market is not None:
        rows = rows.filter(market=market)
    if since is not None:
        rows = rows.filter(at__gte=since)
    return rows


def audits(*, plan_id: str | None = None) -> QuerySet[ExecAudit]:
    """Newest first."""
    rows = ExecAudit.objects.select_related("plan").order_by("-at", "-pk")
    return rows.filter(plan__plan_id=plan_id) if plan_id else rows


def positions(*, held: bool = False) -> QuerySet[PositionSnapshot]:
    """Newest position of each market, most recently changed first; `held` leaves flat ones out."""
    rows = PositionSnapshot.objects.select_related("market", "market__event").order_by("-updated_at", "-pk")
    return rows.exclude(yes=0, no=0) if held else rows


def market_states() -> QuerySet[MarketState]:
    return MarketState.objects.select_related("market", "market__event").order_by("market__question", "pk")


def pnl_series(
    *, market: Market | None = None, since: datetime, points: int = 500
) -> list[tuple[datetime, Decimal, Decimal]]:
    """(time, PnL in pUSD, net YES shares), oldest first, thinned to about `points`; `market` None is the account."""
    rows = PnlPoint.objects.filter(market=market, at__gte=since)
    series = list(rows.order_by("at", "pk").values_list("at", "pnl", "net_yes"))
    stride = max(1, -(-len(series) // points))
    thinned = series[::stride]
    if series and thinned[-1] != series[-1]:
        thinned.append(series[-1])
    return thinned


@dataclass(frozen=True, slots=True)
class Totals:
    pnl: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal


def totals() -> Totals:
    """Sums over the newest positions of all markets, in pUSD."""
    sums = PositionSnapshot.objects.aggregate(realised=Sum("realised"), unrealised=Sum("unrealised"), fees=Sum("fees"))
    # SQLite adds in floating point: back to the whole 1e-6 pUSD that every row has.
    realised, unrealised, fees = (
        (sums[name] or Decimal(0)).quantize(MICRO) for name in ("realised", "unrealised", "fees")
    )
    return Totals(realised + unrealised - fees, realised, unrealised, fees)


def engine_status(name: str = DEFAULT_LEASE) -> EngineStatus | None:
    return EngineStatus.objects.filter(name=name).first()


def engine_lease(name: str = DEFAULT_LEASE) -> EngineLease | None:
    return EngineLease.objects.filter(name=name).first()


def engine_alive(
    name: str = DEFAULT_LEASE, *, patience: timedelta = BEAT_PATIENCE, now: datetime | None = None
) -> bool:
    """Whether the engine has reported within `patience` and has not said that it stopped."""
    rows = EngineStatus.objects.filter(name=name, beat_at__gte=(now or timezone.now()) - patience)
    return rows.exclude(state="stopped").exists()


def venue_known_ms(relayer: str, name: str = DEFAULT_LEASE) -> int:
    """Until when the last engine had heard and written down everything the venue said, epoch ms; 0 when unknown."""
    row = EngineStatus.objects.filter(name=name, relayer=relayer).first()
    told = (row.summary.get("venue") or {}).get("known_ms") if row is not None else None
    return told if isinstance(told, int) else 0


def latest_reconcile() -> ReconcileReport | None:
    return ReconcileReport.objects.order_by("-at", "-pk").first()
