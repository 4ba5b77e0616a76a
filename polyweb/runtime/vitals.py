"""The engine's own health, measured twice a second: how late its loop wakes, how long its rows take.

Law: it measures and says so through the inbox, once per change and while something is wrong; breakers decide.
"""

import asyncio
import time
from collections.abc import Callable

from markets.domain.units import Nanos
from polyweb.runtime.inbox import Item, Sensed
from risk.domain.breakers import BreakerKind
from risk.domain.thresholds import Thresholds

LOOK_S = 0.5


class Vitals:
    """`beaten` is called when a beat's rows are written; `beat_s` is how often that should be."""

    def __init__(
        self,
        *,
        lag_ms: Callable[[], float],
        thresholds: Callable[[], Thresholds],
        push: Callable[[Item], None],
        beat_s: float,
        now_ns: Callable[[], Nanos] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lag_ms = lag_ms
        self._thresholds = thresholds
        self._push = push
        self._beat_s = beat_s
        self._now_ns = now_ns
        self._clock = clock
        self._beaten = clock()
        self._wrong: dict[BreakerKind, bool] = {}

    def beaten(self) -> None:
        self._beaten = self._clock()

    async def run(self) -> None:
        self._beaten = self._clock()
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        terms, lag_ms = self._thresholds(), self._lag_ms()
        late = f"the loop woke {lag_ms:.0f} ms late" if lag_ms >= terms.lag_ms else ""
        self._say(BreakerKind.LOOP_LAG, late)
        waited_ms = (self._clock() - self._beaten - self._beat_s) * 1_000
        slow = f"the engine's rows have been {waited_ms:.0f} ms late" if waited_ms >= terms.database_ms else ""
        self._say(BreakerKind.DATABASE, slow)

    def _say(self, kind: BreakerKind, wrong: str) -> None:
        if wrong or self._wrong.get(kind):
            self._push(Sensed(self._now_ns(), kind, wrong))
        self._wrong[kind] = bool(wrong)
