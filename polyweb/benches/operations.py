"""How many bytecodes a piece of work executes: what tells more work from the same work in a colder cache.

Law: never inside a timed pass, for counting slows everything down. What C does within one bytecode (the least of a
list, a copy of one) counts once.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


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
