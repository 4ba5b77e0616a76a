"""What is a full set and what is not, by value and on what the venue really lists."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from markets.domain.market import Generation, Market
from markets.gamma import parse_event, parse_market
from markets.gamma.parse import complete_set
from markets.gamma.values import GammaError, GammaEvent, GammaMarket, NotBinary
from strategies.domain.completeness import is_complete_set, is_known_set, not_a_set, unfit
from strategies.domain.intents import NotTaken
from tests.dutch_builders import market


def test_a_known_set_is_two_or_more_markets_that_all_say_how_many_there_are() -> None:
    pair = [market("a", set_size=2), market("b", set_size=2)]
    assert is_known_set(pair)
    assert not is_known_set([market("a", set_size=1)])
    assert not is_known_set([pair[0], market("b", set_size=3)])
    assert not is_known_set([replace(each, neg_risk=False) for each in pair])


def test_a_v2_event_is_known_and_never_complete_for_it_keeps_an_outcome_of_its_own() -> None:
    assert is_complete_set([market("a", set_size=2), market("b", set_size=2)])
    pair = [market(name, set_size=2, generation=Generation.V2) for name in "ab"]
    assert is_known_set(pair)
    assert not is_complete_set(pair)


def test_a_set_that_is_not_followed_whole_says_how_much_of_it_is() -> None:
    refusal = not_a_set([market("a", set_size=3), market("b", set_size=3)])
    assert refusal == (NotTaken.INCOMPLETE_SET, "2 of 3 markets followed")
    assert not_a_set([]) == (NotTaken.INCOMPLETE_SET, "the listing does not prove it")
    assert not_a_set([market("a", set_size=2), market("b", set_size=2)]) is None


def listed(path: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each event of a crawl of the listing, with all of its markets."""
    events: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    with gzip.open(path, "rb") as lines:
        for line in lines:
            raw = json.loads(line)
            for event in raw.get("events") or []:
                events.setdefault(str(event["id"]), (event, []))[1].append(raw)
    yield from events.values()


def understood(event: GammaEvent, raws: list[dict[str, Any]]) -> list[GammaMarket]:
    found = []
    for raw in raws:
        try:
            found.append(parse_market(raw, event))
        except (GammaError, NotBinary):
            continue
    return found


def as_market(value: GammaMarket, event: GammaEvent, size: int) -> Market:
    tokens = [outcome.asset_id for outcome in value.outcomes] or ["", ""]
    return Market(
        value.condition_id, event.gamma_id, value.question, tokens[0], tokens[1], value.generation,
        neg_risk=value.neg_risk, augmented=event.augmented, other=value.other, set_size=size,
        accepting_orders=value.accepting_orders, delayed=value.delayed,
    )  # fmt: skip


def test_no_augmented_event_the_venue_ever_listed_is_a_set(shared_data: Path) -> None:
    counts = {"augmented": 0, "known": 0, "refused": 0}
    for raw_event, raws in listed(shared_data / "gamma" / "wakeupnemo_open_markets_2026-03-11.jsonl.gz"):
        event = parse_event(raw_event)
        values = understood(event, raws)
        size = complete_set(event, values, len(raws))
        members = [as_market(value, event, size) for value in values if value.neg_risk]
        counts["augmented"] += event.augmented
        counts["known"] += is_known_set(members)
        if event.augmented:
            # Even a listing that claimed to be complete would not make it one.
            claimed = [replace(each, set_size=len(members)) for each in members]
            assert not is_known_set(members)
            assert not is_complete_set(claimed)
            assert not is_known_set(claimed)
            assert all(unfit(each) is not None for each in members)
        elif members and not is_known_set(members):
            counts["refused"] += not_a_set(members) is not None
    assert counts["augmented"] == 953
    assert counts["known"] > 100
    assert counts["refused"] > 0
