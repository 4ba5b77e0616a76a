"""Caps as rows: every scope with its own target, what the gate gets of them, and who changed them."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from markets.domain import market as domain
from risk import selectors, services
from risk.domain.caps import CapKind, Level
from risk.domain.limits import Limits
from risk.models import Limit
from tests.control_builders import a_caller, a_market, an_event

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def test_every_level_takes_its_own_target_and_reaches_the_gate() -> None:
    market = a_market(1, event=an_event(77, category="Sports"))
    caller = a_caller("risk.change_limit")
    for body in (
        {"kind": "shares", "scope": "order_default", "value": "50"},
        {"kind": "shares", "scope": "outcome", "market": market.condition_id, "value": "60"},
        {"kind": "notional", "scope": "market", "market": market.condition_id, "value": "70"},
        {"kind": "open_orders", "scope": "event", "event": "77", "value": "8"},
        {"kind": "notional", "scope": "category", "name": "Sports", "value": "90"},
        {"kind": "shares", "scope": "strategy", "name": "spread", "value": "100"},
        {"kind": "loss", "scope": "wallet", "value": "110"},
        {"kind": "collar", "scope": "market", "market": market.condition_id, "value": "0.05"},
        {"kind": "cancel_rate", "scope": "total", "value": "12"},
        {"kind": "daily_loss", "scope": "total", "value": "13"},
        {"kind": "daily_loss", "scope": "market", "market": market.condition_id, "value": "14"},
        {"kind": "drawdown", "scope": "market_default", "value": "15"},
    ):
        assert caller.put(API + "limits/", body, format="json").status_code == 200, body
    limits = selectors.limits()
    known = domain.Market(market.condition_id, "77", "", "y", "n")
    rooms = limits.rooms(known, "spread")
    assert (rooms.order.shares, rooms.outcome.shares, rooms.market.notional) == (50_000_000, 60_000_000, 70_000_000)
    assert (rooms.event.orders, rooms.category.notional, rooms.strategy.shares) == (8, 90_000_000, 100_000_000)
    assert (rooms.wallet_loss, rooms.collar) == (110_000_000, 500)
    assert (limits.cancels_per_second, limits.daily_loss) == (12, 13_000_000)
    assert limits.losses_of(market.condition_id) == (14_000_000, None, 15_000_000)
    assert limits.losses_of("another") == (None, None, 15_000_000)


def test_categories_are_read_only_while_one_is_capped() -> None:
    a_market(1, event=an_event(77, category="Sports"))
    assert selectors.limits().categories == {}
    services.set_limit(kind="loss", scope="category_default", value=Decimal(5), author=None, source="api")
    assert selectors.limits().categories == {"77": "Sports"}
    assert selectors.limits().cap(CapKind.LOSS, Level.CATEGORY, "Sports") == 5_000_000


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ({"kind": "shares", "scope": "outcome"}, "__all__"),
        ({"kind": "shares", "scope": "category"}, "__all__"),
        ({"kind": "shares", "scope": "total", "name": "spread"}, "__all__"),
        ({"kind": "loss", "scope": "strategy", "name": "spread"}, "scope"),
        ({"kind": "wishes", "scope": "total"}, "kind"),
    ],
)
def test_a_scope_without_its_own_target_is_refused(target: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        services.set_limit(**target, value=Decimal(5), author=None, source="api")
    assert field in caught.value.message_dict
    assert not Limit.objects.exists()


def test_one_market_has_room_for_a_cap_of_each_of_its_levels() -> None:
    market = a_market(1)
    for scope in ("market", "outcome", "order"):
        services.set_limit(kind="shares", scope=scope, market=market, value=Decimal(5), author=None, source="api")
    assert Limit.objects.count() == 3
    services.set_limit(kind="shares", scope="order", market=market, value=None, author=None, source="api")
    assert Limit.objects.count() == 2


def test_the_history_of_caps_names_who_when_and_why() -> None:
    caller = a_caller("risk.change_limit", "markets.view_change")
    body = {"kind": "loss", "scope": "total", "value": "30", "reason": "quiet week"}
    assert caller.put(API + "limits/", body, format="json").status_code == 200
    told = caller.get(API + "limits/history/").json()["results"]
    assert [(one["author"], one["action"], one["after"], one["reason"]) for one in told] == [
        ("ana", "limit loss total", {"value": "30"}, "quiet week")
    ]


def test_without_rows_nothing_differs_from_the_defaults() -> None:
    assert selectors.limits() == Limits()
