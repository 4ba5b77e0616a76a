"""Snapshots, reports, retention."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from execution import models, selectors, services, tasks
from execution.domain.reconcile import Correction, CorrectionKind
from tests.execution_builders import CONDITION
from tests.execution_rows import LONG_AGO, audit_row, event_row, fill_row, market_row, order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

HELD = services.Holding(CONDITION, 5_000_000, 0, 2_500_000, 0, 1_000_000, -250_000, 10, 4_500)


def test_a_position_is_one_row_per_market_with_exact_decimals() -> None:
    market_row()
    assert services.record_positions([services.Holding(CONDITION, 1, 0, 0, 0, 0, 0, 0, None)]) == 1
    assert services.record_positions([HELD]) == 1
    row = models.PositionSnapshot.objects.get()
    assert (row.yes, row.unrealised, row.mark) == (Decimal(5), Decimal("-0.25"), Decimal("0.45"))


def test_positions_of_markets_that_are_not_stored_are_left_out() -> None:
    assert services.record_positions([HELD]) == 0


def test_totals_add_up() -> None:
    market_row()
    services.record_positions([HELD])
    assert selectors.totals() == selectors.Totals(Decimal("0.74999"), Decimal(1), Decimal("-0.25"), Decimal("0.00001"))


def test_totals_of_nothing_are_zero() -> None:
    assert selectors.totals().pnl == 0


def test_flat_positions_can_be_left_out() -> None:
    market_row()
    services.record_positions([services.Holding(CONDITION, 0, 0, 0, 0, 0, 0, 0, None)])
    assert selectors.positions().count() == 1
    assert selectors.positions(held=True).count() == 0


def test_the_shown_state_of_a_market_is_overwritten() -> None:
    market_row()
    services.record_market_states([services.Shown(CONDITION, "idle", "book one-sided", "suspect", {})])
    services.record_market_states([services.Shown(CONDITION, "quoting", "", "verified", {"bid": "0.5"})])
    row = models.MarketState.objects.get()
    assert (row.state, row.reason, row.view) == ("quoting", "", {"bid": "0.5"})


def test_the_pnl_series_is_oldest_first_and_thinned_but_ends_now() -> None:
    now = timezone.now()
    for minute in range(10):
        point = services.ProfitPoint(None, minute * 1_000_000)
        services.record_pnl_points([point], at=now - timedelta(minutes=10 - minute))
    series = selectors.pnl_series(since=now - timedelta(hours=1), points=4)
    assert [int(pnl) for _, pnl, _ in series] == [0, 3, 6, 9]


def test_the_account_and_its_markets_are_different_series() -> None:
    market = market_row()
    points = [services.ProfitPoint(None, 5), services.ProfitPoint(CONDITION, 7, 1), services.ProfitPoint("0x0", 1)]
    assert services.record_pnl_points(points, at=timezone.now()) == 2
    since = timezone.now() - timedelta(minutes=1)
    assert [pnl for _, pnl, _ in selectors.pnl_series(market=market, since=since)] == [Decimal("0.000007")]


def test_a_reconcile_report_keeps_each_correction_with_its_reason() -> None:
    correction = Correction(CorrectionKind.NOT_LISTED, 7, "0xab", "is live here")
    report = services.reconcile(source="start", relayer="paper", corrections=[correction])
    (row,) = report.corrections.all()
    assert (row.kind, row.client_order_id) == ("ours, but the venue does not list it", 7)
    assert (row.subject, row.detail) == ("0xab", "is live here")
    assert selectors.latest_reconcile() == report


def test_an_unavailable_venue_is_a_report_without_conclusions() -> None:
    report = services.reconcile(source="task", relayer="paper", corrections=(), available=False)
    assert (report.available, report.corrections.count()) == (False, 0)


def test_old_reports_go_with_their_corrections() -> None:
    correction = Correction(CorrectionKind.FOREIGN, 0, "0xab", "rests there")
    services.reconcile(source="task", relayer="real", corrections=[correction])
    models.ReconcileReport.objects.update(at=LONG_AGO)
    services.reconcile(source="task", relayer="real", corrections=[correction])
    pruned = services.prune()
    assert (pruned["reconcile_corrections"], pruned["reconcile_reports"]) == (1, 1)
    assert models.ReconcileCorrection.objects.count() == 1


def test_orders_of_a_process_that_is_gone_are_closed_with_an_event() -> None:
    market = market_row()
    paper = order_row(market, 1, relayer="paper")
    order_row(market, 2, relayer="real")
    order_row(market, 3, relayer="paper", state="filled")
    rehearsed = order_row(market, 4, relayer="real", dry_run=True, state="submitting")
    assert services.abandon_orders(relayers=("fake", "paper"), reason="engine restarted") == 2
    assert set(models.Order.objects.filter(state="cancelled")) == {paper, rehearsed}
    assert {event.before for event in models.OrderEvent.objects.all()} == {"live", "submitting"}


def test_retention_deletes_ended_orders_without_trades_and_keeps_the_books() -> None:
    market = market_row()
    for number, state in enumerate(("cancelled", "cancelled", "live", "rejected"), start=1):
        event_row(order_row(market, number, state=state))
    fill_row(models.Order.objects.get(client_order_id=2))
    models.Order.objects.update(updated_at=LONG_AGO)
    models.Plan.objects.update(created_at=LONG_AGO)
    audit_row(models.Plan.objects.get(plan_id="plan-1"))
    pruned = services.prune()
    assert (pruned["audits"], pruned["orders"], pruned["order_events"], pruned["plans"]) == (1, 1, 1, 1)
    # 2 has traded, 3 lives, 4 is the newest: its client order id must never be given out again.
    assert sorted(models.Order.objects.values_list("client_order_id", flat=True)) == [2, 3, 4]


def test_retention_keeps_what_is_young() -> None:
    market = market_row()
    order_row(market, 1, state="cancelled")
    order_row(market, 2, state="cancelled")
    services.record_pnl_points([services.ProfitPoint(None, 1)], at=timezone.now())
    assert set(services.prune().values()) == {0}


def test_the_retention_task_is_scheduled_and_says_what_it_deleted() -> None:
    assert PeriodicTask.objects.filter(task="execution.tasks.prune", enabled=True).count() == 1
    assert tasks.prune(orders_days=1)["orders"] == 0


def test_a_retention_of_less_than_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="less than a day"):
        tasks.prune(audits_days=0)


def test_an_account_is_opened_once_and_keeps_its_first_cash() -> None:
    first = services.open_account(relayer="real", wallet="0xA", venue="http://x", cash=5_000_000)
    again = services.open_account(relayer="real", wallet="0xA", venue="http://x", cash=7_000_000)
    assert (first.cash, again) == (5_000_000, first)
    other = services.open_account(relayer="real", wallet="0xA", venue="http://y", cash=7_000_000)
    assert other.cash == 7_000_000
