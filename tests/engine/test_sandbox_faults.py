"""Faulty recordings differ from the good one in exactly what their name says; and the ladder refuses lies."""

import json

import pytest

from execution.sandbox import faults, recording
from execution.sandbox.ladder import SHARE, Change, Crossed, Ladder, Side, price_text, size_text

LINES = recording.record(seed=7, seconds=5, markets=4).lines


def test_a_dropped_delta_is_one_price_change_less() -> None:
    broken = faults.dropped_delta(LINES, nth=3)
    lost = faults.positions(LINES, "price_change")[3]
    assert broken == LINES[:lost] + LINES[lost + 1 :]


def test_a_wrong_side_delta_swaps_only_the_sides() -> None:
    broken = faults.wrong_side_delta(LINES, nth=2)
    place = faults.positions(LINES, "price_change")[2]
    assert [number for number, line in enumerate(LINES) if broken[number] != line] == [place]
    assert json.loads(broken[place].replace("BUY", "?").replace("SELL", "BUY").replace("?", "SELL")) == json.loads(
        LINES[place]
    )


def test_a_missing_opening_book_leaves_the_others() -> None:
    asset_id = json.loads(LINES[0])[1]["asset_id"]
    broken = faults.missing_opening_book(LINES, asset_id)
    assert len(json.loads(broken[0])) == len(json.loads(LINES[0])) - 1
    assert broken[1:] == LINES[1:]


def test_a_gap_loses_its_interval_only() -> None:
    start = recording.START_MS + 1_000
    broken = faults.gap(LINES, start, start + 2_000)
    assert broken[0] == LINES[0]
    assert 1 < len(broken) < len(LINES)
    assert not [line for line in broken[1:] if start <= faults.timestamp_ms(line) < start + 2_000]


def test_malformed_lines_are_added_and_nothing_is_lost() -> None:
    broken = faults.malformed(LINES, every=3)
    assert [line for line in broken if line not in faults.MALFORMED] == LINES
    assert set(faults.MALFORMED) <= set(broken)


def test_numbers_are_spelled_as_on_the_wire() -> None:
    assert [price_text(price) for price in (0, 10, 1000, 4900, 9990, 10_000)] == [
        "0", "0.001", "0.1", "0.49", "0.999", "1",
    ]  # fmt: skip
    assert [size_text(size) for size in (0, 5 * SHARE, 7_800_000, 216_216_215)] == [
        "0",
        "5",
        "7.8",
        "216.216215",
    ]


def test_a_ladder_refuses_to_be_crossed() -> None:
    ladder = Ladder(bids={4900: SHARE}, asks={5100: SHARE})
    with pytest.raises(Crossed):
        ladder.put(Change(Side.BUY, 5100, SHARE))
    assert ladder == Ladder(bids={4900: SHARE}, asks={5100: SHARE})


def test_a_taker_eats_best_prices_first_and_stops_at_its_limit() -> None:
    ladder = Ladder(asks={5100: 2 * SHARE, 5200: 5 * SHARE, 5300: SHARE})
    eaten = ladder.take(Side.BUY, 9 * SHARE, 5200)
    assert eaten == [Change(Side.SELL, 5100, 0), Change(Side.SELL, 5200, 0)]
    assert ladder.asks == {5300: SHARE}
