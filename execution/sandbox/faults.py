"""Recordings gone wrong, on demand. (Live faults are in `mischief`.)

Its one law: each function takes the lines of a good recording and returns new lines with exactly one kind of
fault; the good lines are left as they were.
"""

import json
from collections.abc import Sequence

from execution.sandbox.wire import compact

Lines = Sequence[str]

MALFORMED = (
    "{",
    '"just text"',
    "[1,2,3]",
    '{"event_type":"book","market":"0x01","asset_id":"1","bids":"many","asks":[],"timestamp":"1","hash":""}',
    '{"market":"0x01","price_changes":[{"asset_id":"1","price":"nan","size":"1","side":"BUY","hash":"",'
    '"best_bid":"0.4","best_ask":"0.5"}],"timestamp":"1","event_type":"price_change"}',
    '{"market":"0x01","price_changes":[{"asset_id":"1","price":"0.4","size":"-5","side":"HOLD","hash":"",'
    '"best_bid":"0.4","best_ask":"0.5"}],"timestamp":"1","event_type":"price_change"}',
    '{"market":"0x01","asset_id":"1","price":"1.5","size":"1","side":"BUY","timestamp":"soon",'
    '"event_type":"last_trade_price"}',
)


def positions(lines: Lines, event_type: str) -> list[int]:
    """Where the frames of one type stand."""
    ending = f'"event_type":"{event_type}"'
    return [place for place, line in enumerate(lines) if ending in line and not line.startswith("[")]


def dropped_delta(lines: Lines, nth: int = 0) -> list[str]:
    """The nth price change never arrives."""
    lost = positions(lines, "price_change")[nth]
    return [line for place, line in enumerate(lines) if place != lost]


def wrong_side_delta(lines: Lines, nth: int = 0) -> list[str]:
    """The nth price change names the wrong side on both tokens; its tops and hashes stay true."""
    place = positions(lines, "price_change")[nth]
    return [*lines[:place], with_sides_swapped(lines[place]), *lines[place + 1 :]]


def with_sides_swapped(line: str) -> str:
    """A price change that names the wrong side on both tokens."""
    swap = {"BUY": "SELL", "SELL": "BUY"}
    document = json.loads(line)
    for entry in document["price_changes"]:
        entry["side"] = swap[entry["side"]]
    return compact(document)


def missing_opening_book(lines: Lines, asset_id: str) -> list[str]:
    """One token is left out of the opening arrays."""

    def without(line: str) -> str:
        if not line.startswith("["):
            return line
        return compact([book for book in json.loads(line) if book["asset_id"] != asset_id])

    return [without(line) for line in lines]


def gap(lines: Lines, from_ms: int, to_ms: int) -> list[str]:
    """The socket was frozen: every frame in [from_ms, to_ms) is lost, opening arrays excepted."""
    return [line for line in lines if line.startswith("[") or not from_ms <= timestamp_ms(line) < to_ms]


def malformed(lines: Lines, every: int = 10) -> list[str]:
    """After each so many lines one that is no frame at all, going through the kinds in turn."""
    mixed: list[str] = []
    for place, line in enumerate(lines, start=1):
        mixed.append(line)
        if place % every == 0:
            mixed.append(MALFORMED[(place // every - 1) % len(MALFORMED)])
    return mixed


def timestamp_ms(line: str) -> int:
    return int(json.loads(line)["timestamp"])
