"""A recording is judged by every check at once."""

from pathlib import Path

import pytest

from markets.domain.events import Frame, Side
from markets.domain.verification import Verification, verify
from markets.feed.frames import read_frames
from markets.gamma.metadata import read_markets
from tests.domain.markets.wire import Venue

OWN = Path(__file__).resolve().parents[2] / "data"


def recorded(*data: bytes) -> list[Frame]:
    return [Frame(1_000_000_000 * (number + 1), 0, item) for number, item in enumerate(data)]


def hashes(found: Verification) -> tuple[int, int]:
    return found.books.hash_checked, found.books.hash_matches


def test_a_consecutive_capture_of_the_venue_is_sound(shared_data: Path) -> None:
    found = verify(read_frames(shared_data / "ws_market" / "tinli_fed_2026-07-20.jsonl"))
    books = found.books
    assert found.sound()
    assert (found.frames, len(found.assets), found.span_ns) == (27, 2, 50_667_000_000)
    assert found.events_by_type == {"book": 2, "price_change": 24, "last_trade_price": 1}
    assert hashes(found) == (26, 26)
    assert (books.bbo_checked, books.snapshots_checked) == (24, 1)


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
