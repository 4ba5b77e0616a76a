"""A WebSocket connection that hands its messages on as they come: in batches, each what one read of the socket brought.

Law: only the plainest of frames are read here, whole unmasked texts, which is what a venue sends; everything else goes
to the library, frame by frame, and stays its business. No message is lost, doubled or moved before another.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

AHEAD = 1024  # messages that are kept for whoever does not listen yet; beyond, TCP slows the venue down
TEXT = 0x81  # FIN and opcode, RFC 6455, 5.2
CONTROLS = (0x88, 0x89, 0x8A)  # close, ping, pong
MASKED = 0x80
NOT_WHOLE, NOT_PLAIN = 0, -1
_END_OF_HEAD = b"\r\n\r\n"

Ear: TypeAlias = Callable[[list[bytes]], bool]
"""Takes messages, at least one; says whether it wants more at once."""


def plain_texts(data: bytes | bytearray, at: int, texts: list[bytes], most: int) -> tuple[int, int]:
    """Append the texts of the plain frames that `data` has from `at` on.

    Returns where the next frame begins, and what it is: where it ends when it is a control frame, NOT_WHOLE, or
    NOT_PLAIN: neither text nor control, in pieces, masked, or of more than `most` bytes.
    """
    size = len(data)
    while size - at >= 2:
        kind, length, begin = data[at], data[at + 1], at + 2
        if length >= 126:
            if length & MASKED:
                return at, NOT_PLAIN
            begin += 2 if length == 126 else 8
            if begin > size:
                break
            length = int.from_bytes(data[at + 2 : begin], "big")
        end = begin + length
        if kind != TEXT or length > most:
            if kind not in CONTROLS or length > most:
                return at, NOT_PLAIN
            return at, end if end <= size else NOT_WHOLE
        if end > size:
            break
        texts.append(bytes(data[begin:end]))
        at = end
    return at, NOT_WHOLE


class BatchConnection(ClientConnection):
    """Use `listen` and `rest` instead of `recv`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._messages: list[bytes] = []
        self._pieces: list[bytes] = []  # of a message the library reads
        self._head = b""  # of the connection, until it is open
        self._rest = bytearray()  # of a read, the beginning of a frame
        self._plain = False
        self._ear: Ear | None = None
        self._held = True  # nobody wants messages for the moment
        self._paused = False  # so the venue waits, too
        self._failed: BaseException | None = None
        self._lost = False
        self._stir = asyncio.Event()

    def listen(self, ear: Ear) -> None:
        """From now on `ear` gets what comes, out of the event loop's reading: it must not block."""
        self._ear = ear
        self.go_on()

    async def rest(self) -> None:
        """Until `ear` wants no more for the moment. Raises ConnectionClosed, and what `ear` raised."""
        while not self._held:
            if self._failed is not None:
                raise self._failed
            if self._lost:
                await self.recv()  # says why
            self._stir.clear()
            await self._stir.wait()

    def go_on(self) -> None:
        """More is wanted."""
        self._held = False
        self._hand_on()
        if self._paused and not self._held and not self._lost:
            self._paused = False
            self.transport.resume_reading()

    def deafen(self) -> None:
        """Nobody listens any more: what still comes is dropped."""
        self._ear = None

    def _hand_on(self) -> None:
        messages, self._messages = self._messages, []
        if not messages or self._ear is None:
            return
        try:
            wanted = self._ear(messages)
        except BaseException as error:  # noqa: BLE001 - raised again where the connection is waited for
            self._failed, self._ear = error, None
            self._stir.set()
            return
        if not wanted:
            self._held = True
            self._stir.set()
            self._pause()

    def _pause(self) -> None:
        if not self._paused and not self._lost:
            self._paused = True
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        if self._plain:
            self._read(data)
        else:
            self._leave(data)
        if not self._held:
            self._hand_on()
        elif len(self._messages) > AHEAD:
            self._pause()

    def _read(self, data: bytes | bytearray) -> None:
        rest, at = self._rest, 0
        if rest:
            rest += data
            data = rest
        while self._plain:
            at, end = plain_texts(data, at, self._messages, self.protocol.max_size or 0)
            if end == NOT_WHOLE:
                break
            self._plain = end != NOT_PLAIN
            if self._plain:
                self._leave(bytes(data[at:end]))
                self._plain, at = self.protocol.state is State.OPEN, end
        if not self._plain:
            self._leave(bytes(data[at:]))
        elif data is rest:
            del rest[:at]
        else:
            rest += data[at:]

    def _leave(self, data: bytes) -> None:
        """To the library. The head of the connection is its business, and when that came alone, frames are ours."""
        opening = self.protocol.state is State.CONNECTING
        super().data_received(data)
        if opening:
            self._head += data
            if self.protocol.state is State.OPEN:
                self._plain = self._head.find(_END_OF_HEAD) + len(_END_OF_HEAD) == len(self._head)

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._pieces.append(bytes(event.data))
        if event.fin:
            self._messages.append(b"".join(self._pieces))
            self._pieces.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost = True
        self._stir.set()
