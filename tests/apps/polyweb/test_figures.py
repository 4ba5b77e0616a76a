"""How numbers read."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from polyweb.dashboard import figures, market_page
from polyweb.templatetags.figures import precise, since


@pytest.mark.parametrize(
    ("tick", "decimals"), [("0.1", 0), ("0.01", 0), ("0.005", 1), ("0.0025", 2), ("0.001", 1), ("0.0001", 2)]
)
def test_a_price_is_shown_with_its_markets_precision(tick: str, decimals: int) -> None:
    assert figures.tick_decimals(tick) == decimals


def test_prices_are_cents() -> None:
    assert figures.cents("0.5345", 1) == "53.4"
    assert figures.cents(Decimal("0.02"), 0) == "2"


def test_what_is_not_known_is_a_dash_and_never_a_zero() -> None:
    assert {figures.cents(None), figures.money(""), figures.shares("x"), figures.age(None)} == {figures.NOTHING}


def test_money_carries_its_sign_and_zero_has_none() -> None:
    assert [figures.money(value) for value in ("12.482", "-0.5", "0.001")] == ["+12.48", "−0.50", "0.00"]


def test_thousands_stand_apart_and_never_wrap() -> None:
    assert figures.shares("1234567") == "1\u202f234\u202f567"


def test_ages_get_coarser_as_they_grow() -> None:
    assert [figures.age(s) for s in (0.23, 42, 180, 7300, 200_000, 10**8)] == [
        "0.2 s", "42 s", "3 min", "2 h", "2 d", "3 y",
    ]  # fmt: skip


def test_a_long_id_in_a_sentence_is_cut() -> None:
    sentence = f"market 0x{'ab' * 32} could lose 54 pUSD"
    assert figures.reason(sentence) == "market 0xabab… could lose 54 pUSD"


def test_a_bar_never_leaves_its_frame() -> None:
    assert [figures.share_of(value, 100) for value in (-250, 40, None)] == [100, 40, 0]


def test_a_clock_at_zero_is_a_moment_nobody_knows() -> None:
    assert since(datetime(1970, 1, 1, tzinfo=UTC)) == figures.NOTHING


def test_what_happens_within_one_second_is_told_apart() -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 8_900, tzinfo=UTC)
    assert ">2026-03-04 05:06:07.008 UTC</time>" in precise(moment)
    assert precise(None) == figures.NOTHING


def test_our_orders_are_on_the_ladder_however_deep_they_rest() -> None:
    levels = [[f"{50 - step}e-2", "100"] for step in range(12)]
    ours = [{"yes_side": "bid", "yes_price": "0.05", "remaining": "20"}]
    bids = market_page.ladder({"book": {"bids": levels, "asks": []}, "ours": ours}).bids
    assert [row["price"] for row in bids] == [*(Decimal(f"0.{50 - step}") for step in range(9)), Decimal("0.05")]
    assert bids[-1]["ours"] == Decimal("20")
