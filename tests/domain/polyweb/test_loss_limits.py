"""A loss limit takes everything down, whatever it is that was lost, and only an operator begins again."""

from markets.domain.market import Market
from markets.domain.units import CASH_ONE
from polyweb.runtime.trader import Trader
from risk.domain.breakers import BreakerKind
from risk.domain.caps import CapKind, Level
from risk.domain.limits import Limits, spelled
from risk.domain.panel import Release
from tests.builders import CONFIG, SECOND, Stage, a_market, book, cancelled, fill_of

LOW = {3900: 100}, {4100: 100}
LIMITS = Limits(daily_loss=CASH_ONE)


def fallen(limits: Limits = LIMITS, *markets: Market) -> Stage:
    """20 shares bought at 0.49 are worth 0.40."""
    stage = Stage(*markets, limits=limits).quoting()
    stage.tick()
    stage.apply(fill_of(stage.live()[0], stage.now))
    stage.after(SECOND).hear(book(stage.market, stage.now, *LOW))
    return stage


def test_a_loss_beyond_its_limit_takes_quotes_down_and_says_why() -> None:
    stage = fallen()
    stage.after(SECOND).tick()
    assert cancelled(stage.decide())
    breaker = stage.trader.panel.breaker(BreakerKind.LOSS)
    assert breaker.reason == "1.80 pUSD lost today (UTC), cap 1.00 pUSD"
    assert not stage.live() or all(order.cancel_asked for order in stage.live())


def test_within_its_limit_quoting_goes_on() -> None:
    stage = fallen(Limits())
    stage.after(SECOND).tick()
    stage.turn()
    assert stage.trader.panel.breaker(BreakerKind.LOSS).lets_through
    assert stage.trader.losses.daily == 1_800_000


def test_a_release_begins_again_only_once_the_cap_allows_it() -> None:
    stage = fallen()
    stage.after(SECOND).tick()
    stage.turn()
    stage.after(SECOND)
    release = (Release(BreakerKind.LOSS, "", stage.now),)
    stage.operator(releases=release)
    stage.after(SECOND).tick()
    assert not stage.trader.panel.breaker(BreakerKind.LOSS).lets_through
    stage.operator(releases=(Release(BreakerKind.LOSS, "", stage.now),), limits=Limits())
    for _ in range(10):
        stage.after(SECOND).tick()
        stage.turn(book(stage.market, stage.now, *LOW))
    assert stage.trader.panel.breaker(BreakerKind.LOSS).lets_through


def test_a_restart_forgets_no_loss() -> None:
    stage = fallen(Limits())
    stage.after(SECOND).tick()
    again = Trader(CONFIG)
    again.recall(stage.trader.remember(()))
    assert again.losses == stage.trader.losses
    assert again.losses.daily == 1_800_000


def test_a_tick_values_everything_once_a_second_only() -> None:
    stage = fallen(Limits())
    stage.tick()
    before = stage.trader.losses
    stage.after(SECOND // 2).tick()
    assert stage.trader.losses is before


def test_a_markets_own_loss_limit_stops_that_market_alone_until_it_is_released_by_name() -> None:
    first, second = a_market(1), a_market(2)
    own = Limits(own={spelled(CapKind.DRAWDOWN, Level.MARKET, first.condition_id): CASH_ONE})
    stage = fallen(own, first, second)
    stage.hear(book(second, stage.now))
    stage.after(SECOND).tick()
    stage.turn()
    breaker = stage.trader.panel.breaker(BreakerKind.LOSS, first.condition_id)
    assert breaker.reason == "1.80 pUSD lost since the best moment, cap 1.00 pUSD"
    assert (stage.live(first), len(stage.live(second))) == ((), 2)
    stage.operator(limits=Limits(), releases=(Release(BreakerKind.LOSS, first.condition_id, stage.now),))
    for _ in range(8):
        stage.after(SECOND).tick()
        stage.turn(book(first, stage.now, *LOW))
    assert stage.live(first)


def test_each_market_has_the_limit_set_for_each_and_none_without_one() -> None:
    each = Limits(own={spelled(CapKind.ROLLING_LOSS, Level.MARKET): CASH_ONE})
    stage = fallen(each)
    stage.after(SECOND).tick()
    assert not stage.trader.panel.breaker(BreakerKind.LOSS, stage.market.condition_id).lets_through
    assert Limits().losses_of(stage.market.condition_id) is None


def test_a_restart_forgets_no_loss_of_a_market() -> None:
    each = Limits(own={spelled(CapKind.DRAWDOWN, Level.MARKET): 100 * CASH_ONE})
    stage = fallen(each)
    stage.after(SECOND).tick()
    again = Stage(limits=each)
    again.trader.recall(stage.trader.remember((stage.market.condition_id,)))
    again.turn(book(again.market, again.now))
    lost = again.trader.desks[again.market.condition_id].losses
    assert lost == stage.trader.desks[stage.market.condition_id].losses
    assert lost.drawdown == 1_800_000
