"""One altered digit in a sound recording moves the counter of exactly the check it was made for."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from execution.sandbox import faults
from execution.sandbox.wire import compact
from markets.domain.books import BookSet
from markets.domain.decode import MalformedFrame, decode
from markets.domain.events import BookSnapshot
from markets.domain.integrity import BookCounters, Doubt, Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, AssetId
from tests.domain.markets.recordings import made

Recorded = tuple[list[str], tuple[Market, ...]]
Alter = Callable[[dict[str, Any], AssetId], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return made(tmp_path_factory.mktemp("digits"), seed=9, seconds=30, markets=1, pace=4.0)


class Player:
    """Plays lines with tops, levels and times for its only checks: hashes would speak first."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.malformed: dict[str, int] = {}
        self.books = BookSet(hash_every=0, sweep_ns=0, silence_ns=0)
        self.books.track(market)
        self.doubts: list[Doubt] = []

    def play(self, lines: list[str]) -> None:
        for line in lines:
            try:
                self.books.apply_frame(line.encode(), 1)
            except MalformedFrame as error:
                self.malformed[error.reason.value] = self.malformed.get(error.reason.value, 0) + 1
                self.books.distrust_frame(line.encode(), whole=True)
            self.doubts += [wish.reason for wish in self.books.drain_resyncs()]
        self.books.flush()

    @property
    def counters(self) -> BookCounters:
        return self.books.counters


def altered(lines: list[str], token: AssetId, kind: str, alter: Alter) -> list[str]:
    place = [at for at in faults.positions(lines, kind) if token in lines[at]][1 if kind == "book" else 4]
    document = json.loads(lines[place])
    alter(document, token)
    return [*lines[:place], compact(document), *lines[place + 1 :]]


def _digit(text: str, place: int, to: str = "") -> str:
    new = to or ("1" if text[place] != "1" else "2")
    assert text[place] != new
    return text[:place] + new + text[place:][1:]


def _level_size(document: dict[str, Any], _: AssetId) -> None:
    document["bids"][0]["size"] = _digit(document["bids"][0]["size"], 0)


def _best_bid_over_best_ask(document: dict[str, Any], _: AssetId) -> None:
    document["bids"][-1]["price"] = _digit(document["bids"][-1]["price"], 2, "9")
    assert float(document["bids"][-1]["price"]) > float(document["asks"][-1]["price"])


def _letter(document: dict[str, Any], _: AssetId) -> None:
    document["price_changes"][0]["price"] = _digit(document["price_changes"][0]["price"], 2, "x")


def _older(document: dict[str, Any], _: AssetId) -> None:
    document["timestamp"] = _digit(document["timestamp"], 1, "6")


def _other_token(document: dict[str, Any], token: AssetId) -> None:
    entry = next(entry for entry in document["price_changes"] if entry["asset_id"] == token)
    entry["asset_id"] = _digit(token, 5)


@pytest.mark.parametrize(
    ("kind", "alter", "counter", "doubt"),
    [
        ("book", _level_size, "snapshot_mismatches", None),
        ("book", _best_bid_over_best_ask, "crossed", Doubt.CROSSED),
        ("book", _older, "late_events", None),
        ("price_change", _older, "late_events", None),
        ("price_change", _other_token, "unknown_assets", Doubt.UNKNOWN_ASSET),
    ],
)
def test_one_altered_digit_moves_the_counter(
    good: Recorded, kind: str, alter: Alter, counter: str, doubt: Doubt | None
) -> None:
    lines, (market,) = good
    sound, found = Player(market), Player(market)
    sound.play(lines)
    token = market.no if kind == "book" else market.yes  # the book of NO follows that of YES and has the last word
    found.play(altered(lines, token, kind, alter))
    assert getattr(sound.counters, counter) == 0
    assert getattr(found.counters, counter) >= 1
    assert doubt is None or doubt in found.doubts


def test_a_letter_for_a_digit_is_counted_as_malformed(good: Recorded) -> None:
    lines, (market,) = good
    found = Player(market)
    found.play(altered(lines, market.yes, "price_change", _letter))
    assert found.malformed == {"bad_number": 1}
    assert Doubt.MALFORMED in found.doubts


@pytest.mark.parametrize(("alter", "mismatches"), [(None, 0), (_level_size, 1)])
def test_an_altered_digit_in_a_book_of_the_audit_is_counted(
    good: Recorded, alter: Alter | None, mismatches: int
) -> None:
    lines, (market,) = good
    place = [at for at in faults.positions(lines, "book") if market.yes in lines[at]][1]
    shown = lines[: place + 1] if alter is None else altered(lines, market.yes, "book", alter)[: place + 1]
    player = Player(market)
    player.play(lines[: place + 1])
    (event,) = decode(shown[-1].encode())
    assert isinstance(event, BookSnapshot)
    player.books.audit(event, NANOS_PER_MILLI)
    player.books.settle(10 * NANOS_PER_SECOND)
    assert (player.counters.audits, player.counters.audit_mismatches) == (1, mismatches)
    assert (player.books.trust(market.condition_id) is Trust.VERIFIED) is (mismatches == 0)
