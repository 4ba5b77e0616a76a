"""The watch: fires exactly when a look without fees would find a gap, and survives a new list of markets."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.market import Generation, Market
from markets.domain.units import PRICE_ONE
from strategies.domain.dutch_watch import DutchWatch
from tests.dutch_builders import market

TOPS = st.integers(0, 100).map(lambda cents: cents * 100)
CHANGES = st.lists(st.tuples(st.integers(0, 2), TOPS, TOPS), max_size=30)


def three(generation: Generation = Generation.V1) -> list[Market]:
    return [market(f"m{at}", set_size=3, generation=generation) for at in range(3)]


def pays(tops: dict[str, tuple[int, int]], changed: str, generation: Generation) -> int:
    """The best of all gaps the changed market is part of, in price units before fees."""
    sums = [PRICE_ONE - sum(tops[changed]), sum(PRICE_ONE - no for _, no in tops.values()) - PRICE_ONE]
    if generation is Generation.V1:
        sums.append(PRICE_ONE - sum(yes for yes, _ in tops.values()))
    return max(sums)


@given(CHANGES, st.integers(0, 300), st.sampled_from([Generation.V1, Generation.V2]))
def test_the_watch_fires_exactly_when_a_look_without_fees_would_find_a_set(
    changes: list[tuple[int, int, int]], min_edge: int, generation: Generation
) -> None:
    members = three(generation)
    watch = DutchWatch(members, min_edge)
    tops = {member.condition_id: (PRICE_ONE, PRICE_ONE) for member in members}
    for at, yes, no in changes:
        changed = f"m{at}"
        fired = watch.update(changed, yes, no)
        tops[changed] = (yes or PRICE_ONE, no or PRICE_ONE)
        assert fired == (pays(tops, changed, generation) >= max(min_edge, 1))


@given(CHANGES, CHANGES)
def test_a_list_of_markets_told_again_in_between_changes_nothing(
    first: list[tuple[int, int, int]], then: list[tuple[int, int, int]]
) -> None:
    members = three()
    steady, told_again = DutchWatch(members), DutchWatch(members)
    for at, yes, no in first:
        steady.update(f"m{at}", yes, no)
        told_again.update(f"m{at}", yes, no)
    told_again.set_markets([market("stranger"), *reversed(members)])
    told_again.set_markets([replace(members[0], tick=10), *members[1:]])
    for at, yes, no in then:
        assert steady.update(f"m{at}", yes, no, 5) == told_again.update(f"m{at}", yes, no, 5)
        assert steady.is_open("ev") == told_again.is_open("ev")


def test_the_watch_remembers_when_the_gap_opened() -> None:
    watch = DutchWatch([market("m")])
    assert not watch.update("m", 5000, None, 1)
    assert watch.update("m", 5000, 4900, 2)
    assert watch.update("m", 4900, 4900, 3)
    assert watch.opened_ns("ev") == 2
    watch.set_markets([replace(market("m"), tick=10)])
    assert (watch.is_open("ev"), watch.opened_ns("ev")) == (True, 2)
    assert not watch.update("m", 5000, 5000, 4)
    assert not watch.is_open("ev")
    assert watch.update("m", 5000, 4000, 5)
    assert watch.opened_ns("ev") == 5


@pytest.mark.parametrize(
    "spoilt", [{"augmented": True}, {"other": True}, {"set_size": 3}, {"accepting_orders": False}, {"delayed": True}]
)
def test_what_may_never_be_a_set_is_told_once_when_it_opens(spoilt: dict[str, Any]) -> None:
    watch = DutchWatch([market("a", set_size=2), replace(market("b", set_size=2), **spoilt)])
    assert not watch.update("a", 1000, 9000)
    assert watch.update("b", 1000, 9500)
    assert not watch.update("b", 1000, 9400)
    assert not watch.update("a", 1000, 9100)
    assert watch.is_open("ev")


def test_a_market_that_is_gone_is_followed_no_more() -> None:
    watch = DutchWatch([market("m")])
    watch.set_markets([])
    assert not watch.update("m", 1000, 1000)
    assert (watch.is_open("ev"), watch.followed) == (False, (0, 0))
    assert not DutchWatch().update("nobody", 1, 1)
