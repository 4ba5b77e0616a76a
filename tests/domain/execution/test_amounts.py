"""Order amounts: exact or refused, and the same as the venue's own client makes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polymarket._internal.actions.orders.limit import _compute_limit_order_amounts
from polymarket._internal.actions.orders.market import _compute_market_order_amounts

from execution.domain.amounts import AMOUNT_STEP, Amounts, limit_amounts, market_amounts, take_amounts
from markets.domain.events import Side
from markets.domain.units import cash_to_decimal, price_to_decimal, size_to_decimal

SIDES = st.sampled_from(Side)
SIZES = st.integers(min_value=10_000, max_value=10**13)


@st.composite
def grid(draw: st.DrawFn) -> tuple[int, int]:
    """(price, tick) on any of the venue's grids."""
    tick = draw(st.sampled_from(sorted(AMOUNT_STEP)))
    return tick * draw(st.integers(min_value=1, max_value=10_000 // tick - 1)), tick


def test_a_buy_gives_cash_and_takes_shares() -> None:
    assert limit_amounts(Side.BUY, 5_200, 10_000_000, 100) == Amounts(5_200_000, 10_000_000)


def test_a_sell_gives_shares_and_takes_cash() -> None:
    assert limit_amounts(Side.SELL, 5_200, 10_000_000, 100) == Amounts(10_000_000, 5_200_000)


def test_a_size_is_floored_to_two_decimals_before_it_is_priced() -> None:
    assert limit_amounts(Side.BUY, 9_999, 5_019_999, 1) == Amounts(5_009_499, 5_010_000)


@given(SIDES, grid(), SIZES)
def test_limit_amounts_equal_the_official_client_s(side: Side, on_grid: tuple[int, int], size: int) -> None:
    price, tick = on_grid
    assert limit_amounts(side, price, size, tick) == _compute_limit_order_amounts(
        price=price_to_decimal(price),
        size=size_to_decimal(size),
        side=side.value,
        tick_size=price_to_decimal(tick).normalize(),
    )


@given(SIDES, grid(), SIZES)
def test_market_amounts_equal_the_official_client_s(side: Side, on_grid: tuple[int, int], amount: int) -> None:
    price, tick = on_grid
    assert market_amounts(side, price, amount, tick) == _compute_market_order_amounts(
        amount=Decimal(amount).scaleb(-6),
        price=price_to_decimal(price),
        side=side.value,
        tick_size=price_to_decimal(tick).normalize(),
    )


@given(SIDES, grid(), SIZES)
def test_limit_amounts_state_exactly_the_price_asked_for(side: Side, on_grid: tuple[int, int], size: int) -> None:
    price, tick = on_grid
    maker, taker = limit_amounts(side, price, size, tick)
    cash, shares = (maker, taker) if side is Side.BUY else (taker, maker)
    assert cash * 10_000 == price * shares


@given(grid(), st.integers(min_value=100_000_000, max_value=10**12))
def test_a_taking_buy_gives_whole_cents_and_never_more_than_asked(on_grid: tuple[int, int], size: int) -> None:
    price, tick = on_grid
    maker, taker = take_amounts(Side.BUY, price, size, tick)
    assert maker % 10_000 == 0
    assert maker * 10_000 <= price * size
    assert taker <= size
    assert maker * 10_000 >= price * taker  # still crosses a level resting at `price`


def test_a_taking_buy_is_exact_where_its_cost_is_whole_cents() -> None:
    assert take_amounts(Side.BUY, 3_330, 10_000_000, 10) == Amounts(3_330_000, 10_000_000)


def test_a_taking_buy_asks_for_fewer_shares_where_its_cost_is_not() -> None:
    assert take_amounts(Side.BUY, 3_330, 10_500_000, 10) == Amounts(3_490_000, 10_480_480)


def test_a_taking_sell_is_a_limit_sell() -> None:
    assert take_amounts(Side.SELL, 3_330, 10_509_999, 10) == limit_amounts(Side.SELL, 3_330, 10_509_999, 10)


@pytest.mark.parametrize(
    ("price", "size", "tick", "field"),
    [
        (5_205, 10_000_000, 100, "price"),
        (5_210, 10_000_000, 25, "price"),
        (0, 10_000_000, 100, "price"),
        (10_000, 10_000_000, 100, "price"),
        (9_950, 10_000_000, 100, "price"),
        (-100, 10_000_000, 100, "price"),
        (5_200, 0, 100, "size"),
        (5_200, 9_999, 100, "size"),
        (5_200, -10_000_000, 100, "size"),
        (5_200, 10_000_000, 0, "tick"),
        (5_200, 10_000_000, 200, "tick"),
    ],
)
def test_what_is_off_the_grid_is_refused_by_name(price: int, size: int, tick: int, field: str) -> None:
    for amounts in (limit_amounts, take_amounts):
        with pytest.raises(ValueError, match=f"^{field}: "):
            amounts(Side.BUY, price, size, tick)


def test_a_taking_buy_worth_less_than_a_cent_is_refused() -> None:
    with pytest.raises(ValueError, match="^size: "):
        take_amounts(Side.BUY, 100, 990_000, 100)


@pytest.mark.parametrize("amount", [0, 9_999, -10_000])
def test_a_market_amount_below_two_decimals_is_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="^amount: "):
        market_amounts(Side.BUY, 5_000, amount, 100)


def test_cash_reads_back_as_the_decimal_it_is() -> None:
    assert cash_to_decimal(limit_amounts(Side.BUY, 1, 10_000, 1).maker_amount) == Decimal("0.000001")
