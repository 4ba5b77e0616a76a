"""What is measured while quoting: volatility, trade flow, losses after fills, jumps and sweeps."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, SIZE_ONE
from strategies.domain.measures import CALM, MOST_PENDING, Measures
from strategies.domain.params import SpreadParams

SECOND, MILLI, SHARES = NANOS_PER_SECOND, NANOS_PER_MILLI, SIZE_ONE
START = 1_800_000_000 * SECOND
PARAMS = SpreadParams(jump=0)


def seen(*mids: int, params: SpreadParams = PARAMS, every_ns: int = SECOND) -> Measures:
    """Mids (not doubled) one after another."""
    measures = Measures()
    for number, mid in enumerate(mids):
        measures.saw(2 * mid, START + number * every_ns, params)
    return measures


def test_a_market_in_which_nothing_happened_is_calm() -> None:
    assert seen(5000, 5000).signals(START, PARAMS) is CALM


def test_volatility_is_the_root_of_squared_moves() -> None:
    assert seen(5000, 5100).signals(START + SECOND, PARAMS).volatility == 100
    assert 195 <= seen(5000, 5100, 5000, 5100, 5000).signals(START + 4 * SECOND, PARAMS).volatility <= 200


def test_half_of_the_squared_moves_is_left_after_the_window() -> None:
    later = START + SECOND + PARAMS.volatility_s * SECOND
    assert seen(5000, 5100).signals(later, PARAMS).volatility == 70  # 100 / sqrt(2)


def test_each_window_is_the_one_the_parameters_name() -> None:
    quick = changed(PARAMS, volatility_s=10, trade_flow_s=10, markout_after_s=2, markout_s=10)
    assert seen(5000, 5100, params=quick).signals(START + 11 * SECOND, quick).volatility == 70
    assert seen(5000, 5100, 5100, params=quick, every_ns=10 * SECOND).signals(START, quick).volatility == 100
    measures = seen(5000)
    measures.traded(30 * SHARES, START, quick)
    measures.traded(30 * SHARES, START + 10 * SECOND, quick)
    assert measures.signals(START + 20 * SECOND, quick).flow == 22_500_000
    measures.filled(True, 4900, PARAMS.size, START)
    measures.saw(2 * 4700, START + 2 * SECOND, quick)
    assert measures.signals(START + 2 * SECOND, quick).markout_loss == 100
    assert measures.signals(START + 12 * SECOND, quick).markout_loss == 66


def test_moves_fade_by_their_window_before_the_next_is_added() -> None:
    quick = changed(PARAMS, volatility_s=10)
    both = seen(5000, 5100, 5200, params=quick, every_ns=10 * SECOND).signals(START + 20 * SECOND, quick)
    assert both.volatility == 122  # 100 * sqrt(1.5)


def test_the_direction_of_moves_does_not_matter_to_volatility() -> None:
    assert seen(5000, 4900).signals(START, PARAMS) == seen(5000, 5100).signals(START, PARAMS)


def test_flow_adds_what_takers_buy_and_takes_off_what_they_sell() -> None:
    measures = Measures()
    measures.traded(30 * SHARES, START, PARAMS)
    measures.traded(-10 * SHARES, START, PARAMS)
    assert measures.signals(START, PARAMS).flow == 20 * SHARES
    assert measures.signals(START + PARAMS.trade_flow_s * SECOND, PARAMS).flow == 10 * SHARES


def test_a_fill_the_market_went_against_counts_as_a_loss_per_share() -> None:
    measures = seen(5000)
    measures.filled(True, 4900, PARAMS.size, START)
    measures.saw(2 * 4700, START + 29 * SECOND, PARAMS)
    assert measures.signals(START + 29 * SECOND, PARAMS).markout_loss == 0
    measures.saw(2 * 4700, START + 30 * SECOND, PARAMS)
    # 200 lost per share, mixed with as many shares that lost nothing
    assert measures.signals(START + 30 * SECOND, PARAMS).markout_loss == 100
    assert measures.pending == ()


def test_a_sale_loses_when_the_market_rises() -> None:
    measures = seen(5000)
    measures.filled(False, 5100, PARAMS.size, START)
    measures.saw(2 * 5300, START + 30 * SECOND, PARAMS)
    assert measures.signals(START + 30 * SECOND, PARAMS).markout_loss == 100


def test_good_fills_make_up_for_bad_ones_and_are_no_loss_by_themselves() -> None:
    measures = seen(5000)
    measures.filled(True, 4900, PARAMS.size, START)
    measures.filled(False, 4900, PARAMS.size, START)
    measures.saw(2 * 4700, START + 30 * SECOND, PARAMS)
    assert measures.signals(START + 30 * SECOND, PARAMS).markout_loss == 0


def test_a_loss_fades() -> None:
    measures = seen(5000)
    measures.filled(True, 4900, PARAMS.size, START)
    measures.saw(2 * 4700, START + 30 * SECOND, PARAMS)
    later = START + (30 + PARAMS.markout_s) * SECOND
    assert measures.signals(later, PARAMS).markout_loss == 66  # half the loss over half the weight and one quote


def test_only_so_many_fills_wait_for_their_markout() -> None:
    measures = Measures()
    for number in range(3 * MOST_PENDING):
        measures.filled(True, 4900, SHARES, START + number)
    assert len(measures.pending) == MOST_PENDING
    assert measures.pending[-1].at_ns == START + 3 * MOST_PENDING - 1


JUMPY = SpreadParams(jump=500, jump_window_ms=2_000, jump_pause_ms=5_000)


def test_a_jump_pauses_the_market_and_says_so() -> None:
    found = seen(5000, 5500, params=JUMPY, every_ns=SECOND // 2).signals(START + SECOND, JUMPY)
    assert (found.pause, found.paused_until_ns) == ("jump", START + SECOND // 2 + 5 * SECOND)


def test_a_jump_in_steps_is_one_too() -> None:
    assert seen(5000, 5200, 5400, 5500, params=JUMPY, every_ns=250 * MILLI).pause == "jump"


def test_a_longer_window_finds_a_slower_jump() -> None:
    slow = changed(JUMPY, jump_window_ms=10_000)
    assert seen(5000, 5200, 5400, 5500, params=slow, every_ns=SECOND).pause == "jump"


def test_a_longer_window_finds_a_slower_sweep() -> None:
    params = SpreadParams(sweep_size=100 * SHARES, jump_window_ms=10_000)
    measures = Measures()
    measures.traded(60 * SHARES, START, params)
    measures.traded(60 * SHARES, START + 5 * SECOND, params)
    assert measures.pause == "sweep"


def test_a_slow_move_of_the_same_size_is_none() -> None:
    assert seen(5000, 5100, 5200, 5300, 5400, 5500, 5600, params=JUMPY, every_ns=SECOND).pause == ""


def test_a_jump_after_a_long_silence_is_one() -> None:
    assert seen(5000, 5000, 5500, params=JUMPY, every_ns=60 * SECOND).pause == "jump"


def test_after_a_jump_the_new_price_is_the_measure() -> None:
    measures = seen(5000, 5500, params=JUMPY)
    until = measures.paused_until_ns
    measures.saw(2 * 5550, START + 1500 * MILLI, JUMPY)
    assert measures.paused_until_ns == until


def test_takers_that_sweep_pause_the_market() -> None:
    params = SpreadParams(sweep_size=100 * SHARES)
    measures = Measures()
    measures.traded(-60 * SHARES, START, params)
    assert measures.signals(START, params).paused_until_ns == 0
    measures.traded(-40 * SHARES, START + SECOND, params)
    assert measures.signals(START + SECOND, params).pause == "sweep"


def test_the_same_size_over_a_longer_time_is_no_sweep() -> None:
    params = SpreadParams(sweep_size=100 * SHARES)
    measures = Measures()
    measures.traded(60 * SHARES, START, params)
    measures.traded(60 * SHARES, START + 2 * SECOND, params)
    assert measures.paused_until_ns == 0


@given(st.lists(st.tuples(st.integers(1, 9_999), st.integers(0, 10**10)), max_size=40))
def test_volatility_is_never_more_than_all_moves_together(walk: list[tuple[int, int]]) -> None:
    measures, now, moved, last = Measures(), START, 0, None
    for mid, pause in walk:
        now += pause
        measures.saw(2 * mid, now, PARAMS)
        moved += abs(mid - last) if last is not None else 0
        last = mid
    assert 0 <= measures.signals(now, PARAMS).volatility <= moved
