"""Where the time of a decision goes: a trader that is looked at while it works.

Law: it changes nothing that is decided. Measured is wall time between entering and leaving; what is inside another
figure is taken out of it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from execution.domain.commands import Command, Place
from markets.domain.events import Frame
from markets.domain.units import Nanos
from polyweb.runtime.inbox import Item
from polyweb.runtime.trader import Trader
from risk.domain import gate

Stages = dict[str, float]


class Stopwatch:
    """Stands before the trader in the loop. `stages` are microseconds by plan id: of the turn that decided it."""

    def __init__(self, trader: Trader) -> None:
        self._trader = trader
        self._apply_ns = 0
        self._gate_ns = 0
        self.stages: dict[str, Stages] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trader, name)

    def apply_all(self, items: Sequence[Item]) -> None:
        """What else waits in a turn with frames, a tick or an answer, is counted with them."""
        began = time.perf_counter_ns()
        self._trader.apply_all(items)
        if any(isinstance(item, Frame) for item in items):
            self._apply_ns += time.perf_counter_ns() - began

    def decide(self, now_ns: Nanos) -> list[Command]:
        self._gate_ns, began = 0, time.perf_counter_ns()
        commands = self._trader.decide(now_ns)
        taken = time.perf_counter_ns() - began
        for command in commands:
            if isinstance(command, Place):
                self.stages[command.plan_id] = {
                    "apply_us": self._apply_ns / 1e3,
                    "decide_us": (taken - self._gate_ns) / 1e3,
                    "gate_us": self._gate_ns / 1e3,
                }
        self._apply_ns = 0
        return commands

    def watch_the_gate(self) -> None:
        """For the rest of this process: the gate is a module's function, so it is exchanged there."""
        vars(gate)["evaluate_quotes"] = self._timed(gate.evaluate_quotes)

    def _timed(self, judge: Callable[..., Any]) -> Callable[..., Any]:
        def judged(*given: Any, **named: Any) -> Any:
            began = time.perf_counter_ns()
            try:
                return judge(*given, **named)
            finally:
                self._gate_ns += time.perf_counter_ns() - began

        return judged
