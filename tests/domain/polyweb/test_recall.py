"""A memory that cannot be read is left out, and nothing is quoted before an operator has looked."""

import pytest

from polyweb.runtime.trader import Trader
from risk.domain.breakers import BreakerKind, BreakerState, Reset
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
