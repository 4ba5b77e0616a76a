"""`run_engine` as a process: it trades the sandbox, and whatever ends it, no order is left behind unseen."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from execution.models import EngineLease
from polyweb.devtools.machine import free_port
from tests.installation import DATABASE, Installation, eventually, finish, sandbox

HOLD_ENDS_S = 3.0  # after the lock: a retry of the lease, and a machine busy with other tests
OPEN = "SELECT count(*) FROM execution_order WHERE state NOT IN ('filled', 'cancelled', 'rejected', 'expired')"
STATE = "SELECT coalesce(max(state), '') FROM execution_enginestatus"
HOLDER = "SELECT coalesce(max(holder), '') FROM execution_enginelease"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated: Path, venue: dict[str, str]) -> Path:
    """A database whose markets are the sandbox's and trade."""
    place = Installation(tmp_path_factory.mktemp("stage")).copied_from(migrated)
    script = f"from polyweb.demo import stage; stage.stage_sandbox({venue['http']!r})"
    done = place.manage("shell", "-c", script)
    assert done.returncode == 0, done.stderr
    place.rows("PRAGMA journal_mode=DELETE")
    return place.folder / DATABASE


@pytest.fixture
def place(tmp_path: Path, stage: Path, venue: dict[str, str]) -> Installation:
    where = {"POLYWEB_FEED_URL": venue["ws"], "POLYWEB_GAMMA_URL": venue["http"], "POLYWEB_CLOB_URL": venue["http"]}
    return Installation(tmp_path / "var", **where).copied_from(stage)


@contextmanager
def engine(place: Installation, *words: str) -> Iterator[subprocess.Popen[str]]:
    with place.started(sys.executable, "manage.py", "run_engine", *words) as child:
        yield child


def runs(place: Installation, child: subprocess.Popen[str]) -> None:
    def is_running() -> bool:
        assert child.poll() is None, place.log.read_text(encoding="utf-8")
        return bool(place.one(STATE) == "running")

    eventually(is_running, "the engine runs")


def quotes(place: Installation, child: subprocess.Popen[str]) -> None:
    runs(place, child)
    eventually(lambda: child.poll() is not None or place.one(OPEN) >= 2, "the engine quotes")
    assert child.poll() is None, place.log.read_text(encoding="utf-8")


def test_sigterm_cancels_every_order_lets_the_lease_go_and_is_no_error(place: Installation) -> None:
    with engine(place) as child:
        quotes(place, child)
        assert finish(child, signal.SIGTERM) == 0
    assert place.one(OPEN) == 0
    assert place.one(STATE) == "stopped"
    assert place.one(HOLDER) == ""
    assert "Traceback" not in place.log.read_text(encoding="utf-8")


def test_a_second_engine_is_told_who_trades_and_until_when(place: Installation) -> None:
    with engine(place) as child:
        runs(place, child)
        second = place.manage("run_engine")
        assert second.returncode == 1
        (line,) = second.stderr.strip().splitlines()
        assert line.startswith("CommandError: lease engine is held by ")
        assert f":{child.pid}:" in line
        assert finish(child, signal.SIGINT) == 0


def test_after_a_kill_the_next_engine_waits_for_the_lease_and_ends_what_was_left(place: Installation) -> None:
    with engine(place, "--lease-ttl", "4") as child:
        quotes(place, child)
        assert finish(child, signal.SIGKILL) == -signal.SIGKILL
    left = place.one(OPEN)
    assert left >= 2
    expires = place.one("SELECT expires_at FROM execution_enginelease")
    place.rows("UPDATE execution_enginelease SET expires_at = datetime('now', '+600 seconds')")
    assert "is held by" in place.manage("run_engine").stderr
    place.rows("UPDATE execution_enginelease SET expires_at = ?", expires)

    last_old = place.one("SELECT max(client_order_id) FROM execution_order")
    eventually(lambda: place.one("SELECT expires_at < datetime('now') FROM execution_enginelease") == 1, "lease ends")
    with engine(place) as child:
        eventually(lambda: place.one(f"{OPEN} AND client_order_id <= ?", last_old) == 0, "the old orders end")
        quotes(place, child)
        assert finish(child, signal.SIGTERM) == 0
    ended = "SELECT count(*) FROM execution_order WHERE client_order_id <= ? AND detail LIKE 'not at the venue%'"
    assert place.one(ended, last_old) == left
    assert place.one("SELECT count(*) FROM execution_reconcilereport WHERE source = 'start'") >= 2


BOOKS_TELL = (
    'polyweb_book_checks_total{check="audit"}',
    'polyweb_book_check_failures_total{check="audit"}',
    "polyweb_book_silences_total",
    "polyweb_book_sweeps_total",
    "polyweb_hash_recipe_alerts_total",
    'polyweb_hash_recipe{state="doubted"}',
    'polyweb_hash_recipe{state="abandoned"}',
    'polyweb_market_ignored_events_total{why="late"}',
    'polyweb_market_ignored_events_total{why="before_snapshot"}',
    'polyweb_market_ignored_events_total{why="unknown_asset"}',
    'polyweb_market_unknown_names{of="type"}',
)


def test_an_incident_about_hashes_is_closed_by_the_first_that_comes_out(place: Installation) -> None:
    place.rows(
        "INSERT INTO risk_incident (kind, key, text, times, opened_at, seen_at)"
        " VALUES ('hash_recipe', 'hash_recipe', 'left open', 1, datetime('now'), datetime('now'))"
    )
    with engine(place) as child:
        runs(place, child)
        eventually(lambda: place.one("SELECT closed_at IS NOT NULL FROM risk_incident") == 1, "it is closed")
        assert finish(child, signal.SIGTERM) == 0


def test_the_engine_tells_prometheus_what_it_does(place: Installation) -> None:
    port = free_port()
    place.env["POLYWEB_METRICS_PORT"] = str(port)
    with engine(place) as child:
        quotes(place, child)

        def told() -> dict[str, float]:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
            return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

        eventually(lambda: told().get('polyweb_open_orders{relayer="paper"}', 0) >= 2, "open orders are told")
        figures = told()
        assert figures["polyweb_engine_running"] == 1
        assert figures["polyweb_market_frames_total"] > 0
        assert figures['polyweb_markets{state="quoting"}'] >= 1
        assert sum(value for name, value in figures.items() if name.startswith("polyweb_books{")) == 4
        assert set(BOOKS_TELL) <= set(figures)
        assert figures['polyweb_hash_recipe{state="reproduces"}'] == 1
        assert figures['polyweb_market_unknown_names{of="field"}'] == 0

        printed = place.manage("metrics")
        assert printed.returncode == 0
        assert "polyweb_engine_running 1.0" in printed.stdout
        assert finish(child, signal.SIGTERM) == 0


def holds(place: Installation) -> list[tuple[datetime, str]]:
    lines = map(json.loads, place.log.read_text(encoding="utf-8").splitlines())
    return [(datetime.fromisoformat(line["timestamp"]), line["reason"]) for line in lines if line["event"] == "hold"]


def test_a_lock_that_outlasts_the_lease_holds_trading_once_and_for_little_longer_than_itself(
    place: Installation,
) -> None:
    with engine(place, "--lease-ttl", "3") as child:
        quotes(place, child)
        with closing(sqlite3.connect(place.folder / DATABASE, isolation_level=None, timeout=20)) as link:
            link.execute("BEGIN EXCLUSIVE")
            eventually(lambda: bool(holds(place)), "the lease has run out")
            time.sleep(4)
            link.execute("ROLLBACK")
        released = datetime.now(UTC)
        eventually(lambda: len(holds(place)) >= 2, "the hold is over")
        (_, first), (over, second) = holds(place)
        assert (first, second) == ("database unreachable: the lease to trade has run out", "over")
        assert (over - released).total_seconds() < HOLD_ENDS_S
        before = place.one("SELECT count(*) FROM execution_execaudit")
        eventually(lambda: place.one("SELECT count(*) FROM execution_execaudit") > before, "audits are written again")
        quotes(place, child)
        assert len(holds(place)) == 2
        assert finish(child, signal.SIGTERM) == 0
    log = place.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert "audits_lost" not in log
    assert log.count('"lease_not_renewed"') == log.count('"lease_renewed_again"') == 1


# What is in the way ------------------------------------------------------------------------------------------


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.mark.django_db
def test_a_taken_metrics_port_is_one_line_and_costs_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(settings, "POLYWEB", settings.POLYWEB.model_copy(update={"metrics_port": port}))
        said = f"metrics: port {port} on 127.0.0.1 cannot be used .Address already in use.; set POLYWEB_METRICS_PORT"
        with pytest.raises(CommandError, match=said):
            call_command("run_engine")
    assert not EngineLease.objects.exists()


def test_a_database_without_tables_is_one_line(tmp_path: Path) -> None:
    line = one_line(Installation(tmp_path / "var").manage("run_engine"))
    assert line.startswith("CommandError: migrations: ")
    assert line.endswith("not applied; run manage.py migrate")


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    place = Installation(tmp_path / "var", POLYWEB_DATABASE_URL=f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
    done = place.manage("run_engine")
    assert done.returncode == 1
    *logged, line = done.stderr.strip().splitlines()
    assert line == "CommandError: database: OperationalError: is POLYWEB_DATABASE_URL right and the server up?"
    assert all(json.loads(entry)["logger"] == "psycopg.pool" for entry in logged)
    assert "secret" not in done.stderr


def test_a_redis_that_does_not_answer_is_one_line(place: Installation) -> None:
    place.env |= {"POLYWEB_CHANNEL_LAYER": "redis", "POLYWEB_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    done = place.manage("run_engine")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Redis does not answer, see POLYWEB_REDIS_URL" in done.stderr.strip().splitlines()[-1]
    assert place.one(HOLDER) == ""


@pytest.mark.parametrize("text", ["0", "1e9", "soon", "nan"])
def test_a_lease_of_a_silly_length_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=f"{text} is not between 2 and 600 s"):
        call_command("run_engine", f"--lease-ttl={text}")


# Preflight ---------------------------------------------------------------------------------------------------


def test_preflight_passes_where_everything_answers(place: Installation) -> None:
    done = place.manage("preflight", "--json")
    assert done.stdout.count("\n") == 1, done.stderr
    found = json.loads(done.stdout)
    verdicts = {row["check"]: row["verdict"] for row in found["checks"]}
    assert {name for name, verdict in verdicts.items() if verdict == "fail"} == set()
    assert {
        "settings",
        "database",
        "migrations",
        "channel layer",
        "broker",
        "feed",
        "first book",
        "gamma",
        "clock",
    } <= ({name for name, verdict in verdicts.items() if verdict == "ok"})
    assert verdicts["keystore"] == "skipped"
    assert (found["ok"], done.returncode) == (True, 0)


def test_preflight_names_everything_that_is_wrong_with_a_way_out(tmp_path: Path) -> None:
    port = free_port()
    dead = f"127.0.0.1:{port}"
    place = Installation(
        tmp_path / "var",
        POLYWEB_RELAYER="real",
        POLYWEB_FUNDER="0x" + "00" * 20,
        POLYWEB_USER_URL=f"ws://{dead}/ws/user",
        POLYWEB_FEED_URL=f"ws://{dead}/ws",
        POLYWEB_GAMMA_URL=f"http://{dead}",
        POLYWEB_CLOB_URL=f"http://{dead}",
        POLYWEB_CHANNEL_LAYER="redis",
        POLYWEB_BROKER="redis",
        POLYWEB_REDIS_URL=f"redis://:secret@{dead}/0",
    )
    done = place.manage("preflight", "--json")
    found = json.loads(done.stdout)
    failed = {row["check"]: row["hint"] for row in found["checks"] if row["verdict"] == "fail"}
    assert set(failed) == {
        "settings polyweb.E012", "migrations", "channel layer", "broker", "feed", "gamma", "clock", "account"
    }  # fmt: skip
    assert all(failed.values())
    assert {row["check"]: row["verdict"] for row in found["checks"]}["first book"] == "skipped"
    assert (found["ok"], done.returncode) == (False, 1)
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_preflight_for_people_ends_with_its_verdict(place: Installation) -> None:
    place.env["POLYWEB_GAMMA_URL"] = f"http://127.0.0.1:{free_port()}"
    done = place.manage("preflight")
    assert done.returncode == 1
    assert "FAIL gamma" in done.stdout
    assert "Check POLYWEB_GAMMA_URL" in done.stdout
    assert done.stdout.endswith("NOT ready: 1 failed\n")
