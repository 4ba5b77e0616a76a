"""Does the hash recipe still reproduce? One answer for all markets, because the venue changes it for all at once.

Law: one match is proof that the recipe works, for a SHA-1 is not hit by chance. Misses are counted only of markets
whose hash has come out before, and several must miss with no match between: a lone market accuses itself. A recipe
in doubt accuses nobody: the other checks go on alone, alerts count it, and trading does not stop.
"""

from enum import StrEnum

from markets.domain.book_hash import Recipe
from markets.domain.units import ConditionId

MISSES_TO_DOUBT = 6
MARKETS_TO_DOUBT = 3
MANY_MARKETS = 16
MISSES_TO_ABANDON = 60
TRIED_WHEN_ABANDONED = 16


class RecipeState(StrEnum):
    """REPRODUCES: a miss accuses its book. DOUBTED: misses everywhere. ABANDONED: tried now and then only."""

    REPRODUCES = "reproduces"
    DOUBTED = "doubted"
    ABANDONED = "abandoned"


class Finding(StrEnum):
    MATCH = "match"
    MISSES_EVERYWHERE = "misses_everywhere"
    STILL_MISSING = "still_missing"


TRANSITIONS: dict[tuple[RecipeState, Finding], RecipeState] = {
    (RecipeState.REPRODUCES, Finding.MATCH): RecipeState.REPRODUCES,
    (RecipeState.REPRODUCES, Finding.MISSES_EVERYWHERE): RecipeState.DOUBTED,
    (RecipeState.REPRODUCES, Finding.STILL_MISSING): RecipeState.DOUBTED,
    (RecipeState.DOUBTED, Finding.MATCH): RecipeState.REPRODUCES,
    (RecipeState.DOUBTED, Finding.MISSES_EVERYWHERE): RecipeState.DOUBTED,
    (RecipeState.DOUBTED, Finding.STILL_MISSING): RecipeState.ABANDONED,
    (RecipeState.ABANDONED, Finding.MATCH): RecipeState.REPRODUCES,
    (RecipeState.ABANDONED, Finding.MISSES_EVERYWHERE): RecipeState.ABANDONED,
    (RecipeState.ABANDONED, Finding.STILL_MISSING): RecipeState.ABANDONED,
}


class RecipeWatch:
    """`recipe` is the one that matched last; `moves` counts how often each state was entered."""

    def __init__(self) -> None:
        self.state = RecipeState.REPRODUCES
        self.recipe = Recipe.TEN_FIELDS
        self.matches: dict[Recipe, int] = {}
        self.moves: dict[RecipeState, int] = {}
        self._proven: dict[ConditionId, None] = {}
        self._missing: dict[ConditionId, None] = {}
        self._misses = 0
        self._skipped = 0

    @property
    def accuses(self) -> bool:
        return self.state is RecipeState.REPRODUCES

    def worth_trying(self) -> bool:
        """Whether the next check should be made at all; an abandoned recipe is tried once in a while."""
        if self.state is not RecipeState.ABANDONED:
            return True
        self._skipped = (self._skipped + 1) % TRIED_WHEN_ABANDONED
        return self._skipped == 0

    def matched(self, market: ConditionId, recipe: Recipe) -> None:
        self.recipe = recipe
        self.matches[recipe] = self.matches.get(recipe, 0) + 1
        self._proven[market] = None
        self._misses = 0
        self._missing.clear()
        self._move(Finding.MATCH)

    def missed(self, market: ConditionId) -> None:
        if market not in self._proven:
            return  # its facts may be wrong: that says nothing of the recipe
        self._misses += 1
        self._missing[market] = None
        if self._misses >= MISSES_TO_DOUBT and len(self._missing) >= self._markets_to_doubt():
            abandon = self._misses >= MISSES_TO_ABANDON
            self._move(Finding.STILL_MISSING if abandon else Finding.MISSES_EVERYWHERE)

    def _markets_to_doubt(self) -> int:
        """Half of those that have reproduced, and several: one or two bad books say nothing of the recipe."""
        return max(MARKETS_TO_DOUBT, min(MANY_MARKETS, (len(self._proven) + 1) // 2))

    def forget(self, market: ConditionId) -> None:
        self._proven.pop(market, None)
        self._missing.pop(market, None)

    def _move(self, finding: Finding) -> None:
        after = TRANSITIONS[self.state, finding]
        if after is not self.state:
            self.state = after
            self.moves[after] = self.moves.get(after, 0) + 1
