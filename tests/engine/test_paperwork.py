"""What a beat writes: everything, oldest first, so much at a time, and never instead of a turn."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest

from execution.services import Holding, ProfitPoint, Shown
from polyweb.runtime.keeper import Keeper
from polyweb.runtime.paperwork import Paperwork
from polyweb.runtime.publisher import Publisher
from polyweb.runtime.slices import in_slices
from polyweb.runtime.views import Json
from risk.domain.breakers import Breaker
from tests.builders import Stage, a_market, fill_of


class Desk:
    """Takes every paper, or none of them."""

    def __init__(self) -> None:
        self.broken = False
        self.shown: list[list[str]] = []
        self.held: list[list[str]] = []
        self.drawn: list[str | None] = []
        self.remembered: set[str] = set()

    async def states(self, shown: Sequence[Shown]) -> None:
        if self.broken:
            raise ConnectionError("no database")
        self.shown.append([each.condition_id for each in shown])

    async def positions(self, holdings: Sequence[Holding]) -> None:
        self.held.append([each.condition_id for each in holdings])

    async def points(self, points: Sequence[ProfitPoint], now_ns: int) -> None:
        self.drawn = [each.condition_id for each in points]

    async def keep(
        self, breakers: Collection[Breaker] = (), memories: Mapping[str, str] | None = None, at_ns: int = 0
    ) -> None:
        self.remembered |= (memories or {}).keys()


async def nobody(_group: str, _message: Json) -> None:
    """No browser looks."""


def a_room(stage: Stage, rows_per_beat: int) -> tuple[Paperwork, Desk]:
    desk = Desk()
    publisher = Publisher(stage.trader, dict, nobody)
    return Paperwork(stage.trader, publisher, desk, Keeper(stage.trader, desk, {}), desk, rows_per_beat), desk


def a_stage(markets: int = 5) -> tuple[Stage, list[str]]:
    stage = Stage(*(a_market(number) for number in range(1, markets + 1))).quoting()
    return stage, [market.condition_id for market in stage.markets]


async def test_of_many_changed_markets_those_that_waited_longest_are_written_first() -> None:
    stage, names = a_stage()
    paperwork, desk = a_room(stage, rows_per_beat=3)
    for _ in range(3):
        await paperwork.write(full=False)
    assert desk.shown == desk.held == [names[:3], names[3:], []]


async def test_memories_are_written_at_once_however_many_markets_changed() -> None:
    stage, names = a_stage()
    paperwork, desk = a_room(stage, rows_per_beat=1)
    await paperwork.write(full=False)
    assert desk.remembered >= set(names)


async def test_the_last_beat_writes_every_market_changed_or_not() -> None:
    stage, names = a_stage()
    paperwork, desk = a_room(stage, rows_per_beat=2)
    await paperwork.write(full=True)
    await paperwork.write(full=True)
    assert desk.shown == [names, names]


async def test_what_could_not_be_written_is_written_by_the_next_beat() -> None:
    stage, names = a_stage()
    paperwork, desk = a_room(stage, rows_per_beat=10)
    desk.broken = True
    with pytest.raises(ConnectionError):
        await paperwork.write(full=False)
    desk.broken = False
    await paperwork.write(full=False)
    assert desk.shown == [names]


async def test_points_are_drawn_for_the_account_and_for_markets_that_hold_something() -> None:
    stage, names = a_stage(2)
    paperwork, desk = a_room(stage, rows_per_beat=10)
    stage.apply(fill_of(stage.live()[0], stage.now))
    await paperwork.draw_points()
    assert desk.drawn == [None, names[0]]


async def test_others_run_between_two_slices() -> None:
    heard: list[str] = []

    async def turn() -> None:
        while True:
            heard.append("turn")
            await asyncio.sleep(0)

    def make(number: int) -> int:
        heard.append("made")
        return number * 2

    turning = asyncio.create_task(turn())
    assert await in_slices(make, [1, 2, 3, 4, 5], at_once=2) == [2, 4, 6, 8, 10]
    turning.cancel()
    assert heard == ["made", "made", "turn", "made", "made", "turn", "made"]
