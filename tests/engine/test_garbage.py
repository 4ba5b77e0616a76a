"""What the garbage collector may do to an engine that has started."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from polyweb.runtime import garbage


class Knot:
    """Holds itself: only the collector finds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_start_up_built_is_never_looked_through_again() -> None:
    kept = Knot()
    garbage.settle()
    assert not any(each is kept for each in gc.get_objects())


def test_what_start_up_left_behind_is_not_kept_for_good() -> None:
    left = weakref.ref(Knot())
    garbage.settle()
    assert left() is None


def test_thousands_of_values_may_wait_for_a_second_without_a_search() -> None:
    garbage.settle()
    before = gc.get_stats()[0]["collections"]
    waiting = [[number] for number in range(20_000)]
    assert gc.get_stats()[0]["collections"] == before
    assert len(waiting) == 20_000


def test_knots_are_still_found_in_the_end() -> None:
    garbage.settle()
    before = gc.get_stats()[0]["collected"]
    for _ in range(2 * garbage.YOUNG):
        Knot()
    assert gc.get_stats()[0]["collected"] > before
