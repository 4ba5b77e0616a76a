"""Long work on the event loop, in slices between which turns run.

Law: the trader may have moved on between two slices, so what is made of one item is made in one go.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 8


async def in_slices(make: Callable[[T], R], items: Sequence[T], at_once: int = AT_ONCE) -> list[R]:
    """What `make` makes of each item, in their order."""
    made: list[R] = []
    for begin in range(0, len(items), at_once):
        if begin:
            await asyncio.sleep(0)
        made += [make(item) for item in items[begin : begin + at_once]]
    return made
