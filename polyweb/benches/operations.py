"""How many bytecodes a piece of work executes: what tells more work from the same work in a colder cache.

Law: never inside a timed pass, for counting slows everything down. What C does within one bytecode (the least of a
list, a copy of one) counts once.
"""

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

if sys.version_info >= (3, 12):

    def operations(work: Callable[[], None]) -> int:
        """Bytecodes until `work` returns. The same work gives the same number on every machine with this Python."""
        counted, told = 0, sys.monitoring  # tracing would miss what runs for the first time

        def step(code: CodeType, offset: int) -> None:
            nonlocal counted
            counted += 1

        told.use_tool_id(told.PROFILER_ID, __name__)
        told.register_callback(told.PROFILER_ID, told.events.INSTRUCTION, step)
        told.set_events(told.PROFILER_ID, told.events.INSTRUCTION)
        try:
            work()
        finally:
            told.set_events(told.PROFILER_ID, told.events.NO_EVENTS)
            told.register_callback(told.PROFILER_ID, told.events.INSTRUCTION, None)
            told.free_tool_id(told.PROFILER_ID)
        return counted

else:

    def operations(work: Callable[[], None]) -> int:
        """Bytecodes until `work` returns. The same work gives the same number on every machine with this Python."""
        counted = 0

        def step(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal counted
            if event == "call":
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
            elif event == "opcode":
                counted += 1
            return step

        before = sys.gettrace()
        sys.settrace(step)
        try:
            work()
        finally:
            sys.settrace(before)
        return counted
