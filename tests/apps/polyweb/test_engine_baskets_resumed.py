"""The engine as a process, killed in the middle of a basket at the sandbox: the next one goes on with it."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from execution.signing import sandbox_key
from execution.signing.wallets import safe_wallet
from tests.asked_venue import fault, no_faults
from tests.installation import Installation, at_sandbox, eventually, finish

# Nothing but baskets is traded, so that faults strike them.
READY = """
from decimal import Decimal
from risk.domain.stops import StopLevel, StopScope
from risk.services import stop
from strategies.services import set_arb
values = {
    "enabled": True, "lock_rate_bps": Decimal(0), "max_lock_days": Decimal(%s), "max_size": Decimal(20),
    "deadline_ms": Decimal(10_000),
}
set_arb(values=values, author=None, source="system")
spread = {"scope": StopScope.STRATEGY, "strategy": "spread"}
stop(level=StopLevel.CANCEL, reason="baskets only", author=None, source="system", **spread)
"""
SAFE = {"POLYWEB_SIGNATURE_TYPE": "poly-gnosis-safe", "POLYWEB_FUNDER": safe_wallet(sandbox_key().address)}
PLANT: dict[str, object] = {"kind": "plant_sets", "seconds": 600}
ENGINE = (sys.executable, "manage.py", "run_engine", "--lease-ttl", "2")
VERIFIED = "SELECT count(*) FROM execution_marketstate WHERE trust = 'verified'"
ENDED = "SELECT count(*) FROM strategies_arbbasket WHERE ended_at IS NOT NULL"
TAKEN_UP = "SELECT count(*) FROM strategies_arbstep WHERE detail = 'taken up after a restart'"
UNBALANCED = "SELECT count(*) FROM risk_incident WHERE kind = 'basket_unbalanced'"


@pytest.fixture
def bought(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    """Where one set pays without the chain."""
    with at_sandbox(tmp_path, migrated, markets=21) as place:
        yield ready(place, lock_days=3_650)


@pytest.fixture
def chained(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    """Where sets pay over the chain only."""
    with at_sandbox(tmp_path, migrated, markets=40, shares=0, **SAFE) as place:
        yield ready(place, lock_days=1)


def ready(place: Installation, lock_days: int) -> Installation:
    done = place.manage("shell", "-c", READY % lock_days)
    assert done.returncode == 0, done.stderr
    return place


def killed(place: Installation, verified: int, when: str, what: str, *faults: dict[str, object]) -> None:
    """An engine that dies by SIGKILL as soon as a query counts something."""
    with place.started(*ENGINE) as child:
        eventually(lambda: child.poll() is not None or place.one(VERIFIED) >= verified, "books are verified")
        for rule in faults:
            fault(place, rule)
        fault(place, PLANT)
        eventually(lambda: place.one(when) > 0, what)
        child.kill()
        child.wait()


def agrees(place: Installation) -> None:
    compared = place.manage("reconcile", "--json")
    assert compared.returncode == 0, compared.stdout + compared.stderr


def test_killed_between_legs_the_missing_leg_is_traded_by_the_next_engine(bought: Installation) -> None:
    place = bought
    a_leg_filled = "SELECT count(*) FROM execution_fill"
    refused, held = {"kind": "partial_batch", "count": 1}, {"kind": "delay_answer", "on": "POST /orders", "seconds": 30}
    killed(place, 19, a_leg_filled, "a leg has filled", refused, held)
    assert place.one(ENDED) == 0
    no_faults(place)
    with place.started(*ENGINE) as child:
        eventually(lambda: child.poll() is not None or place.one(ENDED) > 0, "the basket ends")
        assert finish(child, signal.SIGTERM) == 0
    ((stage, profit, edge),) = place.rows("SELECT stage, profit, edge FROM strategies_arbbasket")
    assert (stage, profit >= edge > 0) == ("whole", True)
    assert place.one(TAKEN_UP) == 1
    stages = [stage for (stage,) in place.rows("SELECT stage FROM strategies_arbstep ORDER BY id")]
    assert stages[-2:] == ["completing", "whole"]
    shares = {size for (size,) in place.rows("SELECT sum(size) FROM execution_fill GROUP BY asset_id")}
    assert len(shares) == 1
    assert place.one(UNBALANCED) == 0
    agrees(place)


def test_killed_between_a_job_and_the_legs_the_next_engine_sells_what_was_split(chained: Installation) -> None:
    place = chained
    slow: dict[str, object] = {"kind": "slow_chain", "seconds": 6}
    split = "SELECT count(*) FROM execution_chainjob WHERE verb LIKE 'split%' AND state = 'submitted'"
    killed(place, 35, split, "a split is under way", slow)
    with place.started(*ENGINE) as child:
        eventually(lambda: child.poll() is not None or place.one(ENDED) >= 2, "both baskets end")
        assert finish(child, signal.SIGTERM) == 0
    baskets = dict(place.rows("SELECT route, stage FROM strategies_arbbasket"))
    assert baskets == {"split, convert, sell every YES": "whole", "buy every NO, convert": "whole"}
    assert place.one(TAKEN_UP) >= 1
    assert place.one("SELECT count(*) FROM execution_chainjob WHERE attempts > 1 OR state != 'confirmed'") == 0
    assert place.one("SELECT count(*) FROM risk_incident WHERE kind IN ('basket_unbalanced', 'chain_job_left')") == 0
    agrees(place)
    again = place.manage("replay", str(place.folder / "recordings" / "sessions"))
    assert again.returncode == 0, again.stdout + again.stderr
