"""`manage.py audit`: what was asked of the relayer, what it answered, and where the time went."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution import selectors
from execution.management.tables import table
from execution.models import ExecAudit, Plan


class Command(BaseCommand):
    help = (
        "List requests to the relayer, newest first, durations in microseconds. With --plan, everything about one "
        "plan: its trace, orders, steps and requests. Exits 1 when there is no such plan."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--plan", metavar="P", help="plan id")
        parser.add_argument("--limit", type=int, default=50, help="at most so many requests; default 50")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *args: Any, plan: str | None, limit: int, as_json: bool, **options: Any) -> None:
        if limit < 1:
            raise CommandError(f"--limit: {limit} is not at least 1")
        document: dict[str, Any] = {}
        audits = list(selectors.audits(plan_id=plan)[:limit])
        if plan is not None:
            document = _plan(_find(plan))
        if as_json:
            self.stdout.write(json.dumps({**document, "requests": [_request(row) for row in audits]}))
            return
        if document:
            self.stdout.write(_story(document))
        self.stdout.write(_requests(audits))


def _find(plan_id: str) -> Plan:
    plan = Plan.objects.select_related("market").filter(plan_id=plan_id).first()
    if plan is None:
        raise CommandError(f"--plan: there is no plan {plan_id}")
    return plan


def _plan(plan: Plan) -> dict[str, Any]:
    orders = plan.orders.prefetch_related("events").order_by("client_order_id")
    return {
        "plan": plan.plan_id,
        "strategy": plan.strategy,
        "market": plan.market.condition_id if plan.market else None,
        "decided_at": plan.decided_at.isoformat(),
        "trace": plan.trace,
        "orders": [
            {
                "client_order_id": order.client_order_id,
                "order_id": order.order_id,
                "outcome": order.outcome,
                "side": order.side,
                "price": str(order.price),
                "size": str(order.size),
                "filled": str(order.filled),
                "state": order.state,
                "events": [
                    {
                        "at": event.at.isoformat(),
                        "event": event.event,
                        "before": event.before,
                        "after": event.after,
                        "detail": event.detail,
                    }
                    for event in sorted(order.events.all(), key=lambda event: (event.at, event.pk))
                ],
            }
            for order in orders
        ],
    }


def _request(row: ExecAudit) -> dict[str, Any]:
    return {
        "request_id": row.request_id,
        "plan": row.plan.plan_id if row.plan else None,
        "action": row.action,
        "relayer": row.relayer,
        "dry_run": row.dry_run,
        "orders": row.orders,
        "accepted": row.accepted,
        "rejected": row.rejected,
        "unknown": row.unknown,
        "decision_us": row.decision_us,
        "gate_us": row.gate_us,
        "queue_us": row.queue_us,
        "sign_us": row.sign_us,
        "journal_us": row.journal_us,
        "call_us": row.call_us,
        "answer": row.answer,
        "error": row.error,
        "reason": row.reason,
        "at": row.at.isoformat(),
    }


def _story(document: dict[str, Any]) -> str:
    lines = [
        f"plan {document['plan']} by {document['strategy']}, decided {document['decided_at']}",
        f"trace: {document['trace'] or 'none'}",
    ]
    for order in document["orders"]:
        lines.append(
            f"order {order['client_order_id']}: {order['side']} {order['size']} {order['outcome']} at"
            f" {order['price']}, filled {order['filled']}, {order['state']}"
        )
        for event in order["events"]:
            step = f"{event['before'] or '-'} -> {event['after']}"
            lines.append(f"  {event['at']}  {event['event']}: {step}  {event['detail']}".rstrip())
    return "\n".join(lines)


def _requests(rows: list[ExecAudit]) -> str:
    if not rows:
        return "No requests yet."
    head = (
        "at (UTC)",
        "action",
        "ok",
        "no",
        "?",
        "decision",
        "gate",
        "queue",
        "sign",
        "journal",
        "call µs",
        "error",
        "plan",
    )
    lines = [
        (
            f"{row.at:%m-%d %H:%M:%S}",
            row.action,
            str(row.accepted),
            str(row.rejected),
            str(row.unknown),
            str(row.decision_us),
            str(row.gate_us),
            str(row.queue_us),
            str(row.sign_us),
            str(row.journal_us),
            str(row.call_us),
            row.error,
            row.plan.plan_id if row.plan else "",
        )
        for row in rows
    ]
    return table(head, lines)
