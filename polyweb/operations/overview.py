"""The state of the whole installation as one document: what `status` prints.

Law: reads rows only, so it tells the same in every process, also while no engine runs; what nobody knows is None.
"""

from typing import Any

from django.utils import timezone

from execution import selectors as execution
from markets import selectors as markets
from polyweb.dashboard import market_lines
from polyweb.dashboard.selectors import Engine, engine, stop_target
from risk import selectors as risk
from risk.domain.breakers import BreakerState
from risk.domain.stops import StopLevel

Json = dict[str, Any]


def overview(*, top: int) -> Json:
    """`top` markets are listed, those that quote first, then those that trade and do not, with the reason.

    `worst` are the followed markets whose books give most trouble: without trust first, then by resyncs per change.
    """
    seen = engine()
    totals = execution.totals()
    return {
        "engine": _engine(seen),
        "markets": _markets(seen, top),
        "orders": {
            "open": execution.open_order_count(),
            "unknown": execution.orders(state="unknown").count(),
            **{name: (seen.summary.get("orders") or {}).get(name) for name in ("placed", "cancelled", "rejected")},
        },
        "fills": execution.fills().count(),
        "pnl_pusd": {name: str(getattr(totals, name)) for name in ("pnl", "realised", "unrealised", "fees")},
        "trust": seen.summary.get("trust"),
        "recipe": seen.summary.get("recipe"),
        "feed": seen.summary.get("feed"),
        "loop": seen.summary.get("loop"),
        "venue": seen.summary.get("venue"),
        "chain": seen.summary.get("chain"),
        "history": seen.summary.get("history"),
        "breakers": _breakers(),
        "stops": _stops(),
        "incidents": _incidents(),
    }


def _engine(seen: Engine) -> Json:
    status = seen.status
    if status is None:
        return {"state": "never", "age_s": None}
    lease = execution.engine_lease()
    return {
        "state": seen.word,
        "age_s": None if seen.age_s is None else round(seen.age_s, 1),
        "relayer": status.relayer,
        "dry_run": status.dry_run,
        "started_at": status.started_at.isoformat(),
        "beat_at": status.beat_at.isoformat(),
        "holder": lease.holder if lease is not None else "",
        "fencing_token": status.token,
        "changes_waiting": max(0, markets.change_counter() - status.change_seen),
        "mode": seen.summary.get("mode"),
    }


def _markets(seen: Engine, top: int) -> Json:
    lines = market_lines.lines(seen)
    order = {"quoting": 0, "idle": 1, "watching": 2}
    lines.sort(key=lambda line: order.get(line["state"], 3))  # stable: by volume within a state
    return {
        "trading": sum(line["trading"] for line in lines),
        "quoting": sum(line["state"] == "quoting" for line in lines),
        "watched": sum(not line["trading"] for line in lines),
        "top": lines[:top],
        "worst": market_lines.worst(lines)[:top],
    }


def _breakers() -> list[Json]:
    """Those that are not closed."""
    rows = risk.breakers().exclude(state=BreakerState.CLOSED.value)
    return [
        {
            "kind": row.kind,
            "market": row.market.condition_id if row.market is not None else None,
            "state": row.state,
            "reason": row.reason,
            "since": row.since.isoformat(),
        }
        for row in rows
    ]


def _stops() -> list[Json]:
    return [
        {
            "id": row.pk,
            "level": StopLevel(row.level).name.lower(),
            "scope": row.scope,
            "target": stop_target(row),
            "reason": row.reason,
            "since": row.created_at.isoformat(),
            "until": row.expires_at.isoformat() if row.expires_at else None,
        }
        for row in risk.in_force(timezone.now())
    ]


def _incidents() -> list[Json]:
    return [
        {
            "id": row.pk,
            "kind": row.kind,
            "text": row.text,
            "times": row.times,
            "since": row.opened_at.isoformat(),
            "acknowledged": row.acknowledged_at is not None,
        }
        for row in risk.open_incidents()
    ]
