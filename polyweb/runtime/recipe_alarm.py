"""Tells a person when the recipe of book hashes stops reproducing, and takes it back when it does again.

Law: it judges nothing and stops nothing; the books do without hashes meanwhile. One incident for the whole episode.
"""

from collections.abc import Callable
from dataclasses import dataclass

from execution.engine import Trouble
from markets.domain.recipe_watch import RecipeState

KEY = "hash_recipe"
TEXTS = {
    RecipeState.DOUBTED: "the venue's book hashes stopped coming out in several markets at once: no book is accused by"
    " one until they do again, the other checks go on",
    RecipeState.ABANDONED: "the venue's book hashes do not come out any more and are hardly tried: dropped changes are"
    " now found by best prices, snapshots and the audit only",
}


@dataclass(frozen=True, slots=True)
class Settled:
    """The trouble of this key is over."""

    key: str


class RecipeAlarm:
    """One per engine. An incident that an earlier engine left open is over with the first hash that comes out."""

    def __init__(self, on_trouble: Callable[[Trouble], None], on_settled: Callable[[str], None]) -> None:
        self._on_trouble = on_trouble
        self._on_settled = on_settled
        self._told: RecipeState | None = None

    def look(self, state: RecipeState, *, matched: bool) -> None:
        """`matched`: whether any hash has come out since the engine started; without one nothing is known."""
        if state is self._told or (state is RecipeState.REPRODUCES and not matched):
            return
        self._told = state
        if state is RecipeState.REPRODUCES:
            self._on_settled(KEY)
        else:
            self._on_trouble(Trouble(KEY, KEY, TEXTS[state]))
