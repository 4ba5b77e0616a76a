"""The keeper writes what changed, once, and again when it could not be written."""

from collections.abc import Collection, Mapping

import pytest

from polyweb.runtime.inbox import Sensed
from polyweb.runtime.keeper import Keeper
from polyweb.runtime.memory import engine_memory, market_memory
from risk.domain.breakers import Breaker, BreakerKind, BreakerState
from tests.builders import SECOND, Stage, book


class Shelf:
    def __init__(self) -> None:
        self.broken = False
        self.kept: list[tuple[list[Breaker], dict[str, str]]] = []

    async def keep(self, breakers: Collection[Breaker], memories: Mapping[str, str], at_ns: int) -> None:
        if self.broken:
            raise ConnectionError("no database")
        self.kept.append((list(breakers), dict(memories)))


def a_keeper(stage: Stage) -> tuple[Keeper, Shelf]:
    shelf = Shelf()
    return Keeper(stage.trader, shelf, {}), shelf


async def test_what_did_not_change_is_not_written_again() -> None:
    stage = Stage().quoting()
    keeper, shelf = a_keeper(stage)
    await keeper.keep([stage.market.condition_id])
    await keeper.keep([stage.market.condition_id])
    ((_, memories),) = shelf.kept
    assert market_memory(memories[stage.market.condition_id]).proved
    assert engine_memory(memories[""]).rate == stage.trader.rate.keep()


async def test_a_breaker_is_urgent_and_written_until_it_is_stored() -> None:
    stage = Stage().quoting().after(SECOND)
    keeper, shelf = a_keeper(stage)
    stage.apply(Sensed(stage.now, BreakerKind.DRIFT, "5 shares"))
    assert keeper.urgent
    shelf.broken = True
    with pytest.raises(ConnectionError):
        await keeper.keep([])
    shelf.broken = False
    await keeper.keep([])
    ((breakers, memories),) = shelf.kept
    assert [(each.kind, each.state) for each in breakers] == [(BreakerKind.DRIFT, BreakerState.OPEN)]
    assert engine_memory(memories[""]).kept.breakers == tuple(breakers)
    assert not keeper.urgent


async def test_cancels_that_were_used_up_stay_used_up() -> None:
    stage = Stage().quoting().after(10 * SECOND)
    stage.turn(book(stage.market, stage.now, {4800: 100}, {5000: 100}))
    keeper, shelf = a_keeper(stage)
    await keeper.keep([stage.market.condition_id])
    again = Stage()
    again.trader.recall(shelf.kept[-1][1])
    again.now = stage.now
    again.turn(book(again.market, again.now))
    desk = again.trader.desks[again.market.condition_id]
    assert desk.cancels.keep() == ((stage.now, 2),)


def test_a_breaker_whose_memory_is_lost_is_taken_from_its_row() -> None:
    stage = Stage()
    stage.trader.recall({}, [Breaker(BreakerKind.LOSS, "", BreakerState.OPEN, "250 pUSD", stage.now)])
    stage.turn(book(stage.market, stage.now))
    assert stage.live() == ()
    assert stage.trader.desks[stage.market.condition_id].reason == "loss breaker: 250 pUSD"
