"""Gamma JSON into values: ids by version, odd types, complete sets, and clear errors."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from markets.domain.market import Generation
from markets.gamma import Collected, GammaError, NotBinary, collect, parse_market
from tests.control_builders import a_gamma_market, a_gamma_set


def collected(document: Any) -> Collected:
    found = Collected()
    collect(document, found)
    return found


def test_a_v1_market_trades_its_clob_tokens_even_when_it_has_position_ids() -> None:
    market = parse_market(a_gamma_market(positionIds=["8", "9"]))
    assert (market.generation, [item.asset_id for item in market.outcomes]) == (Generation.V1, ["10", "11"])


def test_a_v2_market_trades_its_positions_and_its_condition_is_padded() -> None:
    raw = a_gamma_market(version="v2", conditionId="0x" + "ab" * 31, clobTokenIds=None, positionIds=["8", "9"])
    market = parse_market(raw)
    assert [item.asset_id for item in market.outcomes] == ["8", "9"]
    assert market.condition_id == "0x" + "ab" * 31 + "00"


@pytest.mark.parametrize("version", [None, "", "v3"])
def test_a_missing_or_new_version_is_unknown(version: str | None) -> None:
    assert parse_market(a_gamma_market(version=version)).generation is Generation.UNKNOWN


def test_numbers_get_the_units_of_the_database() -> None:
    market = parse_market(a_gamma_market(clobRewards=[{"rewardsDailyRate": 50}, {"rewardsDailyRate": "1.5"}]))
    assert market.tick_size == Decimal("0.001")
    assert market.volume_24h == Decimal("12.345679")
    assert market.rewards_max_spread == Decimal("0.035")
    assert market.rewards_daily == Decimal("51.5")
    assert market.outcomes[0].price == Decimal("0.52")
    assert market.end_date == datetime(2027, 1, 31, 12, tzinfo=UTC)


def test_absent_and_null_fields_are_tolerated() -> None:
    kept = {"id", "conditionId", "outcomes"}
    raw = {name: value if name in kept else None for name, value in a_gamma_market().items()}
    market = parse_market(raw)
    assert not market.outcomes
    assert not market.accepting_orders
    assert market.min_size == 5


def test_a_sports_time_without_minutes_in_its_zone_is_read() -> None:
    market = parse_market(a_gamma_market(gameStartTime="2025-08-18 19:00:00+00"))
    assert market.game_start == datetime(2025, 8, 18, 19, tzinfo=UTC)


def test_fees_count_only_while_they_are_enabled() -> None:
    schedule = {"rate": 0.05, "exponent": 1, "takerOnly": True, "rebateRate": 0.25}
    on = parse_market(a_gamma_market(feesEnabled=True, feeSchedule=schedule))
    off = parse_market(a_gamma_market(feesEnabled=False, feeSchedule=schedule))
    assert (on.fee_rate, on.fee_rebate, off.fee_rate) == (Decimal("0.05"), Decimal("0.25"), Decimal(0))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("conditionId", "0x12"),
        ("orderPriceMinTickSize", 0),
        ("orderPriceMinTickSize", 0.00005),
        ("orderMinSize", -1),
        ("bestBid", 1.2),
        ("volume24hr", float("nan")),
        ("volume24hr", 1e30),
        ("acceptingOrders", "yes"),
        ("outcomes", "[broken"),
        ("clobTokenIds", '["1"]'),
        ("clobTokenIds", '["1", "1"]'),
        ("clobTokenIds", '["0x1", "2"]'),
        ("endDate", "soon"),
        ("feeSchedule", 3),
        ("rewardsMaxSpread", 500),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(GammaError, match=field):
        parse_market(a_gamma_market(**{field: value}))


def test_a_question_s_id_is_taken_when_it_is_one() -> None:
    assert parse_market(a_gamma_market(questionID="0x" + "AB" * 32)).question_id == "0x" + "ab" * 32
    assert parse_market(a_gamma_market(questionID="4711")).question_id == ""


def test_the_fee_of_a_conversion_is_that_of_the_full_listing() -> None:
    found = collected([a_gamma_set(2, negRiskFeeBips=25), a_gamma_market(1, negRisk=True)])
    assert found.events["77"].convert_fee_bps == 25


@pytest.mark.parametrize("bips", [-1, 10_000, 0.5, "much"])
def test_an_impossible_conversion_fee_is_an_error(bips: Any) -> None:
    found = collected(a_gamma_set(2, negRiskFeeBips=bips))
    assert "negRiskFeeBips" in found.first_errors[0]


def test_a_market_with_three_outcomes_is_skipped_not_wrong() -> None:
    with pytest.raises(NotBinary):
        parse_market(a_gamma_market(outcomes='["a", "b", "c"]'))


def test_a_set_is_complete_when_every_listed_market_is_open_and_understood() -> None:
    found = collected([a_gamma_set(3)])
    assert found.events["77"].set_size == 3
    assert found.events["77"].category == "Culture"
    assert {market.event_id for market in found.markets.values()} == {"77"}


@pytest.mark.parametrize(
    "spoiled",
    [
        {"negRiskAugmented": True},
        {"negRisk": False, "enableNegRisk": False},
        {"markets": [*a_gamma_set(2)["markets"], a_gamma_market(3, negRisk=True, closed=True)]},
        {"markets": [*a_gamma_set(2)["markets"], a_gamma_market(3, negRisk=True, groupItemTitle="Other")]},
        {"markets": [*a_gamma_set(2)["markets"], a_gamma_market(3, negRisk=True, negRiskOther=True)]},
        {"markets": [*a_gamma_set(2)["markets"], a_gamma_market(3, negRisk=True, clobTokenIds=None)]},
        {"markets": [*a_gamma_set(2)["markets"], a_gamma_market(3, negRisk=True, bestBid="x")]},
        {"markets": a_gamma_set(1)["markets"]},
    ],
)
def test_any_doubt_makes_a_set_incomplete(spoiled: dict[str, Any]) -> None:
    assert collected([a_gamma_set(3, **spoiled)]).events["77"].set_size == 0


def test_a_market_page_says_nothing_about_completeness() -> None:
    assert collected({"markets": [a_gamma_market()], "next_cursor": "x"}).events["77"].set_size is None


@pytest.mark.parametrize(
    "document",
    [
        a_gamma_market(),
        [a_gamma_market()],
        {"markets": [a_gamma_market()]},
        {"data": [a_gamma_market()], "next_cursor": None},
        {"file": "x.json", "body": a_gamma_market()},
        {"events": [{"id": "77", "slug": "s", "title": "t", "markets": [a_gamma_market()]}]},
    ],
)
def test_every_shape_of_document_is_opened(document: Any) -> None:
    assert list(collected(document).markets) == [f"0x{1:064x}"]


def test_a_bad_item_is_counted_and_its_neighbours_stay() -> None:
    found = collected([a_gamma_market(1), a_gamma_market(2, bestAsk=7), 3, {"foo": 1}, a_gamma_market(4)])
    assert (len(found.markets), found.errors, found.skipped) == (2, 2, 1)
    assert found.first_errors[0] == "market 1002: bestAsk: 7 is outside 0..1"
