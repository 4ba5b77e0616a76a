"""The engine as a process at a sandbox that plants four sets: only the one that pays is traded."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asked_venue import fault
from tests.installation import Installation, at_sandbox, eventually, finish

# Quotes keep far away, so that nothing but sets trades; capital may be locked as long as the sandbox's markets last.
READY = """
from decimal import Decimal
from strategies.services import set_arb, set_params
set_params(scope="global", values={"half_spread": Decimal("0.4")}, author=None, source="system")
values = {"enabled": True, "max_lock_days": Decimal(3650), "lock_rate_bps": Decimal(0)}
set_arb(values=values, author=None, source="system")
"""
PLANT: dict[str, object] = {"kind": "plant_sets", "seconds": 600}


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    with at_sandbox(tmp_path, migrated, markets=21) as place:
        done = place.manage("shell", "-c", READY)
        assert done.returncode == 0, done.stderr
        yield place


def test_only_the_planted_set_that_pays_is_traded(place: Installation) -> None:
    verified = "SELECT count(*) FROM execution_marketstate WHERE trust = 'verified'"
    with place.started(sys.executable, "manage.py", "run_engine") as child:
        eventually(lambda: child.poll() is not None or place.one(verified) >= 19, "books are verified")
        fault(place, PLANT)
        ended = "SELECT count(*) FROM strategies_arbbasket WHERE ended_at IS NOT NULL"
        eventually(lambda: place.one(ended) > 0, "a basket ends")
        assert finish(child, signal.SIGTERM) == 0
    ((event, stage, route, profit),) = place.rows("SELECT event_key, stage, route, profit FROM strategies_arbbasket")
    assert (stage, route) == ("whole", "buy every YES, hold to resolution")
    assert profit > 0
    seen = gaps(place)
    assert seen.pop(event) == {"taken"}
    assert {reason for reasons in seen.values() for reason in reasons} == {
        "augmented event: outcomes may be added",
        "fees eat the edge",
        "no size with an edge reaches the venue's minimum",
        "needs shares split first, and nothing here can split",
    }
    assert len(seen) == 3


def gaps(place: Installation) -> dict[str, set[str]]:
    """Why each event's gaps were left or not, by its id."""
    found: dict[str, set[str]] = {}
    for event, reason in place.rows("SELECT event_key, reason FROM strategies_arbopportunity"):
        found.setdefault(event, set()).add(reason)
    return found
