"""`bench quote --load`: what the venue is to say, that it says all of it, and what is made of the times."""

import asyncio
import itertools
import json
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from django.core.management import CommandError, call_command

from execution.sandbox.listing import build_listing
from execution.sandbox.server import serving
from markets.domain.decode import decode
from markets.domain.events import Frame, PriceChange, Side
from markets.feed.client import FeedClient
from polyweb.benches import load_report, load_script
from polyweb.benches.load_report import Told, bursts, longest_queue, turns
from polyweb.benches.load_script import Plan, Script
from polyweb.benches.load_venue import Announcer

START_MS = 1_800_000_000_000
TINY = Plan(markets=4, rate=40, burst=200, seconds=2)
SPECS = [spec for event in build_listing(7, 10) for spec in event.open_markets if not spec.is_other][:4]


@pytest.fixture(scope="module")
def script() -> Script:
    return load_script.write(TINY, SPECS, START_MS)


def frames_of(data: bytes) -> list[bytes]:
    """Unmasked WebSocket text frames apart again, by the letter of RFC 6455."""
    found: list[bytes] = []
    while data:
        assert data[0] == 0x81
        length, at = data[1], 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        found.append(data[at : at + length])
        data = data[at + length :]
    return found


def test_every_second_of_the_script_has_its_messages_and_the_burst_its_own(script: Script) -> None:
    by_second = [sum(say.messages for slot in script.slots[at : at + 1_000] for say in slot) for at in (0, 1_000)]
    assert TINY.bursts_ms() == [(1_000, 2_000)]
    # An act is told whole: a second may begin with what was left of the one before.
    assert abs(by_second[0] - 40) <= 4
    assert abs(by_second[1] - 200) <= 4
    assert script.messages == sum(by_second)


def test_a_longer_run_has_a_burst_in_the_middle_of_every_ten_seconds() -> None:
    assert Plan(1, 1, 1, 30).bursts_ms() == [(5_000, 6_000), (15_000, 16_000), (25_000, 26_000)]


def test_the_script_tells_the_books_that_are_kept_beside_it(script: Script) -> None:
    levels = [{Side.BUY: dict(state.bids), Side.SELL: dict(state.asks)} for state in script.opening]
    changes = 0
    for saying in itertools.chain.from_iterable(script.slots):
        yes, known = SPECS[saying.market].asset_ids[0], levels[saying.market]
        for event in itertools.chain.from_iterable(decode(frame) for frame in frames_of(saying.data)):
            if isinstance(event, PriceChange):
                for each in event.changes:
                    if each.asset == yes:
                        changes += 1
                        known[each.side][each.price] = each.size
        if saying.state is not None:
            told = {side: {price: size for price, size in by.items() if size} for side, by in known.items()}
            assert told == {Side.BUY: saying.state.bids, Side.SELL: saying.state.asks}
    assert changes > 100


async def test_a_client_on_a_real_socket_hears_all_of_it(tmp_path: Path) -> None:
    told = tmp_path / "times.json"
    announcer = Announcer(TINY, told)
    heard: list[Frame] = []
    up = asyncio.Event()
    assets = [token for spec in announcer.chosen for token in spec.asset_ids]
    async with serving(announcer) as running, aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        client = FeedClient(running.ws, on_frame=heard.append, on_state=lambda _: up.set(), rng=Random(1))
        client.set_assets(assets)
        following = tasks.create_task(client.run())
        await up.wait()
        while not heard:  # noqa: ASYNC110 - the opening books, over a socket
            await asyncio.sleep(0.02)
        async with session.post(f"{running.http}/bench/start") as answer:
            said = await answer.json()
        sent = sum(json.loads(told.read_text())["messages"])
        while len(heard) <= sent:  # noqa: ASYNC110 - the last ones are on their way
            await asyncio.sleep(0.02)
        following.cancel()
    assert sum(said["by_type"].values()) == sent == len(heard) - 1  # the books it was greeted with
    assert client.reconnects == 0


# What is made of the times


def a_run(*decided: tuple[float, list[int]], slots: int = 4_000) -> Told:
    """Turns: the millisecond each decided at, and the milliseconds of the script it took up, one message in each."""
    taken = [slot for _, slots_of_turn in decided for slot in slots_of_turn]
    seen: dict[str, Any] = {
        "received_ns": [slot * 1_000_000 + 100_000 for slot in taken],
        "stamps_ms": [START_MS + slot for slot in taken],
        "decided_ns": [int(at * 1e6) for at, _ in decided],
        "in_turn": [len(slots_of_turn) for _, slots_of_turn in decided],
        "processor_ns": [],
    }
    times = {"start_ms": START_MS, "sent_ns": [slot * 1_000_000 for slot in range(slots)], "messages": [1] * slots}
    return Told(times, {}, seen, 1, alone=True)


PLAN = Plan(markets=1, rate=1_000, burst=1_000, seconds=4)  # its burst is the third second


def test_a_message_waits_from_its_sending_until_its_turn_has_decided() -> None:
    (turn,) = turns(a_run((7.5, [4, 6])))
    assert [each.waited_ms for each in turn] == [3.5, 1.5]
    assert [(each.decided_ns - each.received_ns) / 1e6 for each in turn] == [3.4, 1.4]


def test_opening_books_are_no_messages_of_the_script() -> None:
    assert list(turns(a_run((7.5, [-60_000])))) == [[]]


def test_a_burst_is_over_when_nothing_in_a_turn_had_waited_too_long() -> None:
    told = a_run((3_100.0, [2_500, 3_099]), (3_250.0, [3_246, 3_249]), (3_300.0, [3_299]))
    (burst,) = bursts(PLAN, told, list(turns(told)))
    assert burst.drained_s == pytest.approx(0.251)


def test_a_queue_that_stays_is_said_and_ends_the_burst_two_seconds_on() -> None:
    told = a_run((3_900.0, [2_500]))
    (burst,) = bursts(PLAN, told, list(turns(told)))
    assert burst.drained_s is None
    assert burst.over_ns == (2_999 + int(load_report.SETTLE_S * 1e3)) * 1_000_000


def test_the_queue_is_what_was_sent_and_is_newer_than_the_newest_decided() -> None:
    told = a_run((10.5, [3, 4]), (11.5, [11]))
    assert longest_queue(told, list(turns(told))) == 6  # of milliseconds 5 to 10


# The whole of it


def output(*arguments: object) -> str:
    out = StringIO()
    call_command("bench", "quote", "--load", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_an_engine_in_a_process_of_its_own_hears_and_decides_everything() -> None:
    found = json.loads(
        output("--sqlite", "--markets", 4, "--rate", 40, "--burst", 200, "--seconds", 2, "--json"),
    )
    messages = found["messages"]
    assert messages["sent"] == messages["received"] + messages["merged"] > 200
    assert messages["lost"] == 0
    assert (found["markets"], found["quoting"], found["database"]) == (4, 4, "sqlite")
    assert found["outside_bursts"]["messages"] + found["in_bursts"]["messages"] == messages["received"]
    assert len(found["drained_s"]) == 1
    assert found["decisions"] > 0
    assert found["overflows"] == found["session_dropped"] == 0


@pytest.mark.parametrize("wrong", [("--rate", "0"), ("--seconds", "1000000")])
def test_a_load_that_cannot_be_prepared_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="--rate"):
        output(*wrong)
