"""Rules that change stop quoting, are kept, and wait for an operator."""

from typing import Any

import pytest

from markets import selectors, services
from markets.gamma import Page
from markets.models import Change, Market, RuleRevision
from markets.services import RulesMoved
from polyweb.operations.rule_review import review
from risk.models import Incident
from tests.control_builders import a_caller, a_gamma_market, a_gamma_set, a_market, a_user, an_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

NEW_RULES: dict[str, Any] = {"description": "Resolves by another almanac."}


def store(*documents: Any) -> None:
    services.store_documents(documents)


def a_followed_market(**changes: Any) -> Market:
    store(a_gamma_market(**changes))
    Market.objects.update(trading=True)
    store(a_gamma_market(**changes))
    return Market.objects.get()


def a_changed_market() -> Market:
    a_followed_market()
    store(a_gamma_market(**NEW_RULES))
    return Market.objects.get()


def test_the_first_sight_of_rules_is_no_change() -> None:
    market = a_followed_market()
    assert (market.rules_pending, selectors.to_domain(market).blocked) == (False, "")
    revision = RuleRevision.objects.get()
    assert (revision.previous, revision.rule_hash) == ("", market.rule_hash)
    assert revision.text["description"] == "Resolves by the almanac."


def test_a_change_of_rules_stops_quoting_and_keeps_the_new_text() -> None:
    before = a_followed_market().rule_hash
    store(a_gamma_market(**NEW_RULES))
    market = Market.objects.get()
    seen = selectors.to_domain(market)
    assert (seen.blocked, seen.accepting_orders) == ("rules changed: waiting for approval", False)
    newest = selectors.rule_revisions(market)[0]
    assert (newest.previous, newest.rule_hash) == (before, market.rule_hash)
    assert newest.text["description"] == NEW_RULES["description"]


def test_a_change_of_rules_reaches_the_engine() -> None:
    a_changed_market()
    change = Change.objects.get()
    assert change.action == "market_changed"
    assert set(change.after or {}) == {"rule_hash", "rules_pending"}


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "Asked again?"},
        {"resolutionSource": "https://example.org"},
        {"outcomes": '["Yes", "Never"]'},
        {"groupItemTitle": "Ada"},
        {"endDate": "2027-02-01T12:00:00Z"},
        {"negRisk": True},
        {"negRiskOther": True},
    ],
)
def test_everything_that_decides_a_resolution_counts_as_rules(changes: dict[str, Any]) -> None:
    a_followed_market()
    store(a_gamma_market(**changes))
    assert Market.objects.get().rules_pending


@pytest.mark.parametrize(
    "changes", [{"description": "Resolves by the almanac.  \r\n"}, {"volume24hr": 9}, {"orderMinSize": 15}]
)
def test_what_trading_moves_and_how_lines_end_are_no_rules(changes: dict[str, Any]) -> None:
    a_followed_market()
    store(a_gamma_market(**changes))
    assert not Market.objects.get().rules_pending


def test_an_event_listing_that_says_less_than_the_market_listing_changes_no_rules() -> None:
    services.store_page(Page("events", 0, (a_gamma_set(2),)))
    Market.objects.update(trading=True)
    services.store_page(Page("markets", 0, (a_gamma_market(1, **NEW_RULES),)))
    assert not Market.objects.filter(rules_pending=True).exists()


def test_changed_rules_stay_pending_whatever_is_listed_later() -> None:
    a_changed_market()
    store(a_gamma_market())
    assert Market.objects.get().rules_pending
    assert RuleRevision.objects.count() == 3


def test_an_approval_lets_the_market_trade_again_and_is_journaled() -> None:
    market = a_changed_market()
    services.approve_rules(market=market, author=a_user(), source="page", reason="a typing error was mended")
    market.refresh_from_db()
    assert selectors.to_domain(market).accepting_orders
    change = Change.objects.get(action="rules_approved")
    assert (change.subject, change.reason) == (market.condition_id, "a typing error was mended")


def test_an_approval_of_rules_that_changed_again_is_refused() -> None:
    read = a_changed_market().rule_hash
    store(a_gamma_market(description="And once more."))
    with pytest.raises(RulesMoved, match="changed again"):
        services.approve_rules(market=Market.objects.get(), author=None, source="api", reason="fine", rule_hash=read)
    assert Market.objects.get().rules_pending


def test_nothing_to_approve_is_said() -> None:
    with pytest.raises(RulesMoved, match="no change"):
        services.approve_rules(market=a_followed_market(), author=None, source="api", reason="fine")


def test_changed_rules_open_one_incident_that_closes_with_the_approval() -> None:
    market = a_changed_market()
    assert (review().opened, review().opened) == (1, 0)
    incident = Incident.objects.get()
    assert (incident.kind, incident.market, incident.closed_at) == ("rules_changed", market, None)
    assert incident.text.startswith("Rule text changed: Will it be 1?")

    services.approve_rules(market=market, author=None, source="api", reason="fine")
    assert review().closed == 1
    incident.refresh_from_db()
    assert incident.closed_at is not None


def test_nobody_is_called_for_a_market_nobody_follows() -> None:
    store(a_gamma_market())
    store(a_gamma_market(**NEW_RULES))
    assert Market.objects.get().rules_pending
    assert review().waiting == 0


# What else stands against a market --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"umaResolutionStatus": "proposed"}, "resolution proposed"),
        ({"umaResolutionStatus": "disputed"}, "resolution disputed"),
        ({"resolutionStatus": "resolved"}, "resolution resolved"),
        ({"resolutionStatus": "never heard of"}, "resolution never heard of"),
        ({"resolutionStatus": "active"}, ""),
        ({"negRiskOther": True}, "catch-all or placeholder outcome"),
        ({"feesEnabled": True}, "fee schedule unknown"),
        ({"feesEnabled": True, "feeSchedule": {"exponent": 1}}, "fee schedule unknown"),
        ({"feesEnabled": True, "feeSchedule": {"rate": 0.05, "takerOnly": False}}, "fee schedule unknown"),
        ({"feesEnabled": True, "feeSchedule": {"rate": 0.05, "takerOnly": True}}, ""),
        ({"feesEnabled": False}, ""),
    ],
)
def test_a_market_says_what_blocks_it(changes: dict[str, Any], reason: str) -> None:
    store(a_gamma_market(**changes))
    market = selectors.to_domain(Market.objects.get())
    assert (market.blocked, market.accepting_orders) == (reason, not reason)


def test_a_fee_schedule_that_becomes_known_is_journaled_and_unblocks() -> None:
    market = a_followed_market(feesEnabled=True)
    store(a_gamma_market(feesEnabled=True, feeSchedule={"rate": 0.05, "takerOnly": True}))
    market.refresh_from_db()
    assert selectors.blocked_by(market) == ""
    assert set(Change.objects.get().after or {}) == {"fees_known", "fee_rate"}


def test_a_catch_all_trades_only_by_permission() -> None:
    market = a_market(other=True)
    ids = [market.condition_id]
    assert services.set_trading(condition_ids=ids, on=True, author=None, source="api") == 0
    assert services.allow_other(market=market, on=True, author=None, source="api", reason="the set is closed")
    assert not services.allow_other(market=market, on=True, author=None, source="api", reason="again")
    assert services.set_trading(condition_ids=ids, on=True, author=None, source="api") == 1
    market.refresh_from_db()
    seen = selectors.to_domain(market)
    assert (seen.other, seen.blocked) == (False, "")
    assert Change.objects.get(action="allow_other_on").reason == "the set is closed"


def test_a_catch_all_is_not_allowed_without_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        services.allow_other(market=a_market(other=True), on=True, author=None, source="api", reason=" ")


# REST and admin ---------------------------------------------------------------------------------------------

VIEW, CHANGE = "markets.view_market", "markets.change_market"


def address(market: Market, verb: str) -> str:
    return f"/api/v1/markets/{market.condition_id}/{verb}/"


def test_rules_are_read_and_approved_over_rest() -> None:
    market = a_changed_market()
    caller = a_caller(VIEW, CHANGE)
    shown = caller.get(address(market, "rules")).json()
    assert [bool(revision["previous"]) for revision in shown] == [True, False]

    stale = caller.post(address(market, "approve-rules"), {"reason": "x", "rule_hash": "0" * 64}, format="json")
    assert stale.status_code == 400
    approval = {"reason": "read", "rule_hash": shown[0]["rule_hash"]}
    done = caller.post(address(market, "approve-rules"), approval, format="json")
    assert (done.status_code, done.json()["rules_pending"], done.json()["blocked"]) == (200, False, "")


def test_an_approval_needs_the_permission() -> None:
    market = a_changed_market()
    assert a_caller(VIEW).post(address(market, "approve-rules"), {"reason": "x"}, format="json").status_code == 403


def test_an_approval_needs_a_reason() -> None:
    market = a_changed_market()
    caller = a_caller(VIEW, CHANGE)
    assert caller.post(address(market, "approve-rules"), {"reason": ""}, format="json").status_code == 400


def test_a_catch_all_is_allowed_over_rest() -> None:
    market = a_market(other=True)
    body = {"allow": True, "reason": "the set is closed"}
    answer = a_caller(VIEW, CHANGE).post(address(market, "allow-other"), body, format="json")
    assert (answer.status_code, answer.json()["allow_other"]) == (200, True)


def test_the_admin_approves_what_it_has_shown() -> None:
    market = a_changed_market()
    action = {"action": "approve_rules", "_selected_action": [market.pk]}
    admin = an_administrator()
    admin.post("/admin/markets/market/", action)
    assert Market.objects.get().rules_pending

    admin.post("/admin/markets/market/", action | {"reason": "read and fine"})
    assert not Market.objects.get().rules_pending
    change = Change.objects.get(action="rules_approved")
    assert (change.author and change.author.username, change.source) == ("root", "admin")


def test_the_admin_allows_a_catch_all_and_forbids_it_again() -> None:
    market = a_market(other=True)
    admin = an_administrator()
    for action, allowed in (("allow_other", True), ("forbid_other", False)):
        body = {"action": action, "_selected_action": [market.pk], "reason": "the set is closed"}
        admin.post("/admin/markets/market/", body)
        market.refresh_from_db()
        assert market.allow_other is allowed
