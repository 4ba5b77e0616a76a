"""A recording is judged by every check at once."""

from pathlib import Path

import pytest

from markets.domain.events import Frame, Side
from markets.domain.verification import Verification, verify
from markets.feed.frames import read_frames, read_recording
from markets.gamma.metadata import read_markets
from tests.domain.markets.wire import Venue

OWN = Path(__file__).resolve().parents[2] / "data"


def recorded(*data: bytes) -> list[Frame]:
    return [Frame(1_000_000_000 * (number + 1), 0, item) for number, item in enumerate(data)]


def hashes(found: Verification) -> tuple[int, int]:
    return found.books.hash_checked, found.books.hash_matches


# What docs/market-data.md states of each consecutive capture: frames, events by type, the figures that are not 0.
CAPTURES: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {
    "tinli_fed_2026-07-20": (
        27,
        {"book": 2, "price_change": 24, "last_trade_price": 1},
        {"bbo_checked": 24, "hash_checked": 26, "hash_matches": 26, "snapshots_checked": 1},
    ),
    # Two of its lines are HTTP answers without event_type.
    "polypy_ws_and_rest_2025-10-23": (
        5,
        {"book": 1, "price_change": 2},
        {"bbo_checked": 2, "hash_checked": 3, "hash_matches": 3, "malformed": 2},
    ),
    # Grouped by type, not in the order of arrival: its changes come late, its snapshots skip what was between them.
    "polytrader_btc5m_2026-03-13": (
        12,
        {"book": 3, "price_change": 3, "best_bid_ask": 3, "last_trade_price": 3},
        {"hash_checked": 3, "hash_matches": 3, "snapshots_checked": 2, "snapshot_mismatches": 2},
    ),
}
FIGURES = ("bbo_checked", "bbo_mismatches", "crossed", "hash_checked", "hash_matches", "parity_mismatches")
SNAPSHOTS = ("snapshots_checked", "snapshot_mismatches")


@pytest.mark.parametrize("capture", CAPTURES)
def test_a_consecutive_capture_of_the_venue_is_judged_as_the_docs_say(shared_data: Path, capture: str) -> None:
    frames, events, figures = CAPTURES[capture]
    found = verify(read_recording(shared_data / "ws_market" / f"{capture}.jsonl"))
    counted = {name: getattr(found.books, name) for name in FIGURES + SNAPSHOTS}
    counted["malformed"] = sum(found.malformed.values())
    assert (found.frames, len(found.assets), found.cuts, found.twins) == (frames, 2, 0, 0)
    assert found.events_by_type == events
    assert {name: count for name, count in counted.items() if count} == figures
    assert found.sound() is (capture == "tinli_fed_2026-07-20")


def test_the_span_of_a_capture_is_the_venues_time(shared_data: Path) -> None:
    assert verify(read_recording(shared_data / "ws_market" / "tinli_fed_2026-07-20.jsonl")).span_ns == 50_667_000_000


@pytest.mark.parametrize("name", ["quiet_4_markets", "wild_tick_change"])
@pytest.mark.parametrize("with_metadata", [True, False])
def test_our_own_recordings_are_sound(name: str, with_metadata: bool) -> None:
    path = OWN / f"{name}.jsonl.gz"
    markets = read_markets(path.with_name(path.name + ".metadata.json")) if with_metadata else ()
    found = verify(read_frames(path), markets)
    assert found.sound()
    assert found.books.hash_checked == found.books.deltas + found.books.snapshots
    assert found.books.deltas_before_snapshot == 0


def test_a_malformed_frame_is_counted_by_reason_and_the_rest_is_judged() -> None:
    venue = Venue()
    found = verify(recorded(venue.snapshot(), b"{", venue.change(Side.BUY, 4950, 1)))
    assert found.malformed == {"bad_json": 1}
    assert hashes(found) == (2, 2)
    assert found.span_ns == 2_000_000_000
    assert not found.sound()


@pytest.mark.parametrize(
    ("wrong", "figure"),
    [
        ({"best_bid": "0.48"}, "bbo_mismatches"),
        ({"size": "6"}, "parity_mismatches"),
    ],
)
def test_one_altered_digit_is_found(wrong: dict[str, str], figure: str) -> None:
    venue = Venue()
    found = verify(recorded(venue.snapshot(), venue.change(Side.BUY, 4950, 5, wrong=wrong)))
    assert getattr(found.books, figure) == 1
    assert not found.sound()


def test_one_altered_hash_is_found() -> None:
    venue = Venue()
    found = verify(recorded(venue.snapshot(), venue.change(Side.BUY, 4950, 5, wrong={"hash": "0" * 40})))
    assert hashes(found) == (2, 1)
    assert not found.sound()
