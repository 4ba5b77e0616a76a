"""The admin pages of what we did: everything can be looked at, nothing changed."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from execution import chain_store, services
from execution.domain.chain import ChainVerb, chain_work
from execution.domain.postings import transfer
from execution.domain.reconcile import Correction, CorrectionKind
from execution.journal import Terms
from execution.models import Order
from strategies.domain.intents import ChainStep
from tests.execution_builders import CONDITION, MARKET, NOW
from tests.execution_rows import audit_row, event_row, fill_row, market_row, order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

NAMES = sorted(model._meta.model_name or "" for model in apps.get_app_config("execution").get_models())


def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def everything() -> Order:
    order = order_row(market_row(), 1)
    event_row(order)
    fill_row(order)
    audit_row(order.plan)
    services.record_postings(relayer="fake", postings=[transfer("opening", 7, 1, "paid in")])
    services.acquire_lease(holder="a", ttl=timedelta(seconds=5))
    services.beat(services.Beat(1, "quoting", "paper", False, timezone.now(), 5, {}))
    services.record_positions([services.Holding(CONDITION, 5_000_000, 0, 0, 0, 0, 0, 0, None)])
    services.record_pnl_points([services.ProfitPoint(None, 1)], at=timezone.now())
    services.record_market_states([services.Shown(CONDITION, "quoting", "", "verified", {})])
    services.open_account(relayer="real", wallet="0x0", venue="http://127.0.0.1", cash=1)
    found = Correction(CorrectionKind.FOREIGN, 0, "0xab", "rests there")
    services.reconcile(source="cli", relayer="paper", corrections=[found])
    services.record_allowances(wallet="0x0", available=True, rows=[], missing=0)
    step = ChainStep(ChainVerb.SPLIT, (CONDITION,), 10_000_000)
    chain_store.plan(chain_work("plan", 0, step, MARKET.event_id, [MARKET], 0, NOW), Terms("real", False, 1), NOW)
    return order


@pytest.mark.parametrize("name", NAMES)
def test_every_table_has_a_list_and_a_page_and_no_way_to_change_it(name: str) -> None:
    everything()
    client = operator()
    listing = reverse(f"admin:execution_{name}_changelist")
    assert client.get(listing).status_code == 200
    row = apps.get_model("execution", name).objects.order_by("pk")[0]
    page = reverse(f"admin:execution_{name}_change", args=[row.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {}).status_code == 403
    assert client.get(reverse(f"admin:execution_{name}_add")).status_code == 403
    assert client.post(reverse(f"admin:execution_{name}_delete", args=[row.pk])).status_code == 403


def test_an_order_page_shows_its_steps_fills_and_requests() -> None:
    order = everything()
    page = operator().get(reverse("admin:execution_order_change", args=[order.pk])).content.decode()
    assert "submitting" in page
    assert "t-1" in page
    assert "1 accepted" in page


@pytest.mark.parametrize("query", ["life=live", "life=ended", "q=1", "q=0x", "state__exact=live"])
def test_orders_can_be_filtered_and_searched(query: str) -> None:
    everything()
    assert operator().get(f"{reverse('admin:execution_order_changelist')}?{query}").status_code == 200


def test_staff_without_the_permission_do_not_get_in() -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(reverse("admin:execution_order_changelist")).status_code == 403
