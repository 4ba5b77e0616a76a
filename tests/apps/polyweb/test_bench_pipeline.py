"""`bench pipeline`: the venue's clock, the plain loop, and what is made of their times."""

import asyncio
from io import StringIO
from typing import Any

import aiohttp
import pytest
from django.core.management import CommandError, call_command

from execution.domain.commands import Command
from execution.sandbox.server import serving
from markets.domain.events import Frame
from polyweb.benches.pipeline import STAGES, Answers, _stages, percentile
from polyweb.benches.pipeline_plain import loop
from polyweb.benches.pipeline_venue import Stage
from polyweb.benches.stopwatch import Stopwatch
from tests.execution_builders import place


async def test_the_plain_loop_answers_a_book_that_appears_and_the_venue_takes_the_time() -> None:
    stage = Stage(2)
    here, there = stage.chosen
    async with serving(stage) as running, aiohttp.ClientSession() as session:
        tokens = {each.condition_id: each.asset_ids for each in (here, there)}
        plain = asyncio.create_task(loop(running.http, running.ws, tokens))
        while not stage.listeners:  # noqa: ASYNC110 - a socket is between us
            await asyncio.sleep(0.02)
        async with session.post(f"{running.http}/bench/show", json=[here.condition_id]) as answer:
            (shown,) = await answer.json()
        plain.cancel()
        await asyncio.wait({plain})
    assert (shown["market"], shown["orders"]) == (here.condition_id, 2)
    assert shown["asked_ns"] > shown["shown_ns"]
    assert len(stage.venue.orders) == 2


def a_sample(market: str, shown_us: int, asked_us: int, orders: int = 2) -> dict[str, Any]:
    return {"market": market, "shown_ns": shown_us * 1_000, "asked_ns": asked_us * 1_000, "orders": orders}


def test_throughput_counts_orders_from_the_first_frame_to_the_last_request() -> None:
    crowd = [a_sample("a", 0, 1_000), a_sample("b", 500, 2_000, 4), a_sample("c", 700, 0, 0)]
    answers = Answers([a_sample("s", 0, 900), a_sample("t", 0, 0, 0)], crowd)
    assert answers.orders_per_s() == pytest.approx(6 / 0.002)
    assert (answers.latencies_us(), answers.unanswered) == ([900.0], 2)


def test_stages_lie_between_the_venues_two_times_and_add_up_to_the_whole() -> None:
    audit = {
        "market": "a", "decided_ns": 400_000, "waited_us": 50, "apply_us": 30.0, "decide_us": 40.0, "gate_us": 10.0,
        "queue_us": 100, "sign_us": 60, "journal_us": 300,
    }  # fmt: skip
    stages = _stages([a_sample("a", 0, 1_000), a_sample("unheard", 0, 0)], [audit])
    assert {name: us for name, (us,) in stages.items()} == {
        "frame_in": 350.0, "wait": 50, "apply": 30.0, "decide": 40.0, "gate": 10.0, "hand_over": 20.0, "sign": 60,
        "journal": 300, "send": 140.0,
    }  # fmt: skip
    assert sum(us for (us,) in stages.values()) == 1_000
    assert tuple(stages) == STAGES


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.95, 0.99)] == [2.0, 4.0, 4.0]
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95.0


class Still:
    """A trader that decides one plan and then nothing."""

    def __init__(self) -> None:
        self.applied: list[object] = []
        self.commands: list[Command] = [place("plan-1")]

    def apply(self, item: object) -> None:
        self.applied.append(item)

    def decide(self, now_ns: int) -> list[Command]:
        decided, self.commands = self.commands, []
        return decided


def test_a_stopwatch_changes_no_decision_and_knows_its_stages() -> None:
    trader = Still()
    watch = Stopwatch(trader)  # type: ignore[arg-type]  # what it uses of one
    watch.apply(Frame(1, 0, b"{}"))
    assert watch.decide(2) == [place("plan-1")]
    assert watch.decide(3) == []
    assert trader.applied == [Frame(1, 0, b"{}")]
    assert watch.stages["plan-1"].keys() == {"apply_us", "decide_us", "gate_us"}
    assert watch.commands == []


@pytest.mark.parametrize(("option", "value"), [("--samples", 1), ("--samples", 401), ("--crowd", 301)])
def test_more_than_the_venue_takes_is_refused(option: str, value: int) -> None:
    with pytest.raises(CommandError, match="must be between"):
        call_command("bench", "pipeline", option, str(value), stdout=StringIO())
