"""A loss limit takes everything down, whatever it is that was lost, and only an operator begins again."""

from markets.domain.units import CASH_ONE
from polyweb.runtime.trader import Trader
from risk.domain.breakers import BreakerKind
from risk.domain.limits import Limits
from risk.domain.panel import Release
from tests.builders import CONFIG, SECOND, Stage, book, cancelled, fill_of

LOW = {3900: 100}, {4100: 100}
LIMITS = Limits(daily_loss=CASH_ONE)


def fallen(limits: Limits = LIMITS) -> Stage:
    """20 shares bought at 0.49 are worth 0.40."""
    stage = Stage(limits=limits).quoting()
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
