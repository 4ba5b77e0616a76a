"""The chain of heartbeats: one sender, the id of the last answer, and the truth about a chain that lapsed."""

import asyncio
import json

import pytest

from execution.relayers.heartbeat import Beats, HeartbeatChain, beat_body
from execution.relayers.http import Answered, Lost, Reply


class Venue:
    """Hands out ids in a row and objects to any other; `answers` are given first."""

    def __init__(self, *answers: Answered) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []
        self.number = 0
        self.busy = 0
        self.most_busy = 0

    async def post(self, heartbeat_id: str) -> Answered:
        self.heard.append(heartbeat_id)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        if self.answers:
            return self.answers.pop(0)
        if heartbeat_id != self.expected:
            return said({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": self.expected}, 400)
        self.number += 1
        return said({"heartbeat_id": self.expected})

    @property
    def expected(self) -> str:
        return f"id-{self.number}" if self.number else ""


def said(body: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body), body)


class Rig:
    def __init__(self, *answers: Answered) -> None:
        self.venue = Venue(*answers)
        self.now_s = 100.0
        self.told: list[str] = []
        self.chain = HeartbeatChain(
            self.venue.post,
            on_missed=lambda _: self.told.append("gone"),
            on_kept=lambda: self.told.append("kept"),
            now_s=lambda: self.now_s,
        )

    async def beat(self, after_s: float = 5.0) -> bool:
        self.now_s += after_s
        return await self.chain.beat()


DOWN = Lost("reset", sent=True)


async def test_each_beat_carries_the_id_of_the_last_answer() -> None:
    at = Rig()
    assert [await at.beat() for _ in range(3)] == [True] * 3
    assert at.venue.heard == ["", "id-1", "id-2"]
    assert at.chain.holds


async def test_a_wrong_id_is_corrected_once() -> None:
    at = Rig()
    await at.beat()
    at.venue.number = 7
    assert await at.beat()
    assert at.venue.heard == ["", "id-1", "id-7"]


async def test_a_correction_may_be_the_beginning_of_a_new_chain() -> None:
    at = Rig()
    await at.beat()
    at.venue.number = 0
    assert await at.beat()
    assert at.venue.heard == ["", "id-1", ""]


async def test_two_wrong_ids_in_a_row_are_a_failed_beat() -> None:
    refusal = said({"error": "Invalid Heartbeat ID", "heartbeat_id": "another"}, 400)
    at = Rig(refusal, refusal)
    assert not await at.beat()
    assert at.venue.heard == ["", "another"]


async def test_beats_asked_for_at_once_are_sent_one_after_the_other() -> None:
    at = Rig()
    await asyncio.gather(*(at.chain.beat() for _ in range(5)))
    assert at.venue.heard == ["", "id-1", "id-2", "id-3", "id-4"]
    assert at.venue.most_busy == 1


async def test_before_the_first_good_beat_nothing_is_armed_and_nothing_is_gone() -> None:
    at = Rig(DOWN, DOWN)
    assert not await at.beat()
    assert not await at.beat(60)
    assert not at.chain.armed
    assert at.told == []


async def test_a_short_outage_is_no_lapse() -> None:
    at = Rig()
    await at.beat()
    at.venue.answers = [DOWN]
    await at.beat(5)
    assert await at.beat(4)
    assert at.told == []


async def test_a_lapse_is_told_once_and_its_end_after_it() -> None:
    at = Rig()
    await at.beat()
    at.venue.answers = [DOWN, DOWN, DOWN]
    for _ in range(3):
        await at.beat(6)
    assert at.told == ["gone"]
    assert not at.chain.holds
    assert await at.beat(1)
    assert at.told == ["gone", "kept"]
    assert at.chain.holds


async def test_a_beat_that_is_good_but_too_late_still_means_the_orders_are_gone() -> None:
    at = Rig()
    await at.beat()
    assert await at.beat(30)
    assert at.told == ["gone", "kept"]


async def test_a_beat_that_hangs_is_noticed_by_the_clock() -> None:
    answered = False

    async def post(_: str) -> Answered:
        nonlocal answered
        if not answered:
            answered = True
            return said({"heartbeat_id": "id-1"})
        await asyncio.Event().wait()
        return DOWN

    gone = asyncio.Event()
    chain = HeartbeatChain(
        post,
        on_missed=lambda _: gone.set(),
        on_kept=lambda: None,
        beats=Beats(every_s=0.01, lapses_s=0.05, retry_s=0.01),
    )
    running = asyncio.create_task(chain.run())
    async with asyncio.timeout(3):
        await gone.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_the_body_is_what_the_venue_documents() -> None:
    assert beat_body("") == b'{"heartbeat_id":""}'
    assert json.loads(beat_body("0f0e-1")) == {"heartbeat_id": "0f0e-1"}
