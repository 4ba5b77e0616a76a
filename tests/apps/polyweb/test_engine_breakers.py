"""Faults at the sandbox trip the running engine's breakers within their bounds: nothing rests at the venue, history, an
incident, no order while it is open, and closed by its rule only.
"""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.asked_venue import fault, no_faults, resting
from tests.installation import Installation, at_sandbox, eventually, finish

EVENTS = "SELECT at FROM risk_breakerevent WHERE kind = ? AND state = ? ORDER BY at"
INCIDENTS = "SELECT count(*) FROM risk_incident WHERE kind = 'breaker' AND key LIKE ? AND closed_at IS NULL"
TARGETS = (
    "SELECT m.condition_id FROM risk_breaker b LEFT JOIN markets_market m ON m.id = b.market_id"
    " WHERE b.kind = ? AND b.state = 'open'"
)
LIVE = "SELECT count(*) FROM execution_order WHERE state IN ('live', 'partially_filled')"
NEWEST = "SELECT coalesce(max(client_order_id), 0) FROM execution_order"
NEXT = (
    "SELECT min(o.created_at) FROM execution_order o JOIN markets_market m ON m.id = o.market_id"
    " WHERE o.client_order_id > ?"
)
POINTS = "SELECT at, pnl FROM execution_pnlpoint WHERE market_id IS NULL ORDER BY at"
ACKNOWLEDGED = "SELECT count(*) FROM execution_execaudit WHERE action = 'place' AND accepted"
GONE_S = 5.0  # from the trip until the venue lists none, the asking included
HOLD_S, COOLDOWN_S = 5, 8
FROZEN_S = 22.0
USUAL_S = 0.03
DRAWDOWN = 0.05


@dataclass(frozen=True)
class Case:
    """A fault, the thresholds that differ, and how soon after it (seconds) the breaker must be open."""

    kind: str
    rule: dict[str, object]
    bound_s: float
    thresholds: dict[str, int] = field(default_factory=dict)


# How soon orders are refused or answered depends on how often the markets make us quote anew, not on the breaker.
CASES = [
    Case("rejects", {"kind": "partial_batch"}, 60, {"rejects": 4, "rejects_window_s": 60}),
    Case("ack_latency", {"kind": "delay_answer", "seconds": 20 * USUAL_S}, 10),
    Case("feed_silence", {"kind": "freeze", "channel": "market", "seconds": FROZEN_S}, 10),
]


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    with at_sandbox(tmp_path, migrated, markets=8, POLYWEB_AUDIT_S="0") as place:
        yield place


@contextmanager
def quoting(place: Installation, **thresholds: int) -> Iterator[None]:
    for name, value in ({"cooldown_s": COOLDOWN_S} | thresholds).items():
        place.rows("INSERT INTO risk_threshold (name, value, updated_at) VALUES (?, ?, datetime('now'))", name, value)
    with place.started(sys.executable, "manage.py", "run_engine") as child:
        eventually(lambda: place.one(LIVE) >= 8, "quotes rest")
        yield
        assert finish(child, signal.SIGTERM) == 0


def moments(place: Installation, kind: str, state: str) -> list[float]:
    """When breakers of this kind got into this state, in seconds since the epoch."""
    return [seconds(at) for (at,) in place.rows(EVENTS, kind, state)]


def covered(place: Installation, kind: str) -> set[str]:
    """The markets whose breaker is open; empty when it is everything's."""
    return {target for (target,) in place.rows(TARGETS, kind) if target}


def taken_down(place: Installation, case: Case, struck: float) -> tuple[float, set[str]]:
    """The breaker is open in time, told, and of what it covers nothing rests at the venue; since when, and what."""
    eventually(lambda: bool(moments(place, case.kind, "open")), f"{case.kind} trips", case.bound_s + 10)
    opened, of = moments(place, case.kind, "open")[0], covered(place, case.kind)
    assert opened - struck <= case.bound_s
    eventually(lambda: not resting(place).keys() & (of or resting(place).keys()), "nothing rests there", GONE_S)
    eventually(lambda: place.one(INCIDENTS, f"breaker {case.kind}%") > 0, "an incident", 5)
    return opened, of


def first_after(place: Installation, newest: int, of: set[str]) -> float:
    """When the first order after that one was made, in one of these markets or anywhere."""
    names = f" AND m.condition_id IN ({','.join('?' * len(of))})" if of else ""
    eventually(lambda: bool(place.one(NEXT + names, newest, *of)), "quotes again", 60)
    return seconds(place.one(NEXT + names, newest, *of))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_fault_takes_down_what_its_breaker_covers_until_its_rule_is_met(place: Installation, case: Case) -> None:
    fault(place, {"kind": "delay_answer", "seconds": USUAL_S})
    with quoting(place, **case.thresholds):
        eventually(lambda: place.one(ACKNOWLEDGED) >= 60, "the usual is known")
        no_faults(place)
        struck = time.time()
        fault(place, case.rule)
        opened, of = taken_down(place, case, struck)
        newest = place.one(NEWEST)
        if case.kind != "feed_silence":  # its own rule is health: it lasts as long as the fault
            no_faults(place)
        eventually(lambda: bool(moments(place, case.kind, "closed")), "it closes", 60)
        closed = moments(place, case.kind, "closed")[0]
        waited = struck + FROZEN_S - opened if case.kind == "feed_silence" else COOLDOWN_S
        assert moments(place, case.kind, "half_open")[0] - opened >= waited
        assert closed - moments(place, case.kind, "half_open")[0] >= HOLD_S
        assert first_after(place, newest, of) >= closed
        eventually(lambda: place.one(INCIDENTS, f"breaker {case.kind}%") == 0, "the incident is over")


def test_a_loss_takes_everything_down_until_an_operator_releases_it(place: Installation) -> None:
    limit(place, DRAWDOWN)
    with quoting(place):
        eventually(lambda: bool(moments(place, "loss", "open")), "a drawdown")
        newest_point = moments(place, "loss", "open")[0] + 5
        eventually(lambda: max(at for at, _ in [("", 0), *place.rows(POINTS)]) > text(newest_point), "points after it")
        taken_down(place, Case("loss", {}, 3), fell_at(place))
        newest = place.one(NEWEST)
        time.sleep(HOLD_S + 3)
        assert moments(place, "loss", "half_open") == []
        limit(place, 5_000)
        released = time.time()
        assert place.manage("breakers", "--release", "loss", "--reason", "the test has seen it").returncode == 0
        eventually(lambda: bool(moments(place, "loss", "closed")), "it closes", 30)
        assert first_after(place, newest, set()) >= moments(place, "loss", "closed")[0] >= released + HOLD_S


def limit(place: Installation, value: float) -> None:
    """The operator's cap on the drawdown, pUSD."""
    words = f"kind='drawdown', scope='total', value=Decimal('{value}'), author=None, source='cli', reason='test'"
    done = place.manage(
        "shell", "-c", f"from decimal import Decimal; from risk.services import set_limit; set_limit({words})"
    )
    assert done.returncode == 0, done.stderr


def fell_at(place: Installation) -> float:
    """When the rows first show a drawdown beyond the cap, or else now."""
    best = -math.inf
    for at, pnl in place.rows(POINTS):
        best = max(best, float(pnl))
        if best - float(pnl) >= DRAWDOWN:
            return seconds(at)
    return time.time()


def seconds(at: str) -> float:
    """Of a moment in a row, since the epoch."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()


def text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
