"""The engine's own servers: gone after a stated silence, back with the first answer."""

import asyncio

from polyweb.runtime.lifeline import Lifeline, Ping


class Server:
    def __init__(self) -> None:
        self.up = True
        self.asked = 0

    async def answer(self) -> str:
        self.asked += 1
        if not self.up:
            raise ConnectionRefusedError("nobody there")
        return "PONG"


async def _until(true: object, seconds: float = 5.0) -> None:
    assert callable(true)
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is waited for is a list
            await asyncio.sleep(0.01)


async def test_a_server_that_goes_is_told_once_and_told_again_when_it_answers() -> None:
    server, heard = Server(), list[str]()
    line = Lifeline("Redis", Ping(server.answer, (OSError,)), heard.append, patience_s=0.0)
    task = asyncio.create_task(line.run())
    await _until(lambda: server.asked)
    assert heard == []
    server.up = False
    await _until(lambda: heard)
    asked = server.asked
    await _until(lambda: server.asked > asked + 1)
    assert heard == ["Redis unreachable: the watchdog and the live pages are cut off"]
    server.up = True
    await _until(lambda: len(heard) == 2)
    assert heard[1] == ""
    task.cancel()


async def test_a_server_that_hangs_is_gone_too() -> None:
    heard: list[str] = []
    line = Lifeline("Redis", Ping(asyncio.Event().wait, (OSError,)), heard.append, patience_s=0.0)
    task = asyncio.create_task(line.run())
    await _until(lambda: heard)
    task.cancel()
