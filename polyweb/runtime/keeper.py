"""The keeper of what a restart must not forget: breakers and memories, written with every beat as they changed.

Law: what could not be written is written next time, with newer values; nothing is marked as kept before it is stored.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Protocol

from markets.domain.units import ConditionId, Nanos
from polyweb.runtime.memory import Memories, Notebook
from polyweb.runtime.trader import Trader
from risk.domain.breakers import Breaker

LOOK_S = 0.1
AT_ONCE = 100


class Shelf(Protocol):
    """Who stores them: breakers first, all in one transaction."""

    async def keep(self, breakers: Collection[Breaker], memories: Mapping[str, str], at_ns: Nanos) -> None: ...


class Keeper:
    def __init__(self, trader: Trader, shelf: Shelf, kept: Memories) -> None:
        self._trader = trader
        self._shelf = shelf
        self._notebook = Notebook(kept)
        self._moved: dict[tuple[str, str], Breaker] = {}

    @property
    def urgent(self) -> bool:
        """Whether something changed that may not wait for the next beat."""
        return self._trader.panel.moved

    async def rest(self, seconds: float) -> None:
        """Until the next beat is due, or something happened that may not wait for it."""
        until = time.monotonic() + seconds
        await asyncio.sleep(LOOK_S)
        while time.monotonic() < until and not self.urgent:  # noqa: ASYNC110 - changed by every turn
            await asyncio.sleep(LOOK_S)

    async def keep(self, changed: Collection[ConditionId]) -> None:
        """Write what changed of these markets, of breakers, and of everything."""
        for breaker in self._trader.drain_breakers():
            self._moved[breaker.kind.value, breaker.target] = breaker
        moved = dict(self._moved)
        news: dict[str, str] = {}
        names = list(changed)
        for begin in range(0, max(len(names), 1), AT_ONCE):
            news |= self._notebook.changed(self._trader.remember(names[begin : begin + AT_ONCE]))
            await asyncio.sleep(0)  # a turn runs between two slices
        if not (moved or news):
            return
        await self._shelf.keep(list(moved.values()), news, time.time_ns())
        self._notebook.keep(news)
        for key, breaker in moved.items():
            if self._moved.get(key) is breaker:
                del self._moved[key]
