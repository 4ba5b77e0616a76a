"""A memory that cannot be read is left out, and nothing is quoted before an operator has looked."""

import pytest

from polyweb.runtime.memory import MarketMemory, market_memory
from polyweb.runtime.trader import Trader
from risk.domain.breakers import BreakerKind, BreakerState, Reset
from risk.domain.limits import Limits
from risk.domain.panel import Release
from tests.builders import CONFIG, SECOND, Stage, book


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rate": "soon"}', '{"kept": {"breakers": [{"kind": "new"}]}}'])
def test_an_engines_memory_that_cannot_be_read_trips_the_loss_breaker(text: str) -> None:
    trader = Trader(CONFIG)
    trader.recall({"": text}, at_ns=7 * SECOND)
    (breaker,) = trader.drain_breakers()
    assert (breaker.kind, breaker.state, breaker.since_ns) == (BreakerKind.LOSS, BreakerState.OPEN, 7 * SECOND)
    assert breaker.reset is Reset.OPERATOR
    assert breaker.reason.startswith("what was remembered cannot be read: the engine: ")


def test_nothing_is_quoted_after_one_markets_memory_was_lost_and_the_others_are_taken_up() -> None:
    stage = Stage().quoting()
    memories = stage.trader.remember([stage.market.condition_id])
    stage = Stage()
    stage.trader.recall({**memories, "0xlost": '{"proved": 3}'}, at_ns=stage.now)
    assert stage.trader.panel.breaker(BreakerKind.LOSS).reason.endswith("$.proved`, 1 in all")
    assert stage.turn(book(stage.market, stage.now)) == []
    assert stage.trader.desks[stage.market.condition_id].proved


def test_a_lost_memory_of_a_market_nobody_follows_waits_for_one_release_and_not_for_one_at_every_start() -> None:
    first = Trader(CONFIG)
    first.recall({"0xlost": "{"}, at_ns=SECOND)
    memories = first.remember([])
    assert market_memory(memories["0xlost"]) == MarketMemory()
    again = Trader(CONFIG)
    again.recall(memories, at_ns=2 * SECOND)
    assert again.unread == {}
    breaker = again.panel.breaker(BreakerKind.LOSS)
    assert (breaker.state, breaker.since_ns) == (BreakerState.OPEN, SECOND)
    again.panel.release([Release(BreakerKind.LOSS, "", 3 * SECOND)])
    again.panel.settle(60 * SECOND)
    third = Trader(CONFIG)
    third.recall(again.remember([]), at_ns=61 * SECOND)
    assert third.panel.tripped == ()


def test_orders_placed_in_the_last_second_still_count_against_the_rate_after_a_restart() -> None:
    stage = Stage(limits=Limits(orders_per_second=2)).quoting()
    assert stage.trader.rate.room(stage.now) == 0
    again = Stage(limits=Limits(orders_per_second=2))
    again.trader.recall(stage.trader.remember([]), at_ns=stage.now)
    assert again.trader.rate.room(stage.now) == 0
