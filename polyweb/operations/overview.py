"""The state of the whole installation as one document: what `status` prints.

Law: reads rows only, so it tells the same in every process, also while no engine runs; what nobody knows is None.
"""

from typing import Any

from django.utils import timezone

from execution import selectors as execution
from execution.models import MarketState
from markets import selectors as markets
from markets.domain.integrity import Trust
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
        "feed": seen.summary.get("feed"),
        "loop": seen.summary.get("loop"),
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
    followed = markets.subscribed_rows()
    shown = {row.market_id: row for row in execution.market_states().filter(market__in=followed)}
    lines = [_market(row.condition_id, row.question, row.trading, shown.get(row.pk), seen) for row in followed]
    order = {"quoting": 0, "idle": 1, "watching": 2}
    lines.sort(key=lambda line: order.get(line["state"], 3))  # stable: by volume within a state
    return {
        "trading": sum(line["trading"] for line in lines),
        "quoting": sum(line["state"] == "quoting" for line in lines),
        "watched": sum(not line["trading"] for line in lines),
        "top": lines[:top],
        "worst": _worst(lines)[:top],
    }


def _worst(lines: list[Json]) -> list[Json]:
    """Only markets with something to complain of; an engine that says nothing accuses nobody."""
    accused = [line for line in lines if line["resyncs"] or line["trust"] not in (None, Trust.VERIFIED.value)]
    return sorted(
        accused,
        key=lambda line: (
            line["trust"] == Trust.VERIFIED.value,
            -(line["resyncs_per_1000"] or 0),
            -(line["resyncs"] or 0),
            line["condition_id"],
        ),
    )


def _market(condition_id: str, question: str, trading: bool, state: MarketState | None, seen: Engine) -> Json:
    """One line. What a dead engine said last is not what is: its quotes are gone or nobody knows."""
    view = state.view if state is not None else {}
    ours = view.get("ours") or ()
    position = view.get("position") or {}
    if state is None:
        word, reason = ("idle" if trading else "watching"), "not seen by an engine yet"
    elif seen.live:
        word, reason = state.state, state.reason
    else:
        word, reason = ("idle" if trading else "watching"), f"the engine is {seen.word}"
    return {
        "condition_id": condition_id,
        "question": question,
        "trading": trading,
        "state": word,
        "reason": reason,
        "trust": state.trust if state is not None else None,
        "trust_reason": view.get("trust_reason") or "",
        "resyncs": view.get("resyncs"),
        "changes": view.get("changes"),
        "resyncs_per_1000": _per_1000(view.get("resyncs"), view.get("changes")),
        "orders": len(ours),
        "net": position.get("net"),
        "pnl": position.get("pnl"),
    }


def _per_1000(resyncs: int | None, changes: int | None) -> float | None:
    """Resyncs per thousand decisions about a changed book; None when nobody has counted."""
    return round(1_000 * (resyncs or 0) / changes, 2) if changes else None


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
