"""The feed client against a scripted socket: subscribing, keeping alive, losing and finding again."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from markets.domain.events import Frame
from markets.feed.client import FeedClient, FeedState, FeedTimes

FAST = FeedTimes(open_s=2, ping_s=0.05, silence_s=0.4, backoff_s=0.01, backoff_cap_s=0.05, resync_every_s=0.01)


class Exchange:
    """Answers pings and sends a book for every token subscribed, until told to freeze (to say nothing at all) or to
    hang up; `muted` it hears what is asked and sends no book.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.pings = 0
        self.frozen = self.muted = False
        self.connections: list[ServerConnection] = []
        self.url = ""

    async def talk(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        with suppress(ConnectionClosed):
            async for message in connection:
                if self.frozen:
                    continue
                if message == "PING":
                    self.pings += 1
                    await connection.send("PONG")
                    continue
                said = json.loads(message)
                self.heard.append(said)
                if said.get("operation") != "unsubscribe" and not self.muted:
                    await connection.send(json.dumps([{"asset_id": asset} for asset in said["assets_ids"]]))


class Inbox:
    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.states: list[FeedState] = []

    @property
    def up(self) -> list[tuple[bool, tuple[str, ...]]]:
        return [(state.up, state.assets) for state in self.states]


@asynccontextmanager
async def exchange() -> AsyncIterator[Exchange]:
    venue = Exchange()
    async with serve(venue.talk, "127.0.0.1", 0, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        venue.url = f"ws://127.0.0.1:{port}/ws/market"
        yield venue


@asynccontextmanager
async def running(url: str, inbox: Inbox, *assets: str, per_socket: int = 200) -> AsyncIterator[FeedClient]:
    client = FeedClient(
        url,
        on_frame=inbox.frames.append,
        on_state=inbox.states.append,
        rng=random.Random(1),
        times=FAST,
        tokens_per_socket=per_socket,
    )
    client.set_assets(assets)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        try:
            yield client
        finally:
            task.cancel()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for is any condition, not one event
            await asyncio.sleep(0.005)


async def test_tokens_are_subscribed_before_the_first_ping_and_their_frames_handed_on_raw() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox, "a", "b"):
        await until(lambda: venue.pings >= 2)
        assert venue.heard[0]["type"] == "market"
        assert [frame.data for frame in inbox.frames] == [b'[{"asset_id": "a"}, {"asset_id": "b"}]']
        assert inbox.frames[0].received_ns > 1_700_000_000 * 10**9
    assert inbox.up == [(True, ("a", "b")), (False, ("a", "b"))]


async def test_tokens_come_and_go_without_reconnecting() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox, "a", "b") as client:
        await until(lambda: inbox.frames)
        client.set_assets(["b", "c"])
        await until(lambda: len(inbox.frames) == 2)
        assert [said.get("operation") for said in venue.heard] == [None, "unsubscribe", "subscribe"]
        assert inbox.up[1:] == [(False, ("a",)), (True, ("c",))]
        assert len(venue.connections) == 1


async def test_many_tokens_are_spread_over_sockets() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox, *"abcde", per_socket=2) as client:
        await until(lambda: len(inbox.frames) == 3)
        assert sorted("".join(said["assets_ids"]) for said in venue.heard) == ["ab", "cd", "e"]
        client.set_assets(["a", "b"])
        await until(lambda: len(inbox.states) == 5)
        assert sorted(state.assets for state in inbox.states if not state.up) == [("c", "d"), ("e",)]
        assert len({frame.connection for frame in inbox.frames}) == 3


async def test_a_closed_connection_is_reported_and_opened_again() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox, "a") as client:
        await until(lambda: inbox.frames)
        await venue.connections[0].close()
        await until(lambda: len(inbox.frames) == 2)
        assert inbox.up == [(True, ("a",)), (False, ("a",)), (True, ("a",))]
        assert inbox.states[1].reason.startswith("closed")
        assert inbox.frames[0].connection < inbox.frames[1].connection
        assert client.reconnects == 1


async def test_a_silent_connection_is_given_up() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox, "a"):
        await until(lambda: inbox.frames)
        venue.frozen = True
        await until(lambda: len(inbox.states) >= 2)
        assert inbox.states[1].reason.startswith("dead: nothing heard for 0.4 s")
        venue.frozen = False
        await until(lambda: len(inbox.frames) >= 2)


async def test_a_resync_unsubscribes_and_subscribes_once_for_many_wishes() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox, "a", "b") as client:
        await until(lambda: inbox.frames)
        client.resync(["a"], "tops")
        client.resync(["a", "unknown"], "tops")
        await until(lambda: len(inbox.frames) == 2)
        await asyncio.sleep(0.05)
        sent = [(said.get("operation"), said["assets_ids"]) for said in venue.heard[1:]]
        assert sent == [("unsubscribe", ["a"]), ("subscribe", ["a"])]


async def test_a_venue_that_is_away_is_tried_until_it_is_back() -> None:
    inbox = Inbox()
    async with exchange() as venue:
        url = venue.url
    async with running(url, inbox, "a") as client:
        await until(lambda: client.reconnects >= 3)
    assert inbox.states == []


async def test_nothing_is_read_while_the_reader_holds_back_and_nothing_is_lost_by_it() -> None:
    inbox, full = Inbox(), True
    async with exchange() as venue:
        client = FeedClient(
            venue.url,
            on_frame=inbox.frames.append,
            on_state=inbox.states.append,
            rng=random.Random(1),
            times=FAST,
            held_back=lambda: full,
        )
        client.set_assets(["a"])
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(client.run())
            await until(lambda: venue.heard)
            await asyncio.sleep(0.1)
            assert inbox.frames == []
            full = False
            await until(lambda: inbox.frames)
            task.cancel()


async def test_twin_sockets_tell_everything_once_and_only_the_last_to_fall_takes_the_tokens_down() -> None:
    inbox = Inbox()
    raw: list[Frame] = []
    async with exchange() as venue:
        client = FeedClient(
            venue.url,
            on_frame=inbox.frames.append,
            on_state=inbox.states.append,
            rng=random.Random(1),
            times=replace(FAST, rotate_s=0.3),
            sides=2,
            on_raw=raw.append,
        )
        client.set_assets(["a"])
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(client.run())
            await until(lambda: client.sockets_up == 2)
            for connection in venue.connections:
                await connection.send('{"event_type":"book","asset_id":"a","timestamp":"1","hash":"x"}')
            await until(lambda: client.duplicates == 1)
            await until(lambda: client.endings["rotated"] >= 3)
            assert inbox.up == [(True, ("a",))]
            assert sum(frame.data.startswith(b"{") for frame in inbox.frames) == 1
            assert sum(frame.data.startswith(b"{") for frame in raw) == 2
            assert sum(side.frames for side in client.side_counts()) == len(raw)
            task.cancel()
    assert inbox.up == [(True, ("a",)), (False, ("a",))]


async def test_nothing_wanted_opens_nothing() -> None:
    inbox = Inbox()
    async with exchange() as venue, running(venue.url, inbox) as client:
        await asyncio.sleep(0.05)
        assert venue.connections == []
        client.set_assets(["a"])
        await until(lambda: inbox.frames)


def test_more_than_two_sockets_per_shard_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="must be 1 or 2"):
        FeedClient("ws://host", on_frame=print, on_state=print, rng=random.Random(1), sides=3)


@pytest.mark.parametrize("url", ["http://host/ws", "ws://", "host"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="must begin with ws://"):
        FeedClient(url, on_frame=print, on_state=print, rng=random.Random(1))


PROBING = replace(FAST, silence_s=10, opening_s=0.3, quiet_s=0.1, answer_s=0.1)


@asynccontextmanager
async def probing(venue: Exchange, inbox: Inbox, *assets: str) -> AsyncIterator[FeedClient]:
    client = FeedClient(
        venue.url, on_frame=inbox.frames.append, on_state=inbox.states.append, rng=random.Random(1), times=PROBING
    )
    client.set_assets(assets)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        try:
            yield client
        finally:
            task.cancel()


async def test_a_quiet_connection_is_asked_for_a_few_books_in_turn_and_kept_while_it_answers() -> None:
    inbox = Inbox()
    async with exchange() as venue, probing(venue, inbox, *"abcdef") as client:
        await until(lambda: len(inbox.frames) >= 4)
        asked = [said["assets_ids"] for said in venue.heard if said.get("operation") == "subscribe"]
        assert asked[:2] == [["a", "b", "c", "d"], ["e", "f", "a", "b"]]
        assert (len(venue.connections), client.reconnects) == (1, 0)
    assert inbox.up == [(True, tuple("abcdef")), (False, tuple("abcdef"))]


async def test_a_connection_that_owes_an_answer_is_frozen_and_the_next_one_is_up_when_it_speaks() -> None:
    inbox = Inbox()
    async with exchange() as venue, probing(venue, inbox, "a") as client:
        await until(lambda: inbox.frames)
        venue.frozen = True
        await until(lambda: client.endings["frozen"] >= 2)
        assert [(state.up, state.frozen) for state in inbox.states] == [(True, False), (False, True)]
        venue.frozen = False
        await until(lambda: len(inbox.states) == 3)
        assert inbox.states[2].up


async def test_tokens_wanted_before_a_connection_spoke_are_asked_for_and_come_up_with_it() -> None:
    inbox = Inbox()
    async with exchange() as venue, probing(venue, inbox, "a") as client:
        venue.muted = True
        await until(lambda: venue.heard)
        client.set_assets(["a", "b"])
        await until(lambda: len(venue.heard) == 2)
        venue.muted = False
        await venue.connections[0].send("[]")
        await until(lambda: inbox.states)
        assert inbox.up == [(True, ("a", "b"))]


async def test_how_soon_a_connection_is_found_frozen_does_not_depend_on_what_its_opening_was_allowed() -> None:
    inbox = Inbox()
    async with exchange() as venue:
        times = replace(PROBING, opening_s=60, ping_s=60, silence_s=120)
        client = FeedClient(
            venue.url, on_frame=inbox.frames.append, on_state=inbox.states.append, rng=random.Random(1), times=times
        )
        client.set_assets(["a"])
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(client.run())
            await until(lambda: inbox.frames)
            venue.frozen = True
            await until(lambda: len(inbox.states) == 2)
            task.cancel()
    assert inbox.states[1].reason == "dead: no book within 0.1 s"
