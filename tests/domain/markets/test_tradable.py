"""Real orders go only to markets of a known generation that take orders."""

from dataclasses import replace

import pytest

from markets.domain.market import Generation, Market
from markets.domain.rules import tradable
from tests.domain.markets.wire import MARKET

GOOD = replace(MARKET, generation=Generation.V2)


def test_a_market_of_a_known_generation_is_tradable() -> None:
    assert tradable(GOOD) == (True, "")


@pytest.mark.parametrize(
    ("market", "reason"),
    [
        (MARKET, "unknown_generation"),
        (replace(GOOD, accepting_orders=False), "not_accepting_orders"),
        (replace(GOOD, other=True), "other_outcome"),
        (replace(GOOD, no=""), "tokens_unknown"),
    ],
)
def test_every_obstacle_is_named(market: Market, reason: str) -> None:
    assert tradable(market) == (False, reason)
