"""One line per followed market: its state, why it is not quoted, and how much trouble its book gives.

Law: what a dead engine said last is not what is; what nobody has counted is None.
"""

from typing import Any

from execution import selectors as execution
from execution.models import MarketState
from markets import selectors as markets
from markets.domain.integrity import Trust
from polyweb.dashboard.selectors import Engine

Json = dict[str, Any]


def lines(seen: Engine) -> list[Json]:
    followed = markets.subscribed_rows()
    shown = {row.market_id: row for row in execution.market_states().filter(market__in=followed)}
    return [_market(row.condition_id, row.question, row.trading, shown.get(row.pk), seen) for row in followed]


def worst(lines: list[Json]) -> list[Json]:
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
