"""The operators' commands: one JSON document for scripts, plain words for people, an exit code that means it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command, load_command_class
from django.utils import timezone
from prometheus_client import start_http_server

from execution.models import AllowanceReport, ReconcileReport
from execution.services import Beat, Shown, acquire_lease, beat, record_market_states
from markets.models import Market
from polyweb.devtools.machine import free_port
from polyweb.runtime.clerk import LEASE_TTL
from risk import services as risk
from risk.domain.stops import StopLevel, StopScope
from tests.execution_rows import LONG_AGO, fill_row, market_row, order_row

SUMMARY = {
    "trust": {"verified": 3, "suspect": 1, "broken": 0},
    "orders": {"placed": 9, "cancelled": 5, "rejected": 1},
    "feed": {"up": 1, "frames": 4200},
    "loop": {"lag_ms": 0.4},
}


def said(*words: str) -> tuple[int, str]:
    """Exit code and stdout."""
    out = StringIO()
    try:
        call_command(*words, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def told(*words: str) -> Any:
    return json.loads(said(*words, "--json")[1])


def engine_beats(state: str = "running") -> None:
    beat(Beat(1, state, "paper", False, LONG_AGO, 0, SUMMARY))


def shown(market: Market, state: str, reason: str) -> None:
    view = {"ours": [{}, {}], "position": {"net": "12", "pnl": "-0.25"}}
    record_market_states([Shown(market.condition_id, state, reason, "verified", view)])


# status


@pytest.mark.django_db
@pytest.mark.sqlite
def test_an_empty_installation_has_a_status() -> None:
    code, text = said("status")
    assert code == 0
    assert "no engine has run on this database" in text
    assert "stops       none" in text
    assert told("status")["engine"] == {"state": "never", "age_s": None}


@pytest.mark.django_db
def test_status_tells_what_is_quoted_and_why_the_rest_is_not() -> None:
    quoted, idle = market_row(), market_row("0x" + "d1" * 32, "3" * 77, "4" * 77)
    Market.objects.update(trading=True)
    engine_beats()
    shown(quoted, "quoting", "")
    shown(idle, "idle", "book is stale")
    found = told("status")
    assert [(row["state"], row["reason"]) for row in found["markets"]["top"]] == [
        ("quoting", ""), ("idle", "book is stale")
    ]  # fmt: skip
    assert (found["markets"]["trading"], found["markets"]["quoting"]) == (2, 1)
    text = said("status")[1]
    assert "markets     1 quoting of 2 trading, 0 only watched" in text
    assert "books       3 verified, 1 suspect, 0 broken" in text


@pytest.mark.django_db
def test_quotes_of_a_dead_engine_are_not_told_as_quotes() -> None:
    market = market_row()
    Market.objects.update(trading=True)
    beat(Beat(1, "running", "paper", False, LONG_AGO, 0, SUMMARY), now=LONG_AGO)
    shown(market, "quoting", "")
    found = told("status")
    assert found["engine"]["state"] == "silent"
    (row,) = found["markets"]["top"]
    assert (row["state"], row["reason"]) == ("idle", "the engine is silent")


@pytest.mark.django_db
def test_status_counts_orders_and_fills_from_the_rows() -> None:
    market = market_row()
    order_row(market, 1)
    order_row(market, 2, state="unknown")
    fill_row(order_row(market, 3, state="filled"))
    engine_beats()
    found = told("status")
    assert found["orders"] == {"open": 2, "unknown": 1, "placed": 9, "cancelled": 5, "rejected": 1}
    assert found["fills"] == 1


@pytest.mark.django_db
def test_status_names_stops_breakers_and_incidents() -> None:
    risk.stop(level=StopLevel.PAUSE, scope=StopScope.ALL, reason="lunch", author=None, source="cli")
    risk.report_breakers([risk.BreakerReport("feed_silence", "open", timezone.now(), "feed silent")])
    risk.open_incident(kind="journal", key="k", text="The disk is full.")
    text = said("status", "--verbose")[1]
    assert "stop        pause everything: lunch" in text
    assert "breaker     feed_silence open: feed silent" in text
    assert "The disk is full." in text
    found = told("status")
    assert [len(found[name]) for name in ("stops", "breakers", "incidents")] == [1, 1, 2]


@pytest.mark.django_db
def test_verbose_status_says_who_holds_the_lease_and_how_the_feed_does() -> None:
    acquire_lease(holder="here:1:2", ttl=LEASE_TTL)
    engine_beats()
    text = said("status", "--verbose")[1]
    assert "lease       here:1:2, token 1; 0 changes wait" in text
    assert "feed        frames 4200, up 1" in text


@pytest.mark.django_db
def test_top_bounds_the_list() -> None:
    market_row()
    market_row("0x" + "d1" * 32, "3" * 77, "4" * 77)
    Market.objects.update(watched=True)
    assert len(told("status", "--top", "1")["markets"]["top"]) == 1


@pytest.mark.parametrize("text", ["0", "-1", "many", "1001"])
def test_a_silly_number_of_rows_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=f"{text} is not between 1 and 1000"):
        call_command("status", f"--top={text}")


# health


@pytest.mark.django_db
@pytest.mark.sqlite
def test_health_is_ready_only_with_a_beating_engine() -> None:
    code, _ = said("health")
    assert code == 1
    engine_beats()
    assert said("health")[0] == 0
    assert told("health")["status"] == "ready"


@pytest.mark.django_db
def test_health_names_what_is_missing() -> None:
    engine_beats("stopped")
    code, text = said("health")
    assert code == 1
    assert "FAIL engine       stopped" in text
    assert text.endswith("not ready\n")
    assert told("health")["checks"]["engine"] == {"ok": False, "detail": "stopped"}


# reconcile, allowances


@pytest.mark.django_db
@pytest.mark.sqlite
def test_reconcile_says_that_the_venue_was_not_read_and_what_our_rows_say() -> None:
    code, text = said("reconcile")
    assert code == 0
    assert "venue      not applicable: the fake venue lives inside the engine" in text
    assert "own rows   no contradiction" in text
    assert told("reconcile")["available"] is False
    assert set(ReconcileReport.objects.values_list("source", flat=True)) == {"cli"}


@pytest.mark.django_db
def test_reconcile_fails_when_orders_are_open_and_nobody_is_there() -> None:
    order = order_row(market_row(), 7)
    type(order).objects.update(updated_at=LONG_AGO)
    code, text = said("reconcile")
    assert code == 1
    assert f"own rows   order 7 {order.order_id}: open here while no engine runs (is live, fake)" in text
    assert told("reconcile")["corrections"][0]["client_order_id"] == 7


@pytest.mark.django_db
@pytest.mark.sqlite
def test_allowances_lists_what_a_wallet_needs_and_claims_nothing() -> None:
    code, text = said("allowances")
    assert code == 0
    assert "not read: the fake relayer has no wallet on a chain" in text
    assert "pUSD -> CTFExchangeV2 (trade): unread, could not be read" in text
    found = told("allowances")
    assert (found["available"], found["missing"]) == (False, 0)
    assert len(found["rows"]) == 12
    assert AllowanceReport.objects.count() == 2


# metrics


@contextmanager
def metrics_at(port: int, monkeypatch: pytest.MonkeyPatch, host: str = "127.0.0.1") -> Iterator[None]:
    changed = settings.POLYWEB.model_copy(update={"metrics_port": port, "metrics_host": host})
    with monkeypatch.context() as patch:
        patch.setattr(settings, "POLYWEB", changed)
        yield


def test_metrics_prints_what_the_engines_port_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1")
    try:
        with metrics_at(port, monkeypatch, host="0.0.0.0"):
            code, text = said("metrics")
            samples = told("metrics")["samples"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert code == 0
    assert "# TYPE python_info gauge" in text
    assert "python_info" in {sample["name"] for sample in samples}


def test_metrics_that_are_off_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with metrics_at(0, monkeypatch), pytest.raises(CommandError, match="POLYWEB_METRICS_PORT is 0"):
        said("metrics")


def test_no_engine_to_ask_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with metrics_at(port, monkeypatch), pytest.raises(CommandError, match=f"nothing answers .* on 127.0.0.1:{port}"):
        said("metrics")


def test_a_stranger_on_the_port_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with metrics_at(server.server_port, monkeypatch), pytest.raises(CommandError, match="something else listens"):
            said("metrics")
        thread.join()


def test_something_that_does_not_speak_http_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    def greet(listener: socket.socket) -> None:
        link, _ = listener.accept()
        with link:
            link.recv(1_000)
            link.sendall(b"220 mail\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, args=[listener])
        thread.start()
        with metrics_at(listener.getsockname()[1], monkeypatch), pytest.raises(CommandError, match="nothing answers"):
            said("metrics")
        thread.join()


# All of them


@pytest.mark.parametrize(
    "command", ["run_engine", "status", "health", "preflight", "reconcile", "allowances", "metrics"]
)
def test_help_names_the_exit_code_and_the_units(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    load_command_class("polyweb", command).print_help("manage.py", command)
    text = " ".join(capsys.readouterr().out.split()).lower()
    assert "exit" in text
    assert any(unit in text for unit in ("second", "pusd", "(s)", "shares"))
