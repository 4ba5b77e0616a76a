"""Rows the execution tests start from."""

from datetime import UTC, datetime
from typing import Any

from execution.models import ExecAudit, Fill, Order, OrderEvent, Plan
from markets.models import Event, Market, Outcome
from tests.execution_builders import CONDITION, NO, YES

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def market_row(condition_id: str = CONDITION, yes: str = YES, no: str = NO) -> Market:
    event, _ = Event.objects.get_or_create(gamma_id="event-1", defaults={"title": "Weather"})
    market = Market.objects.create(
        condition_id=condition_id, event=event, slug=f"m-{condition_id[-6:]}", question="Will it rain?", generation="v1"
    )
    for index, (name, asset) in enumerate((("Yes", yes), ("No", no))):
        Outcome.objects.create(market=market, index=index, name=name, asset_id=asset)
    return market


def order_row(market: Market, client_order_id: int = 1, **changes: Any) -> Order:
    plan, _ = Plan.objects.get_or_create(
        plan_id=changes.pop("plan_id", f"plan-{client_order_id}"),
        defaults={"strategy": "spread", "market": market, "decided_at": LONG_AGO},
    )
    values: dict[str, Any] = {
        "order_id": f"0x{client_order_id:064x}",
        "asset_id": YES,
        "outcome": "YES",
        "side": "BUY",
        "price": "0.5",
        "size": "10",
        "order_type": "GTC",
        "post_only": True,
        "state": "live",
        "relayer": "fake",
        "payload": '{"expiration":"0"}',
        "fencing_token": 1,
        "decided_at": LONG_AGO,
    }
    return Order.objects.create(client_order_id=client_order_id, plan=plan, market=market, **{**values, **changes})


def event_row(order: Order, after: str = "live") -> OrderEvent:
    return OrderEvent.objects.create(order=order, event="accept", before="submitting", after=after, at=LONG_AGO)


def fill_row(order: Order, trade_id: str = "t-1") -> Fill:
    return Fill.objects.create(
        trade_id=trade_id,
        order=order,
        market=order.market,
        asset_id=order.asset_id,
        outcome=order.outcome,
        side=order.side,
        price="0.5",
        size="4",
        maker=True,
        status="CONFIRMED",
        relayer=order.relayer,
        at=LONG_AGO,
    )


def audit_row(plan: Plan | None, request_id: str = "r-1", **changes: Any) -> ExecAudit:
    values: dict[str, Any] = {"action": "place", "relayer": "fake", "orders": 1, "accepted": 1, "at": LONG_AGO}
    return ExecAudit.objects.create(request_id=request_id, plan=plan, **{**values, **changes})
