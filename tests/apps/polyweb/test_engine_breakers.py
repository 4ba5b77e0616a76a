"""Faults at the sandbox trip the running engine's breakers: orders gone, history, an incident, closed by rule only."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from execution.domain.ours import OurOrders
from execution.relayers.base import Ok
from execution.relayers.credentials import api_credentials
from execution.relayers.http import ClobHttp
from execution.relayers.reads import ClobReads
from execution.signing import SignatureType, sandbox_key
from tests.installation import Installation, at_sandbox, eventually, finish

OPEN_ROW = "SELECT count(*) FROM risk_breaker WHERE kind = ? AND state = 'open'"
EVENT = "SELECT count(*) FROM risk_breakerevent WHERE kind = ? AND state = 'open'"
INCIDENT = "SELECT count(*) FROM risk_incident WHERE kind = 'breaker' AND key LIKE ? AND closed_at IS NULL"
STATE = "SELECT DISTINCT state FROM risk_breaker WHERE kind = ?"
LIVE = "SELECT count(*) FROM execution_order WHERE state IN ('live', 'partially_filled')"


@dataclass(frozen=True)
class Case:
    """A fault and the thresholds it is measured by."""

    kind: str
    rule: dict[str, object]
    thresholds: dict[str, int]


CASES = [
    Case("rejects", {"kind": "partial_batch"}, {"rejects": 4, "rejects_window_s": 60, "cooldown_s": 600}),
    Case("ack_latency", {"kind": "delay_answer", "seconds": 0.8, "on": "POST /orders"}, {
        "ack_ms": 500, "cooldown_s": 600,
    }),
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    with at_sandbox(tmp_path, migrated, markets=8, POLYWEB_AUDIT_S="0") as place:
        yield place


def fault(place: Installation, rule: dict[str, object]) -> None:
    wanted = Request(f"{place.env['POLYWEB_CLOB_URL']}/sandbox/faults", data=json.dumps(rule).encode(), method="POST")
    with urlopen(wanted, timeout=10) as answer:
        assert answer.status == 200


def resting(place: Installation) -> int:
    async def ask() -> int:
        url, key = place.env["POLYWEB_CLOB_URL"], sandbox_key()
        http = ClobHttp(url, key.address, await api_credentials(url, key, 137))
        try:
            found = await ClobReads(http, OurOrders(), SignatureType.EOA).open_orders()
        finally:
            await http.close()
        assert isinstance(found, Ok), found
        return len(found.value)

    return asyncio.run(ask())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_fault_trips_its_breaker_and_everything_it_covers_comes_down(place: Installation, case: Case) -> None:
    for name, value in case.thresholds.items():
        place.rows("INSERT INTO risk_threshold (name, value, updated_at) VALUES (?, ?, datetime('now'))", name, value)
    with place.started(sys.executable, "manage.py", "run_engine") as child:
        eventually(lambda: place.one(LIVE) >= 2, "quotes rest")
        fault(place, case.rule)
        eventually(lambda: place.one(OPEN_ROW, case.kind) > 0, f"{case.kind} trips")
        if case.kind != "rejects":  # which leaves the other markets alone
            eventually(lambda: resting(place) == 0, "nothing rests")
        assert place.one(EVENT, case.kind) > 0
        eventually(lambda: place.one(INCIDENT, f"breaker {case.kind}%") > 0, "an incident")
        time.sleep(8)  # longer than health must last: only its rule may close it
        assert ("open",) in place.rows(STATE, case.kind)
        assert finish(child, signal.SIGTERM) == 0
