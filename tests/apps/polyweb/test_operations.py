"""Watchdog, reconciliation, allowances, the register of recordings: reports that say what they do not know."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from execution.models import EngineStatus, Order
from execution.services import Beat, beat
from markets.feed.recorder import Recorder, RecordKind
from markets.models import Market, Recording
from markets.services import Tidied, tidy_recordings
from polyweb.devtools.machine import free_port
from polyweb.env import Env
from polyweb.operations import approvals, reconciliation, watchdog
from risk.models import Breaker, Incident
from tests.execution_rows import LONG_AGO, fill_row, market_row, order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PATIENCE = timedelta(seconds=15)


def env(relayer: str, **changes: str) -> Env:
    here: Env = settings.POLYWEB
    return here.model_copy(update={"relayer": relayer, **changes})


def heartbeat(age_s: float, state: str = "running") -> None:
    at = NOW - timedelta(seconds=age_s)
    beat(Beat(1, state, "paper", False, LONG_AGO, 0, {}), now=at)


def sight() -> str:
    return watchdog.look(silent_after=PATIENCE, now=NOW).state


def open_incidents() -> list[str]:
    return list(Incident.objects.filter(closed_at=None).values_list("key", flat=True))


# Watchdog


def test_a_database_no_engine_ever_ran_on_worries_nobody() -> None:
    assert sight() == "never"
    assert open_incidents() == []


def test_a_silent_engine_opens_one_incident_however_often_it_is_looked_at() -> None:
    heartbeat(16)
    assert [sight(), sight(), sight()] == ["silent"] * 3
    incident = Incident.objects.get(closed_at=None)
    assert (incident.kind, incident.times) == ("engine_silence", 3)
    assert "2026-11-20 11:59:44 UTC" in incident.text


def test_silence_trips_the_breaker_once_and_keeps_its_first_moment() -> None:
    heartbeat(16)
    sight()
    watchdog.look(silent_after=PATIENCE, now=NOW + timedelta(minutes=1))
    breaker = Breaker.objects.get(kind="engine_silence")
    assert (breaker.state, breaker.since) == ("open", NOW)


def test_a_fresh_heartbeat_closes_incident_and_breaker() -> None:
    heartbeat(16)
    sight()
    heartbeat(1)
    assert sight() == "alive"
    assert open_incidents() == []
    assert Breaker.objects.get(kind="engine_silence").state == "closed"


def test_an_engine_that_said_goodbye_is_not_missed() -> None:
    heartbeat(3_600, "stopped")
    assert sight() == "stopped"
    assert open_incidents() == []


def test_an_engine_that_fell_silent_while_stopping_is_missed() -> None:
    heartbeat(3_600, "stopping")
    assert sight() == "silent"


def test_a_healthy_engine_leaves_no_row_behind() -> None:
    heartbeat(1)
    sight()
    assert not Breaker.objects.exists()


# Reconciliation


def reconciled() -> list[tuple[str, int]]:
    done = reconciliation.reconcile(env("paper"), source="task", now=NOW)
    assert done.report.available is False
    assert "inside the engine" in done.reason
    return [(row.kind, row.client_order_id) for row in done.rows]


def settled(pk: int, age_s: float = 60) -> None:
    Order.objects.filter(pk=pk).update(updated_at=NOW - timedelta(seconds=age_s))


def test_sound_rows_are_reported_as_such_and_the_venue_as_unread() -> None:
    heartbeat(1)
    settled(order_row(market_row(), 1).pk)
    assert reconciled() == []
    assert open_incidents() == []


def test_orders_open_while_no_engine_runs_are_found_and_raise_an_incident() -> None:
    heartbeat(60, "stopped")
    market = market_row()
    settled(order_row(market, 1).pk)
    settled(order_row(market, 2, state="cancelled").pk)
    settled(order_row(market, 3, dry_run=True).pk)
    assert reconciled() == [("open here while no engine runs", 1)]
    assert open_incidents() == ["reconciliation: own rows"]


def test_the_incident_closes_when_the_rows_are_sound_again() -> None:
    settled(order_row(market_row(), 1).pk)
    reconciled()
    heartbeat(1)
    assert reconciled() == []
    assert open_incidents() == []


def test_an_order_that_moved_a_moment_ago_is_left_alone() -> None:
    settled(order_row(market_row(), 1).pk, age_s=5)
    assert reconciled() == []


def test_fills_that_do_not_add_up_are_found() -> None:
    heartbeat(1)
    market = market_row()
    sound = order_row(market, 1, filled="4")
    fill_row(sound, "t-1")
    short = order_row(market, 2, filled="5")
    fill_row(short, "t-2")
    untold = order_row(market, 3)
    fill_row(untold, "t-3")
    for order in (sound, short, untold):
        settled(order.pk)
    kind = "its fills do not add up to what it says is filled"
    assert reconciled() == [(kind, 2), (kind, 3)]


def test_a_real_venue_that_cannot_be_read_is_said_to_be_unread_not_empty() -> None:
    nowhere = env("real", clob_url=f"http://127.0.0.1:{free_port()}")
    done = reconciliation.reconcile(nowhere, source="cli", now=NOW)
    assert (done.report.available, done.result) == (False, "not read")
    assert not done.well
    assert "derive-api-key" in done.reason


def test_without_a_key_the_account_is_unread_with_the_reason() -> None:
    done = reconciliation.reconcile(env("real"), source="cli", now=NOW)
    assert "POLYWEB_KEYSTORE" in done.reason


# Allowances


@pytest.mark.parametrize("relayer", ["fake", "paper", "real"])
def test_what_was_not_read_is_unread_and_never_missing(relayer: str) -> None:
    done = approvals.report_allowances(env(relayer), needed=Decimal(1000))
    assert (done.report.available, done.report.missing) == (False, 0)
    assert done.well == (relayer != "real")
    assert {row["status"] for row in done.report.rows} == {"could not be read"}
    assert relayer in done.reason


def test_only_the_generations_that_trade_are_reported() -> None:
    market_row()
    Market.objects.update(trading=True, generation="v2")
    names = {row["spender_name"] for row in approvals.report_allowances(env("paper"), needed=Decimal(1)).report.rows}
    assert names == {"ExchangeV3", "Router"}


# Recordings


def segment(root: Path, records: int = 3, age: timedelta = timedelta(0)) -> Path:
    recorder = Recorder(root / "sessions", prefix="session")
    for number in range(records):
        recorder.record(RecordKind.ITEM, 1_760_000_000_000_000_000 + number, b"{}")
    recorder.close()
    (path,) = recorder.segments
    stamp = (NOW - age).timestamp()
    os.utime(path, (stamp, stamp))
    return path


def tidied(root: Path, now: datetime = NOW) -> Tidied:
    return tidy_recordings(root=root, keep=timedelta(days=14), now=now)


def test_a_segment_that_is_written_to_is_listed_without_an_end(tmp_path: Path) -> None:
    segment(tmp_path)
    assert tidied(tmp_path) == Tidied(registered=1, finished=0, deleted=0, vanished=0)
    row = Recording.objects.get()
    assert (row.kind, row.ended_at, row.started_at.year) == ("session", None, 2025)
    assert row.path.startswith("sessions/session-")


def test_a_segment_at_rest_is_counted_once(tmp_path: Path) -> None:
    segment(tmp_path, records=3, age=timedelta(hours=1))
    assert tidied(tmp_path).finished == 1
    assert Recording.objects.get().frames == 3
    assert tidied(tmp_path) == Tidied(0, 0, 0, 0)


def test_an_old_segment_goes_with_its_row(tmp_path: Path) -> None:
    path = segment(tmp_path)
    tidied(tmp_path)
    assert tidied(tmp_path, NOW + timedelta(days=15)).deleted == 1
    assert not path.exists()
    assert not Recording.objects.exists()


def test_a_row_whose_file_is_gone_goes_too(tmp_path: Path) -> None:
    path = segment(tmp_path)
    tidied(tmp_path)
    path.unlink()
    assert tidied(tmp_path).vanished == 1
    assert not Recording.objects.exists()


def test_files_of_others_are_neither_listed_nor_deleted(tmp_path: Path) -> None:
    other = tmp_path / "notes.seg.zst"
    other.write_text("not a segment")
    os.utime(other, (0, 0))
    assert tidied(tmp_path) == Tidied(0, 0, 0, 0)
    assert other.exists()


def test_no_folder_of_recordings_is_no_trouble(tmp_path: Path) -> None:
    assert tidied(tmp_path / "nowhere") == Tidied(0, 0, 0, 0)
    assert not EngineStatus.objects.exists()
