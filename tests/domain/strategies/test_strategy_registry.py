"""The registry and the Dutch book's parameters."""

from decimal import Decimal

import pytest

from strategies.domain import dutch_book, registry, spread
from strategies.domain.arb_params import ARB_DEFINITIONS, ArbParams, resolve_arb
from strategies.domain.definitions import ParamError
from strategies.domain.params import SpreadParams, resolve


def test_each_strategy_is_found_by_its_name() -> None:
    assert registry.market_planner("spread") is spread.plan
    assert registry.event_planner("dutch_book") is dutch_book.scan
    assert registry.NAMES == ("spread", "dutch_book")


def test_an_unknown_strategy_is_named_together_with_the_known_ones() -> None:
    with pytest.raises(registry.UnknownStrategy, match="'dutch' is not a strategy; known are spread, dutch_book"):
        registry.event_planner("dutch")
    with pytest.raises(registry.UnknownStrategy, match="dutch_book"):
        registry.market_planner("dutch_book")


def test_the_defaults_written_twice_are_the_same() -> None:
    assert resolve_arb() == ArbParams()
    assert resolve() == SpreadParams()


def test_the_strongest_layer_that_speaks_wins() -> None:
    market = {"enabled": Decimal(1), "min_edge": None}
    event = {"min_edge": Decimal("0.01"), "enabled": Decimal(0)}
    assert resolve_arb(market, event) == ArbParams(enabled=True, min_edge=100)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"enabled": Decimal(2)}, r"enabled: 2 is outside 0\.\.1"),
        ({"min_edge": Decimal("0.00001")}, "min_edge: 0.00001 has more than 4 decimals"),
        ({"max_size": Decimal("NaN")}, "max_size: NaN is outside"),
        ({"half_spread": Decimal("0.1")}, "half_spread: is not a parameter; known are enabled, "),
    ],
)
def test_a_bad_value_names_field_bound_and_value(values: dict[str, Decimal], message: str) -> None:
    with pytest.raises(ParamError, match=message):
        resolve_arb(values)


def test_every_definition_has_a_default_within_its_bounds() -> None:
    assert all(item.minimum <= item.default <= item.maximum for item in ARB_DEFINITIONS)
