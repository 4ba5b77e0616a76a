"""The engine as a process on the sandbox through the real relayer: it rests there what it says, whatever ends it."""

import json
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from polyweb.devtools.machine import free_port
from tests.asked_venue import fault, resting_orders
from tests.installation import DATABASE, Installation, at_sandbox, eventually, finish

OPEN = "SELECT count(*) FROM execution_order WHERE state NOT IN ('filled', 'cancelled', 'rejected', 'expired')"
LIVE = "SELECT order_id FROM execution_order WHERE state IN ('live', 'partially_filled') AND client_order_id > ?"


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    with at_sandbox(tmp_path, migrated) as place:
        yield place


def at_venue(place: Installation) -> set[str]:
    """What rests for the sandbox's key, as the venue lists it to anybody with that key."""
    return {order.order_id for order in resting_orders(place)}


@contextmanager
def engine(place: Installation, *words: str) -> Iterator[Popen[str]]:
    with place.started(sys.executable, "manage.py", "run_engine", *words) as child:
        yield child


def live(place: Installation, after: int = 0) -> set[str]:
    return {row[0] for row in place.rows(LIVE, after)}


def quotes(place: Installation, child: Popen[str], after: int = 0) -> None:
    eventually(lambda: child.poll() is not None or len(live(place, after)) >= 2, "quotes rest at the venue")
    assert child.poll() is None, place.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("client", ["polymarket-client", "py-clob-client"])
def test_it_quotes_at_the_venue_and_takes_everything_down_at_the_end(place: Installation, client: str) -> None:
    place.env["POLYWEB_CLIENT"] = client
    with engine(place) as child:
        quotes(place, child)
        eventually(lambda: len(at_venue(place) & live(place)) >= 2, "the venue lists them")
        assert finish(child, signal.SIGTERM) == 0
    assert at_venue(place) == set()
    assert place.one(OPEN) == 0
    assert place.one("SELECT count(*) FROM risk_incident") == 0
    assert place.one("SELECT count(*) FROM execution_reconcilereport WHERE source = 'start' AND available") == 1
    assert place.rows("SELECT DISTINCT relayer, dry_run FROM execution_order") == [("real", 0)]
    log = place.log.read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_after_a_kill_nothing_rests_that_the_journal_does_not_know(place: Installation) -> None:
    with engine(place, "--lease-ttl", "2") as child:
        quotes(place, child)
        assert finish(child, signal.SIGKILL) == -signal.SIGKILL
    assert at_venue(place) <= {row[0] for row in place.rows("SELECT order_id FROM execution_order")}
    expired = "SELECT expires_at < datetime('now') FROM execution_enginelease"
    eventually(lambda: place.one(expired) == 1, "the lease ends")
    last_old = place.one("SELECT max(client_order_id) FROM execution_order")
    with engine(place) as child:
        quotes(place, child, last_old)
        assert finish(child, signal.SIGTERM) == 0
    assert at_venue(place) == set()
    assert place.one(OPEN) == 0
    assert place.one("SELECT count(*) - count(DISTINCT order_id) FROM execution_order") == 0
    assert place.one("SELECT count(*) FROM execution_accountopening") == 1


def test_a_dry_run_signs_journals_and_audits_and_sends_nothing(place: Installation) -> None:
    place.env["POLYWEB_DRY_RUN"] = "true"
    with engine(place) as child:
        eventually(lambda: place.one("SELECT count(*) FROM execution_order WHERE dry_run") >= 2, "orders are journaled")
        assert at_venue(place) == set()
        assert finish(child, signal.SIGTERM) == 0
    (payload,) = place.rows("SELECT payload FROM execution_order LIMIT 1")[0]
    assert json.loads(payload)["signature"].startswith("0x")
    assert place.rows("SELECT DISTINCT error FROM execution_execaudit WHERE action = 'place'") == [("dry_run",)]
    assert place.one("SELECT count(*) FROM execution_fill") == 0


def test_cancel_only_mode_takes_quotes_down_and_pages_say_why(place: Installation) -> None:
    shown = "SELECT reason FROM execution_marketstate WHERE state = 'idle'"
    with engine(place) as child:
        quotes(place, child)
        fault(place, {"kind": "mode", "mode": "cancel_only", "seconds": 600})
        eventually(lambda: ("venue cancel-only",) in place.rows(shown), "the pages say why")
        eventually(lambda: at_venue(place) == set(), "quotes come down")
        assert finish(child, signal.SIGTERM) == 0


def one_line(place: Installation) -> str:
    done = place.manage("run_engine")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_real_money_without_a_keystore_is_refused_before_anything_starts(tmp_path: Path, migrated: Path) -> None:
    place = Installation(
        tmp_path / "var",
        POLYWEB_RELAYER="real",
        POLYWEB_PRIVATE_KEY="0x" + "11" * 32,
        POLYWEB_CLOB_URL="https://clob.polymarket.com",
    ).copied_from(migrated)
    said = one_line(place)
    assert {"E002", "E010", "E011"} <= {word.strip("():").removeprefix("polyweb.") for word in said.split()}
    assert "1111" not in said


def test_a_venue_that_cannot_be_reached_is_one_line_and_no_lease(tmp_path: Path, migrated: Path) -> None:
    dead = f"127.0.0.1:{free_port()}"
    place = Installation(
        tmp_path / "var",
        POLYWEB_RELAYER="real",
        POLYWEB_CLOB_URL=f"http://{dead}",
        POLYWEB_USER_URL=f"ws://{dead}/ws/user",
    ).copied_from(migrated)
    assert "GET /auth/derive-api-key: " in one_line(place)
    with sqlite3.connect(place.folder / DATABASE) as link:
        assert link.execute("SELECT count(*) FROM execution_enginelease").fetchone() == (0,)
