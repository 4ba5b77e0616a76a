"""Admin of parameters: the list is the editor, so is the market page, and a refusal stands at its field."""

from typing import Any

import pytest
from django.urls import reverse

from markets.models import Change
from strategies import selectors
from strategies.domain.arb_params import SWITCHES
from strategies.domain.params import BY_NAME
from strategies.models import ArbSettings, ParamRevision, StrategyConfig
from tests.control_builders import a_market, an_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "admin:strategies_strategyconfig_changelist"


def listed(**values: str) -> dict[str, Any]:
    """What the list's form posts: every row, here with `values` in the market's."""
    rows = list(StrategyConfig.objects.order_by("market__question", "pk"))
    data: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": len(rows), "_save": "Save"}
    for index, row in enumerate(rows):
        data[f"form-{index}-id"] = row.pk
        for name in BY_NAME:
            value = values.get(name) if row.market_id else None
            data[f"form-{index}-{name}"] = value or ""
    return data


def test_a_subscribed_market_is_edited_in_the_list() -> None:
    market, client = a_market(trading=True), an_administrator()
    html = client.get(reverse(LIST)).content.decode()
    assert "Will it be 1?" in html
    assert 'placeholder="0.01"' in html

    answer = client.post(reverse(LIST), listed(half_spread="0.03"))

    assert answer.status_code == 302
    assert selectors.resolved([market])[market.condition_id].half_spread == 300
    revision = ParamRevision.objects.get()
    assert (revision.reason, revision.author and revision.author.username) == ("admin list edit", "root")
    assert Change.objects.get().source == "admin"


def test_a_value_out_of_bounds_is_refused_at_its_field() -> None:
    a_market(trading=True)
    client = an_administrator()
    client.get(reverse(LIST))
    answer = client.post(reverse(LIST), listed(half_spread="0.9"))
    assert answer.status_code == 200
    assert "half_spread: 0.9 is outside 0.0001..0.4" in answer.content.decode()
    assert not ParamRevision.objects.exists()


def inline(**values: str) -> dict[str, Any]:
    return {
        "strategy_config-TOTAL_FORMS": 1,
        "strategy_config-INITIAL_FORMS": StrategyConfig.objects.filter(scope="market").count(),
        "outcomes-TOTAL_FORMS": 0,
        "outcomes-INITIAL_FORMS": 0,
        **{f"strategy_config-0-{name}": values.get(name, "") for name in BY_NAME},
    }


def test_parameters_and_switches_are_edited_on_the_market_page() -> None:
    market, client = a_market(), an_administrator()
    address = reverse("admin:markets_market_change", args=[market.pk])
    page = client.get(address).content.decode()
    assert "parameters of this market" in page
    assert " style=" not in page

    client.post(address, {"trading": "on", **inline(size="33")})
    market.refresh_from_db()
    assert market.trading
    assert selectors.resolved([market])[market.condition_id].size == 33_000_000

    config = StrategyConfig.objects.get(market=market)
    again = inline(size="34") | {"strategy_config-0-id": config.pk, "strategy_config-0-market": market.pk}
    client.post(address, {"trading": "on", **again})
    assert [row.values for row in ParamRevision.objects.order_by("number")] == [{"size": "33"}, {"size": "34"}]


def test_a_scope_is_added_with_its_target_and_refused_without() -> None:
    market, client = a_market(), an_administrator()
    address = reverse("admin:strategies_strategyconfig_add")
    refused = client.post(address, {"scope": "market", "size": "30"})
    assert "exactly its own target" in refused.content.decode()
    client.post(address, {"scope": "market", "market": market.pk, "size": "30"})
    assert selectors.resolved([market])[market.condition_id].size == 30_000_000


def test_the_dutch_book_is_switched_in_the_admin() -> None:
    address = reverse("admin:strategies_arbsettings_change", args=[1])
    values = selectors.arb_values(ArbSettings.objects.get())
    row = {name: value for name, value in values.items() if name not in SWITCHES}
    an_administrator().post(address, {**row, "enabled": "on", "min_edge": "0.02"})
    assert selectors.arb_params().enabled
    assert Change.objects.get().action == "arb"
