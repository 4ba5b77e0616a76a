"""The sandbox's listing has the venue's shapes: the official client reads it, every field has its type."""

import json
from typing import Any

import pytest
from polymarket.models.gamma.event import Event
from polymarket.models.gamma.market import Market

from execution.sandbox.gamma import BadQuery, Catalogue, keyset_page
from execution.sandbox.generator import Generator
from execution.sandbox.listing import Generation, build_listing

START_MS = 1_795_305_600_000


def a_catalogue(markets: int = 14) -> Catalogue:
    return Catalogue(Generator(seed=7, markets=markets, start_ms=START_MS), START_MS)


def documents(markets: int = 14) -> list[dict[str, Any]]:
    return json.loads(json.dumps(a_catalogue(markets).markets()))  # type: ignore[no-any-return]  # JSON is a list here


def test_the_official_client_reads_every_market_and_event() -> None:
    catalogue = a_catalogue(24)
    for market in catalogue.markets():
        Market.model_validate(market)
    for event in catalogue.events():
        Event.model_validate(event)


def test_a_restarted_sandbox_tells_the_same_rules() -> None:
    """Their hash decides whether a market is quoted: a demo started again must not ask for a review of everything."""
    names = ("question", "description", "resolutionSource", "groupItemTitle", "endDate", "outcomes", "negRiskOther")
    later = START_MS + 3_600_000
    again = Catalogue(Generator(seed=7, markets=14, start_ms=later), later)
    told = [[[market.get(name) for name in names] for market in each.markets()] for each in (a_catalogue(), again)]
    assert told[0] == told[1]


def test_v1_ids_are_a_string_and_v2_ids_an_array() -> None:
    by_version = {market["version"]: market for market in documents()}
    v1, v2 = by_version["v1"], by_version["v2"]
    assert [len(token_id) for token_id in json.loads(v1["clobTokenIds"])] == [77, 77]
    assert "positionIds" not in v1
    assert v2["clobTokenIds"] is None
    yes, no = (int(position) for position in v2["positionIds"])
    assert no == yes + 1
    assert (yes >> 40) & (2**64 - 1) == 0
    assert int(v2["conditionId"], 16) == yes >> 8


def test_no_two_markets_share_an_id_a_slug_or_a_token() -> None:
    markets = [market for event in build_listing(7, 250) for market in event.markets]
    assert len({market.condition_id for market in markets}) == len(markets)
    assert len({market.slug for market in markets}) == len(markets)
    assert len({asset_id for market in markets for asset_id in market.asset_ids}) == 2 * len(markets)


@pytest.mark.parametrize("markets", [1, 2, 3, 4, 5, 12, 100])
def test_exactly_so_many_markets_are_open(markets: int) -> None:
    assert sum(len(event.open_markets) for event in build_listing(3, markets)) == markets


def test_twelve_markets_hold_every_kind() -> None:
    events = build_listing(7, 12)
    markets = [market for event in events for market in event.markets]
    assert {market.generation for market in markets} == set(Generation)
    assert {market.tick for market in markets} == {10, 100}
    complete = next(event for event in events if event.neg_risk and not event.augmented)
    assert len(complete.open_markets) == 4
    augmented = next(event for event in events if event.augmented)
    assert [market.group_title for market in augmented.markets if market.is_other] == ["Other"]
    assert [market.group_title for market in augmented.markets if not market.is_open] == ["Person A"]


def test_a_neg_risk_question_carries_its_index_in_the_last_byte() -> None:
    event = next(event for event in build_listing(7, 12) if event.neg_risk)
    assert [int(market.question_id[-2:], 16) for market in event.markets] == [0, 1, 2, 3]
    assert event.neg_risk_id == event.markets[0].question_id[:-2] + "00"


def test_a_page_never_holds_more_than_a_hundred() -> None:
    page = keyset_page("markets", a_catalogue(250).markets(), {"limit": ["500"]})
    assert isinstance(page["markets"], list)
    assert len(page["markets"]) == 100


def test_filters_by_id_and_token() -> None:
    all_markets = a_catalogue().markets()
    wanted = all_markets[2]
    both = {"version": ["v1", "v2"]}
    token = json.loads(str(wanted["clobTokenIds"]))[1]
    assert keyset_page("markets", all_markets, both | {"clob_token_ids": [token]})["markets"] == [wanted]
    assert keyset_page("markets", all_markets, both | {"id": [str(wanted["id"])]})["markets"] == [wanted]
    assert keyset_page("markets", all_markets, both | {"closed": ["true"]})["markets"] == []


def test_a_foreign_cursor_is_refused() -> None:
    with pytest.raises(BadQuery):
        keyset_page("markets", [], {"after_cursor": ["bm90anNvbg=="]})
