"""Admin of markets: switches through actions and the page; journals that nobody edits."""

import pytest
from django.urls import reverse

from markets import services
from markets.models import Change, Market
from tests.control_builders import a_market, an_administrator, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "admin:markets_market_changelist"
LISTS = [
    "markets_event", "markets_market", "markets_outcome", "markets_recording", "markets_change",
    "markets_changecounter", "strategies_strategyconfig", "strategies_paramrevision", "strategies_arbsettings",
    "risk_limit", "risk_stop", "risk_breaker", "risk_refusal", "risk_incident",
]  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens_without_inline_script_or_style(name: str) -> None:
    a_market(event=an_event(), trading=True)
    services.record_change(author=None, source="cli", action="test", subject="x")
    answer = an_administrator().get(reverse(f"admin:{name}_changelist"))
    assert answer.status_code == 200
    html = answer.content.decode()
    assert " style=" not in html
    assert "<script>" not in html
    assert " onclick=" not in html


@pytest.mark.parametrize(
    ("action", "field", "on"),
    [
        ("switch_trading_on", "trading", True),
        ("switch_trading_off", "trading", False),
        ("watch", "watched", True),
        ("unwatch", "watched", False),
    ],
)
def test_an_action_throws_the_switch_for_the_selection(action: str, field: str, on: bool) -> None:
    one, two = a_market(1, trading=not on, watched=not on), a_market(2, trading=not on, watched=not on)
    an_administrator().post(reverse(LIST), {"action": action, "_selected_action": [one.pk], "reason": "by hand"})
    one.refresh_from_db()
    two.refresh_from_db()
    assert (getattr(one, field), getattr(two, field)) == (on, not on)
    change = Change.objects.get()
    assert (change.source, change.reason, change.author and change.author.username) == ("admin", "by hand", "root")


def test_an_action_covers_everything_a_filter_selects() -> None:
    for number in range(1, 4):
        a_market(number, neg_risk=number > 1)
    other = Market.objects.get(neg_risk=False)
    an_administrator().post(
        reverse(LIST) + "?neg_risk__exact=1",
        {"action": "switch_trading_on", "_selected_action": [other.pk], "select_across": "1"},
    )
    assert set(Market.objects.filter(trading=True).values_list("neg_risk", flat=True)) == {True}


def test_a_search_finds_the_event_title() -> None:
    a_market(1, event=an_event(title="Almanac"))
    a_market(2)
    html = an_administrator().get(reverse(LIST) + "?q=almanac").content.decode()
    assert "Will it be 1?" in html
    assert "Will it be 2?" not in html


def test_metadata_and_journal_are_read_only() -> None:
    services.record_change(author=None, source="cli", action="test", subject="x")
    market, change = a_market(), Change.objects.get()
    client = an_administrator()
    assert client.get(reverse("admin:markets_change_delete", args=[change.pk])).status_code == 403
    assert client.get(reverse("admin:markets_change_add")).status_code == 403
    client.post(reverse("admin:markets_market_change", args=[market.pk]), {"question": "Mine?"})
    market.refresh_from_db()
    assert market.question == "Will it be 1?"
