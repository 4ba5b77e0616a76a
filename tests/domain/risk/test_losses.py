"""Daily and rolling loss and drawdown: what counts, what a restart keeps, and when the breaker is told."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.units import CASH_ONE
from risk.domain.limits import Limits
from risk.domain.losses import DAY_NS, HOUR, MINUTE_NS, NOTHING_LOST, Losses, after, wrong

PUSD = CASH_ONE
NOON = 20_000 * DAY_NS + DAY_NS // 2


def seen(*profits: int, start: int = NOON, every: int = MINUTE_NS) -> Losses:
    losses = NOTHING_LOST
    for number, profit in enumerate(profits):
        losses = after(losses, profit * PUSD, start + number * every, known=True)
    return losses


def lost(losses: Losses) -> tuple[int, int, int]:
    return losses.daily // PUSD, losses.rolling // PUSD, losses.drawdown // PUSD


def test_the_first_moment_is_where_everything_begins() -> None:
    assert lost(seen(-40)) == (0, 0, 0)


def test_losses_are_counted_from_the_days_beginning_the_hours_best_and_the_best_of_all() -> None:
    assert lost(seen(0, 30, 10)) == (0, 20, 20)
    assert lost(seen(0, 30, -5)) == (5, 35, 35)


def test_after_an_hour_only_the_day_and_the_best_moment_remember() -> None:
    losses = seen(50, 20)
    for minutes in range(2, HOUR + 2):
        losses = after(losses, 20 * PUSD, NOON + minutes * MINUTE_NS, known=True)
    assert lost(losses) == (30, 0, 30)


def test_a_new_day_begins_with_the_last_profit_of_the_old_one() -> None:
    evening = seen(0, -60, start=21_000 * DAY_NS - 2 * MINUTE_NS)
    assert lost(evening)[0] == 60
    morning = after(evening, -65 * PUSD, 21_000 * DAY_NS, known=True)
    assert lost(morning) == (5, 65, 65)


def test_a_holding_without_a_price_makes_no_best_moment_and_no_new_day() -> None:
    assert after(NOTHING_LOST, 5, NOON, known=False) is NOTHING_LOST
    losses = after(seen(0), 900 * PUSD, NOON + DAY_NS, known=False)
    assert (losses.peak, losses.day_open, losses.day) == (0, 0, NOON // DAY_NS)
    assert lost(after(losses, 0, NOON + DAY_NS + 1, known=True)) == (900, 0, 0)  # 900 was the last word of the old day


def test_the_breaker_hears_every_figure_that_is_over_its_cap() -> None:
    limits = Limits(daily_loss=10 * PUSD, rolling_loss=20 * PUSD, drawdown=30 * PUSD)
    assert wrong(seen(0, 20, 0), limits) == ""
    assert wrong(seen(0, 20, -5), limits) == "25.00 pUSD lost within an hour, cap 20.00 pUSD"
    told = wrong(seen(0, 20, -11), limits)
    assert told.startswith("11.00 pUSD lost today (UTC), cap 10.00 pUSD; 31.00 pUSD lost within an hour")
    assert "31.00 pUSD lost since the best moment, cap 30.00 pUSD" in told


@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(1, 90)), min_size=1, max_size=80), st.integers(0, 79))
def test_written_down_and_taken_up_again_it_goes_on_as_if_nothing_had_happened(
    steps: list[tuple[int, int]], cut: int
) -> None:
    straight = resumed = NOTHING_LOST
    now, best = NOON, -(10**9)
    recent: list[tuple[int, int]] = []
    for number, (profit, minutes) in enumerate(steps):
        now += minutes * MINUTE_NS
        if number == cut:
            resumed = msgspec.json.decode(msgspec.json.encode(resumed), type=Losses)
        straight = after(straight, profit, now, known=True)
        resumed = after(resumed, profit, now, known=True)
        best = max(best, profit)
        recent = [(at, high) for at, high in [*recent, (now, profit)] if at // MINUTE_NS > now // MINUTE_NS - HOUR]
        assert straight.drawdown == best - profit
        assert straight.rolling == max(high for _, high in recent) - profit
    assert straight == resumed
