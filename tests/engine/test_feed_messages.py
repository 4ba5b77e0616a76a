"""Messages taken in batches: whole, in order and once each, however the bytes arrive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from markets.feed.messages import AHEAD, BatchConnection

PATIENCE_S = 10.0
LARGEST = 1 << 20
CLOSE, PONG = 0x88, 0x8A


def text(message: bytes) -> bytes:
    return Frame(Opcode.TEXT, message).serialize(mask=False)


def control(kind: Opcode, data: bytes = b"") -> bytes:
    return Frame(kind, data).serialize(mask=False)


def in_pieces(*pieces: bytes) -> bytes:
    kinds = [Opcode.TEXT, *(Opcode.CONT for _ in pieces[1:])]
    frames = (
        Frame(kind, piece, fin=number == len(pieces))
        for number, (kind, piece) in enumerate(zip(kinds, pieces, strict=True), start=1)
    )
    return b"".join(frame.serialize(mask=False) for frame in frames)


class Venue:
    """Says exactly these bytes, in these portions, and keeps what it is told after the head."""

    def __init__(self, portions: Sequence[bytes], *, with_head: bool = False, hang_up: bool = False) -> None:
        self.portions = portions
        self.with_head = with_head
        self.hang_up = hang_up
        self.told = b""
        self.said = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
        accepted = f"Sec-WebSocket-Accept: {accept_key(key)}"
        lines = ("HTTP/1.1 101 Welcome", "Upgrade: websocket", "Connection: Upgrade", accepted, "", "")
        writer.write("\r\n".join(lines).encode() + (self.portions[0] if self.with_head else b""))
        with suppress(ConnectionError):
            for portion in self.portions[self.with_head :]:
                await writer.drain()
                await asyncio.sleep(0.001)
                writer.write(portion)
                self.said += 1
            if self.hang_up:
                writer.close()
            while told := await reader.read(65_536):
                self.told += told
                if told[0] == CLOSE:
                    break
        writer.close()


@asynccontextmanager
async def connected(venue: Venue) -> AsyncIterator[BatchConnection]:
    server = await asyncio.start_server(venue.talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.timeout(PATIENCE_S):
        url = f"ws://127.0.0.1:{port}/"
        async with connect(
            url, create_connection=BatchConnection, compression=None, max_size=LARGEST, close_timeout=0.1
        ) as connection:
            assert isinstance(connection, BatchConnection)
            yield connection


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario()

    asyncio.run(whole())


async def heard(connection: BatchConnection, count: int) -> list[bytes]:
    """The first messages; what comes after them is kept for who listens next."""
    messages: list[bytes] = []

    def hear(batch: list[bytes]) -> bool:
        messages.extend(batch)
        return len(messages) < count

    connection.listen(hear)
    await connection.rest()
    return messages


async def to_the_end(connection: BatchConnection) -> None:
    while True:
        connection.go_on()
        await connection.rest()


def portions_of(data: bytes, rng: Random) -> list[bytes]:
    cuts = sorted(rng.sample(range(1, len(data)), 12))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize("seed", range(12))
def test_texts_come_whole_in_order_and_once_however_they_are_cut(seed: int) -> None:
    rng = Random(seed)
    sizes = [rng.choice((0, 1, 125, 126, 127, 700, 65_535, 65_536, 200_000)) for _ in range(20)]
    messages = [bytes([65 + number]) * size for number, size in enumerate(sizes)]

    async def scenario() -> None:
        async with connected(Venue(portions_of(b"".join(map(text, messages)), rng))) as connection:
            assert await heard(connection, len(messages)) == messages

    run(scenario)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_stands_between_texts_keeps_its_place(seed: int) -> None:
    """Pings, and what only the library reads: messages in pieces, with a ping between two pieces, and binary ones."""
    rng = Random(seed)
    ping, binary = control(Opcode.PING, b"?"), control(Opcode.BINARY, b"binary")
    odd = text(b"one") + ping + text(b"two") + in_pieces(b"th", b"", b"ree") + text(b"four") + binary + ping
    odd += text(b"six") + in_pieces(b"se", b"ven")[:4] + ping + in_pieces(b"se", b"ven")[4:] + text(b"eight")

    async def scenario() -> None:
        async with connected(Venue(portions_of(odd, rng))) as connection:
            told = await heard(connection, 8)
        assert told == [b"one", b"two", b"three", b"four", b"binary", b"six", b"seven", b"eight"]

    run(scenario)


def test_what_comes_with_the_head_is_not_lost() -> None:
    async def scenario() -> None:
        portions = [text(b"one") + text(b"two")[:2], text(b"two")[2:] + text(b"three")]
        async with connected(Venue(portions, with_head=True)) as connection:
            assert await heard(connection, 3) == [b"one", b"two", b"three"]

    run(scenario)


def test_a_ping_between_texts_is_answered() -> None:
    async def scenario() -> None:
        venue = Venue([text(b"one") + control(Opcode.PING, b"?") + text(b"two")])
        async with connected(venue) as connection:
            assert await heard(connection, 2) == [b"one", b"two"]
            while not venue.told:  # noqa: ASYNC110 - a script has no event
                await asyncio.sleep(0.01)
        assert venue.told[0] == PONG

    run(scenario)


def test_what_came_before_the_end_is_still_taken_and_then_the_end_is_said() -> None:
    async def scenario() -> None:
        goodbye = control(Opcode.CLOSE, (1001).to_bytes(2, "big"))
        venue = Venue([text(b"one") + text(b"two") + goodbye + text(b"never")], hang_up=True)
        async with connected(venue) as connection:
            assert await heard(connection, 2) == [b"one", b"two"]
            with pytest.raises(ConnectionClosed) as ended:
                await to_the_end(connection)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001

    run(scenario)


def test_a_connection_that_breaks_off_in_a_message_ends_with_an_error() -> None:
    async def scenario() -> None:
        async with connected(Venue([text(b"one") + text(b"two" * 100)[:50]], hang_up=True)) as connection:
            assert await heard(connection, 1) == [b"one"]
            with pytest.raises(ConnectionClosedError):
                await to_the_end(connection)

    run(scenario)


def test_a_message_that_is_too_large_ends_the_connection_with_its_code() -> None:
    async def scenario() -> None:
        async with connected(Venue([text(b"one") + text(b"x" * (LARGEST + 1))])) as connection:
            assert await heard(connection, 1) == [b"one"]
            with pytest.raises(ConnectionClosedError) as ended:
                await to_the_end(connection)
        assert ended.value.sent is not None
        assert ended.value.sent.code == 1009

    run(scenario)


def test_a_masked_frame_ends_the_connection() -> None:
    """A server must not mask (RFC 6455, 5.1)."""

    async def scenario() -> None:
        masked = Frame(Opcode.TEXT, b"x" * 200).serialize(mask=True)
        async with connected(Venue([text(b"one") + masked])) as connection:
            assert await heard(connection, 1) == [b"one"]
            with pytest.raises(ConnectionClosedError) as ended:
                await to_the_end(connection)
        assert ended.value.sent is not None
        assert ended.value.sent.code == 1002

    run(scenario)


def test_who_does_not_listen_yet_slows_the_venue_down_and_loses_nothing() -> None:
    async def scenario() -> None:
        message = b"x" * 20_000
        venue = Venue([text(message) * AHEAD] * 4)
        async with connected(venue) as connection:
            await asyncio.sleep(0.3)
            assert venue.said < 4
            assert await heard(connection, 4 * AHEAD) == [message] * 4 * AHEAD

    run(scenario)


def test_who_wants_no_more_for_a_while_slows_the_venue_down_and_loses_nothing() -> None:
    async def scenario() -> None:
        messages = [b"%d" % number * 5_000 for number in range(4_000)]
        portions = [b"".join(map(text, messages[begin : begin + 1_000])) for begin in range(0, 4_000, 1_000)]
        venue, told = Venue(portions, hang_up=True), list[bytes]()

        def hear(batch: list[bytes]) -> bool:
            told.extend(batch)
            return False

        async with connected(venue) as connection:
            connection.listen(hear)
            await connection.rest()
            await asyncio.sleep(0.3)
            assert venue.said < 4
            assert len(told) < len(messages)
            with pytest.raises(ConnectionClosed):
                await to_the_end(connection)
        assert told == messages

    run(scenario)


def test_what_breaks_the_listener_breaks_who_waits_for_it() -> None:
    def hear(_: list[bytes]) -> bool:
        raise ZeroDivisionError("of the listener's own making")

    async def scenario() -> None:
        async with connected(Venue([text(b"one"), text(b"two")])) as connection:
            connection.listen(hear)
            with pytest.raises(ZeroDivisionError, match="of the listener's own making"):
                await connection.rest()

    run(scenario)


def test_nobody_is_told_any_more_after_the_listener_has_left() -> None:
    async def scenario() -> None:
        told: list[bytes] = []
        venue = Venue([text(b"one"), *[text(b"more")] * 50])

        def hear(batch: list[bytes]) -> bool:
            told.extend(batch)
            return True

        async with connected(venue) as connection:
            connection.listen(hear)
            while not told:  # noqa: ASYNC110 - the point is what the listener got
                await asyncio.sleep(0.001)
            connection.deafen()
            before = len(told)
            while venue.said < 51:  # noqa: ASYNC110 - a script has no event
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        assert len(told) == before < 51

    run(scenario)
