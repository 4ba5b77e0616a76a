"""A blocked market: nothing rests there, and the page says why."""

from dataclasses import replace

from execution.domain.commands import Cancel, CancelReason
from risk.domain.breakers import DEFAULT_HOLD_NS
from tests.builders import Stage


def test_a_market_that_becomes_blocked_loses_its_quotes_and_says_why() -> None:
    stage = Stage().quoting()
    stage.operator(markets=(replace(stage.market, blocked="resolution proposed", accepting_orders=False),))
    commands = stage.turn()
    assert [command.reason for command in commands if isinstance(command, Cancel)] == [CancelReason.NO_QUOTE]
    assert stage.trader.desks[stage.market.condition_id].reason == "resolution proposed"


def test_a_market_that_is_no_longer_blocked_is_quoted_again_once_that_has_lasted() -> None:
    stage = Stage().quoting()
    stage.operator(markets=(replace(stage.market, blocked="rules changed"),))
    stage.turn()
    stage.operator(markets=(stage.market,))
    stage.tick()
    stage.turn()
    assert stage.prices() == []
    stage.after(DEFAULT_HOLD_NS).tick()
    stage.turn()
    assert stage.prices() == [4900, 5100]
