"""Lanes: what is urgent overtakes what waits, and the order of equals is kept."""

import asyncio

import pytest

from execution.domain.budget import Urgency
from execution.domain.commands import Cancel, CancelReason, Place, Strategy
from execution.engine.lane import Lane
from execution.relayers.fake import FakeRelayer
from tests.execution_builders import NOW, Rig, order


def plan(name: str, strategy: Strategy, number: int = 1) -> Place:
    return Place(name, strategy, (order(number),), NOW)


async def test_an_exit_overtakes_arbitrage_and_requotes_that_wait() -> None:
    lane: Lane[Place] = Lane(10)
    for name, strategy in (
        ("a", Strategy.SPREAD),
        ("b", Strategy.DUTCH_BOOK),
        ("c", Strategy.SPREAD),
        ("d", Strategy.EXIT),
    ):
        lane.put(plan(name, strategy))
    assert [(await lane.get()).plan_id for _ in range(4)] == ["d", "b", "a", "c"]


async def test_a_stop_overtakes_requoting_cancels() -> None:
    lane: Lane[Cancel] = Lane(10)
    lane.put(Cancel((1,), CancelReason.REQUOTE, NOW))
    lane.put(Cancel((2,), CancelReason.STOPPED, NOW))
    assert (await lane.get()).order_ids == (2,)


async def test_a_full_lane_says_so_and_keeps_what_it_has() -> None:
    lane: Lane[Place] = Lane(1)
    lane.put(plan("a", Strategy.SPREAD))
    with pytest.raises(asyncio.QueueFull):
        lane.put(plan("b", Strategy.EXIT))
    assert [each.plan_id for each in lane.empty()] == ["a"]
    await asyncio.wait_for(lane.join(), 1)


async def test_the_relayer_is_told_how_urgent_each_order_is() -> None:
    rig = Rig(fake := FakeRelayer())
    await rig.hands.carry_out(plan("x-1", Strategy.EXIT, 1))
    await rig.hands.carry_out(plan("q-2", Strategy.SPREAD, 2))
    assert [one.urgency for request in fake.requests for one in request] == [Urgency.EXIT, Urgency.REQUOTE]
