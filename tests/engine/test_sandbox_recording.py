"""Everything a generated recording claims is checked here by code that shares nothing with the generator."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from execution.sandbox import faults, recording
from execution.sandbox.crowd import Mood
from execution.sandbox.generator import Generator

DATA = Path(__file__).parent.parent / "data"
Frame = dict[str, Any]
START_MS = recording.START_MS


@dataclass
class Witness:
    """One token's book, rebuilt from the frames alone."""

    market: str
    bids: dict[str, str] = field(default_factory=dict)
    asks: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(book: Frame) -> "Witness":
        return Witness(
            book["market"],
            {level["price"]: level["size"] for level in book["bids"]},
            {level["price"]: level["size"] for level in book["asks"]},
        )

    def apply(self, entry: Frame) -> None:
        levels = self.bids if entry["side"] == "BUY" else self.asks
        if entry["size"] == "0":
            levels.pop(entry["price"], None)
        else:
            levels[entry["price"]] = entry["size"]

    def tops(self) -> tuple[str, str]:
        return max(self.bids, key=Decimal, default="0"), min(self.asks, key=Decimal, default="1")

    def digest(self, asset_id: str, timestamp: str, facts: Frame, last_trade: str) -> str:
        def level(price: str, size: str) -> dict[str, str]:
            return {"price": price, "size": size}

        document = {
            "market": self.market,
            "asset_id": asset_id,
            "timestamp": timestamp,
            "hash": "",
            "bids": [level(price, self.bids[price]) for price in sorted(self.bids, key=Decimal)],
            "asks": [level(price, self.asks[price]) for price in sorted(self.asks, key=Decimal, reverse=True)],
            "min_order_size": facts["min"],
            "tick_size": facts["tick"],
            "neg_risk": facts["neg_risk"],
            "last_trade_price": last_trade,
        }
        return hashlib.sha1(json.dumps(document, separators=(",", ":")).encode()).hexdigest()


class Checker:
    """Replays a recording and counts what it verified; any lie fails at once."""

    def __init__(self, made: recording.Recording) -> None:
        self.frames: list[Frame] = []
        self.openings: list[Frame] = []
        for line in made.lines:
            parsed = json.loads(line)
            (self.openings if isinstance(parsed, list) else self.frames).extend(
                parsed if isinstance(parsed, list) else [parsed]
            )
        self.facts: dict[str, Frame] = {}
        self.pairs: dict[str, tuple[str, str]] = {}
        for market in made.markets:
            yes, no = ids_of(market)
            self.pairs[yes] = self.pairs[no] = (yes, no)
            for asset_id in (yes, no):
                self.facts[asset_id] = {"min": str(market["orderMinSize"]), "neg_risk": market["negRisk"]}
        self.books: dict[str, Witness] = {}
        self.last: dict[str, str] = {}
        self.upcoming: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for frame in self.frames:
            if frame["event_type"] == "last_trade_price":
                self.upcoming[frame["market"]].append((int(frame["timestamp"]), three_decimals(frame["price"])))
        self.checked = dict.fromkeys(("hash", "tops", "book", "trade", "tick", "best", "mirror"), 0)

    def run(self) -> dict[str, int]:
        for book in self.openings:
            self.open(book)
        for burst in bursts(self.frames):
            self.check_burst(burst)
        return self.checked

    def open(self, book: Frame) -> None:
        asset_id = book["asset_id"]
        self.books[asset_id] = Witness.of(book)
        self.facts[asset_id]["tick"] = book["tick_size"]
        self.last[book["market"]] = book["last_trade_price"]
        self.verify_hash(asset_id, book["timestamp"], book["hash"])

    def verify_hash(self, asset_id: str, timestamp: str, claimed: str) -> None:
        book = self.books[asset_id]
        soon = [price for ms, price in self.upcoming[book.market] if 0 < ms - int(timestamp) <= 260]
        for last_trade in (self.last[book.market], *soon):
            if book.digest(asset_id, timestamp, self.facts[asset_id], last_trade) == claimed:
                self.last[book.market] = last_trade
                self.checked["hash"] += 1
                return
        pytest.fail(f"hash of {asset_id} at {timestamp} is not that of its book")

    def check_burst(self, burst: list[Frame]) -> None:
        entries = [entry for frame in burst for entry in frame.get("price_changes", ())]
        for entry in entries:
            self.books[entry["asset_id"]].apply(entry)
        for frame in burst:
            if frame["event_type"] == "tick_size_change":
                assert self.facts[frame["asset_id"]]["tick"] == frame["old_tick_size"]
                self.facts[frame["asset_id"]]["tick"] = frame["new_tick_size"]
                self.checked["tick"] += 1
        for frame in burst:
            self.check_frame(frame)
        self.check_mirror(entries)

    def check_frame(self, frame: Frame) -> None:
        match frame["event_type"]:
            case "price_change":
                for entry in frame["price_changes"]:
                    assert self.books[entry["asset_id"]].tops() == (entry["best_bid"], entry["best_ask"])
                    self.checked["tops"] += 1
                    self.verify_hash(entry["asset_id"], frame["timestamp"], entry["hash"])
            case "book":
                assert Witness.of(frame) == self.books[frame["asset_id"]]
                assert list(frame)[:6] == ["market", "asset_id", "bids", "asks", "hash", "timestamp"]
                self.verify_hash(frame["asset_id"], frame["timestamp"], frame["hash"])
                self.checked["book"] += 1
            case "last_trade_price":
                self.checked["trade"] += 1
            case "best_bid_ask":
                bid, ask = self.books[frame["asset_id"]].tops()
                assert (frame["best_bid"], frame["best_ask"]) == (bid, ask)
                assert Decimal(frame["spread"]) == Decimal(ask) - Decimal(bid)
                self.checked["best"] += 1

    def check_mirror(self, entries: list[Frame]) -> None:
        for one, other in zip(entries[::2], entries[1::2], strict=True):
            assert {one["asset_id"], other["asset_id"]} == set(self.pairs[one["asset_id"]])
            assert Decimal(one["price"]) + Decimal(other["price"]) == 1
            assert {one["side"], other["side"]} == {"BUY", "SELL"}
            assert one["size"] == other["size"]
            bid, ask = (Decimal(top) for top in self.books[one["asset_id"]].tops())
            assert bid < ask
            assert Decimal(one["price"]) % Decimal(self.facts[one["asset_id"]]["tick"]) == 0
            self.checked["mirror"] += 1


def ids_of(market: Frame) -> tuple[str, str]:
    ids = market["positionIds"] if market["version"] == "v2" else json.loads(market["clobTokenIds"])
    yes, no = ids
    return yes, no


def three_decimals(price: str) -> str:
    return str(Decimal(price).quantize(Decimal("0.001")))


def bursts(frames: list[Frame]) -> Iterator[list[Frame]]:
    """Neighbouring frames of one market and one timestamp; trades are announced on their own."""
    burst: list[Frame] = []
    for frame in frames:
        if burst and (frame["market"], frame["timestamp"]) != (burst[0]["market"], burst[0]["timestamp"]):
            yield burst
            burst = []
        burst.append(frame)
    if burst:
        yield burst


def a_recording(**changes: Any) -> recording.Recording:
    return recording.record(**({"seed": 7, "seconds": 20, "markets": 12} | changes))


@pytest.mark.parametrize("mood", list(Mood))
@pytest.mark.parametrize("seed", [1, 2])
def test_every_hash_top_and_mirror_of_a_recording_is_true(seed: int, mood: Mood) -> None:
    checked = Checker(a_recording(seed=seed, mood=mood, seconds=30)).run()
    assert min(checked[kind] for kind in ("hash", "tops", "book", "trade", "best", "mirror")) > 50


def test_a_wild_excursion_changes_the_tick_and_stays_true() -> None:
    checked = Checker(a_recording(seed=3, markets=2, mood=Mood.WILD, seconds=60)).run()
    assert checked["tick"] >= 2


def test_the_witness_itself_notices_a_lost_delta() -> None:
    made = a_recording(seconds=5)
    broken = recording.Recording(faults.dropped_delta(made.lines), made.markets)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        Checker(broken).run()


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        recording.write(a_recording(), tmp_path / name, compress=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    metadata = [recording.metadata_path(tmp_path / name).read_bytes() for name in ("a", "b")]
    assert metadata[0] == metadata[1]


def test_another_seed_writes_other_frames() -> None:
    assert a_recording(seed=1).lines != a_recording(seed=2).lines


def test_how_time_is_cut_into_calls_changes_nothing() -> None:
    whole = Generator(seed=5, markets=6, start_ms=START_MS)
    sliced = Generator(seed=5, markets=6, start_ms=START_MS)
    in_slices = [frame for ms in range(0, 10_000, 17) for frame in sliced.advance(START_MS + ms)]
    assert in_slices + sliced.advance(START_MS + 10_000) == whole.advance(START_MS + 10_000)


def test_a_gap_in_time_moves_what_was_due_behind_it() -> None:
    generator = Generator(seed=5, markets=6, start_ms=START_MS)
    generator.skip_to(START_MS + 60_000)
    frames = generator.advance(START_MS + 70_000)
    assert frames
    assert all(int(json.loads(frame.text)["timestamp"]) >= START_MS + 60_000 for frame in frames)


def test_the_default_pace_gives_a_living_demo() -> None:
    frames = Generator(seed=7, markets=12, start_ms=START_MS).advance(START_MS + 60_000)
    assert 20 <= len(frames) / 60 <= 80


def test_trades_print_through_a_maker_two_cents_wide_on_both_sides() -> None:
    """A maker a cent either side of the middle, requoted every second, is traded through on both sides."""
    generator = Generator(seed=7, markets=12, start_ms=START_MS)
    market = generator.markets[0]
    floor = generator.floor(market.asset_ids[0])
    assert floor is not None
    hit = {"BUY": 0, "SELL": 0}
    for second in range(30):
        middle = (floor.ladder.best_bid() + floor.ladder.best_ask()) / 20_000
        for frame in generator.advance(START_MS + 1000 * (second + 1)):
            trade = json.loads(frame.text)
            if trade["event_type"] != "last_trade_price" or trade["market"] != market.condition_id:
                continue
            is_yes = trade["asset_id"] == market.asset_ids[0]
            price = float(trade["price"]) if is_yes else 1 - float(trade["price"])
            lifted = (trade["side"] == "BUY") == is_yes
            if price >= middle + 0.01 - 1e-9 if lifted else price <= middle - 0.01 + 1e-9:
                hit["BUY" if lifted else "SELL"] += 1
    assert min(hit.values()) >= 2, hit


def test_the_fair_prices_of_a_neg_risk_event_stay_near_one() -> None:
    generator = Generator(seed=7, markets=12, start_ms=START_MS)
    generator.advance(START_MS + 120_000)
    event = next(event for event in generator.events if event.neg_risk and not event.augmented)
    floors = [generator.floor(market.asset_ids[0]) for market in event.markets]
    middle = sum((floor.ladder.best_bid() + floor.ladder.best_ask()) / 2 for floor in floors if floor) / 10_000
    assert len(floors) == 4
    assert 0.9 < middle < 1.1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quiet_4_markets.jsonl.gz", {"seed": 11, "seconds": 60, "markets": 4, "mood": Mood.QUIET}),
        ("wild_tick_change.jsonl.gz", {"seed": 3, "seconds": 60, "markets": 2, "mood": Mood.WILD}),
    ],
)
def test_the_committed_recordings_are_what_their_commands_make(name: str, options: dict[str, Any]) -> None:
    made = recording.record(**options)
    assert recording.read_lines(DATA / name) == made.lines
    assert json.loads(recording.metadata_path(DATA / name).read_text(encoding="utf-8")) == made.markets
    checked = Checker(made).run()
    assert checked["trade"] > 20
    assert bool(checked["tick"]) == ("tick_change" in name)
