"""A figure that is not certain: what the venue may rightly show while trades settle.

Law: values only.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Between(NamedTuple):
    """Both ends included."""

    low: int
    high: int

    def away(self, figure: int) -> int:
        """How far outside a figure lies, signed; 0 inside."""
        return min(0, figure - self.low) + max(0, figure - self.high)


def between(now: int, otherwise: Iterable[int]) -> Between:
    """`now` is what we book; each of `otherwise` is a change that the venue may show on top of it, or not."""
    low = high = now
    for change in otherwise:
        low += min(0, change)
        high += max(0, change)
    return Between(low, high)
