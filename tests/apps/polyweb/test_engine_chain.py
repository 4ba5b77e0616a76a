"""The engine as a process at a sandbox with sets that pay over the chain only: split or converted, sold, and booked."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from execution.signing import sandbox_key
from execution.signing.wallets import safe_wallet
from tests.asked_venue import fault
from tests.installation import Installation, at_sandbox, eventually, finish

READY = """
from decimal import Decimal
from strategies.services import set_arb, set_params
set_params(scope="global", values={"half_spread": Decimal("0.4")}, author=None, source="system")
values = {"enabled": True, "lock_rate_bps": Decimal(0), "max_lock_days": Decimal(1), "max_size": Decimal(20)}
set_arb(values=values, author=None, source="system")
"""
SAFE = {"POLYWEB_SIGNATURE_TYPE": "poly-gnosis-safe", "POLYWEB_FUNDER": safe_wallet(sandbox_key().address)}
PLANT: dict[str, object] = {"kind": "plant_sets", "seconds": 600}
VERIFIED = "SELECT count(*) FROM execution_marketstate WHERE trust = 'verified'"
CONFIRMED = "SELECT count(*) FROM execution_chainjob WHERE state = 'confirmed'"
ROUTES = ("buy every NO, convert", "split, convert, sell every YES")


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    with at_sandbox(tmp_path, migrated, markets=40, shares=0, **SAFE) as place:
        done = place.manage("shell", "-c", READY)
        assert done.returncode == 0, done.stderr
        yield place


def test_sets_that_pay_over_the_chain_are_traded_whole_and_the_account_agrees(place: Installation) -> None:
    with place.started(sys.executable, "manage.py", "run_engine", "--lease-ttl", "2") as child:
        eventually(lambda: child.poll() is not None or place.one(VERIFIED) >= 35, "books are verified")
        fault(place, PLANT)
        ended = "SELECT count(*) FROM strategies_arbbasket WHERE ended_at IS NOT NULL"
        eventually(lambda: place.one(ended) >= 2, "both baskets end")
        eventually(lambda: place.one(CONFIRMED) >= 2, "both jobs are confirmed")
        assert finish(child, signal.SIGTERM) == 0
    baskets = place.rows("SELECT route, stage, profit > 0 FROM strategies_arbbasket")
    assert sorted(baskets) == [(route, "whole", 1) for route in ROUTES]
    jobs = json.loads(place.manage("chain_jobs", "--json").stdout)
    assert {(job["verb"], job["state"], job["attempts"]) for job in jobs} == {
        ("convert", "confirmed", 1),
        ("split event", "confirmed", 1),
    }
    compared = place.manage("reconcile", "--json")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    again = place.manage("replay", str(place.folder / "recordings" / "sessions"))
    assert again.returncode == 0, again.stdout + again.stderr


def test_after_a_kill_between_submit_and_the_end_a_job_is_followed_on_and_booked_once(place: Installation) -> None:
    fault(place, {"kind": "slow_chain", "seconds": 20})
    sent = "SELECT count(*) FROM execution_chainjob WHERE state IN ('submitting', 'submitted')"
    with place.started(sys.executable, "manage.py", "run_engine", "--lease-ttl", "2") as child:
        eventually(lambda: child.poll() is not None or place.one(VERIFIED) >= 35, "books are verified")
        fault(place, PLANT)
        eventually(lambda: place.one(sent) > 0, "a job is under way")
        child.kill()
        child.wait()
    with place.started(sys.executable, "manage.py", "run_engine", "--lease-ttl", "2") as child:
        eventually(lambda: place.one(CONFIRMED) > 0, "it is confirmed")
        booked = "SELECT count(DISTINCT posting_id) FROM execution_posting WHERE posting_id LIKE 'chain:%'"
        assert place.one(booked) == place.one(CONFIRMED)
        assert place.one("SELECT count(*) FROM execution_chainjob WHERE attempts > 1") == 0
        assert finish(child, signal.SIGTERM) == 0
    compared = place.manage("reconcile", "--json")
    assert compared.returncode == 0, compared.stdout + compared.stderr
