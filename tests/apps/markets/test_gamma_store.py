"""Gamma values into rows: upserts, sets, vanished markets, and what the engine hears about."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from markets import selectors, services
from markets.gamma import Page
from markets.models import Change, Event, Market, Outcome
from tests.control_builders import a_gamma_market, a_gamma_set

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def store(*documents: Any) -> dict[str, int]:
    return services.store_documents(documents).summary()


def test_a_market_is_stored_with_its_event_and_tokens_and_trading_off() -> None:
    assert store(a_gamma_market()) == {"events": 1, "markets": 1, "outcomes": 2, "skipped": 0, "errors": 0}
    market = Market.objects.get()
    assert (market.event and market.event.gamma_id, market.trading, market.watched) == ("77", False, False)
    assert list(market.outcomes.order_by("index").values_list("asset_id", flat=True)) == ["10", "11"]


def test_the_same_market_again_is_updated_and_keeps_its_switches() -> None:
    store(a_gamma_market())
    Market.objects.update(trading=True)

    assert store(a_gamma_market(question="Asked again?"), a_gamma_market())["markets"] == 1
    store(a_gamma_market(question="Asked again?"))

    market = Market.objects.get()
    assert (market.question, market.trading) == ("Asked again?", True)
    assert (Outcome.objects.count(), Event.objects.count()) == (2, 1)


def test_what_changes_in_a_subscribed_market_reaches_the_engine() -> None:
    store(a_gamma_market(1), a_gamma_market(2))
    Market.objects.filter(condition_id=f"0x{1:064x}").update(trading=True)

    store(a_gamma_market(1, volume24hr=99), a_gamma_market(2, orderPriceMinTickSize=0.01))
    assert not Change.objects.exists()

    store(a_gamma_market(1, orderPriceMinTickSize=0.01))
    change = Change.objects.get()
    assert (change.action, change.before, change.after) == (
        "market_changed",
        {"tick_size": "0.0010"},
        {"tick_size": "0.0100"},
    )


def test_a_subscribed_market_that_closes_reaches_the_engine() -> None:
    store(a_gamma_market())
    Market.objects.update(watched=True)
    store(a_gamma_market(closed=True))
    assert Change.objects.get().after == {"closed": "True"}


def test_new_rules_change_the_rule_hash() -> None:
    store(a_gamma_market())
    before = Market.objects.get().rule_hash
    store(a_gamma_market(description="Resolves by another almanac."))
    assert Market.objects.get().rule_hash != before


def test_a_set_is_complete_once_exactly_its_markets_are_stored() -> None:
    store(a_gamma_set(3))
    assert Event.objects.get().complete


def test_a_set_with_a_stored_market_the_listing_lacks_is_not_complete() -> None:
    store(a_gamma_set(4))
    store(a_gamma_set(3))
    assert not Event.objects.get().complete


@pytest.mark.parametrize("doubt", [{"closed": True}, {"groupItemTitle": "Other"}])
def test_a_later_doubt_ends_a_complete_set(doubt: dict[str, Any]) -> None:
    store(a_gamma_set(3))
    brief = [{"id": "77", "slug": "contest", "title": "Contest"}]
    store(a_gamma_market(1, negRisk=True, events=brief, **doubt))
    assert not Event.objects.get().complete


def test_a_market_that_repeats_what_is_known_keeps_the_set_complete() -> None:
    store(a_gamma_set(3))
    brief = [{"id": "77", "slug": "contest", "title": "Contest"}]
    store(a_gamma_market(1, negRisk=True, events=brief, groupItemTitle="Ada"))
    event = Event.objects.get()
    assert (event.complete, event.category) == (True, "Culture")


def test_a_market_that_names_its_event_leaves_the_conversion_fee() -> None:
    store(a_gamma_set(3, negRiskFeeBips=25))
    store(a_gamma_market(1, negRisk=True, questionID="0x" + "1" * 64, events=[{"id": "77", "title": "Contest"}]))
    found = selectors.to_domain(Market.objects.get(condition_id=f"0x{1:064x}"))
    assert (found.convert_fee_bps, found.question_id) == (25, "0x" + "1" * 64)


def test_a_token_never_moves_to_another_market() -> None:
    store(a_gamma_market(1))
    assert store(a_gamma_market(2, clobTokenIds='["10", "99"]'))["errors"] == 1
    assert Market.objects.count() == 1


def test_a_market_inside_an_event_page_does_not_overwrite_the_market_listing() -> None:
    services.store_page(Page("markets", 0, (a_gamma_market(1, clobRewards=[{"rewardsDailyRate": 5}]),)))
    services.store_page(Page("events", 0, (a_gamma_set(2),)))
    assert Market.objects.get(condition_id=f"0x{1:064x}").rewards_daily == 5
    assert Market.objects.count() == 2


def test_a_market_that_vanishes_is_marked_and_comes_back() -> None:
    store(a_gamma_market())
    Market.objects.update(trading=True)
    later = timezone.now() + timedelta(seconds=1)

    assert services.mark_vanished(not_seen_since=later, now=later) == 1
    market = Market.objects.get()
    assert market.vanished_at == later
    assert Change.objects.get().action == "market_vanished"

    store(a_gamma_market())
    assert Market.objects.get().vanished_at is None


def test_a_bad_document_is_counted_and_the_rest_is_stored() -> None:
    summary = store(ValueError("line 3"), a_gamma_market(1), a_gamma_market(2, conditionId="0x"))
    assert (summary["markets"], summary["errors"]) == (1, 2)
