"""The venue's market-channel frames as text, and the hash of a book.

Its one law: key order, spelling and separators are the venue's, byte for byte.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from execution.sandbox.ladder import PRICE_ONE, Change, Ladder, Side, price_text, size_text
from execution.sandbox.listing import Generation, MarketSpec

Level = dict[str, str]
YES, NO = 0, 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame and whose subscribers get it; `custom` ones only go to who asked for custom features."""

    asset_ids: tuple[str, ...]
    text: str
    custom: bool = False


def compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def seen_from(outcome: int, side: Side, price: int) -> tuple[Side, int]:
    """Turn a YES level into the same level as the given outcome's token shows it."""
    return (side, price) if outcome == YES else (side.other, PRICE_ONE - price)


def wire_levels(ladder: Ladder, outcome: int, side: Side) -> list[Level]:
    """One side of a token's book, best level last."""
    own_side = side if outcome == YES else side.other
    levels = ladder.levels(own_side)
    return [
        {"price": price_text(seen_from(outcome, own_side, price)[1]), "size": size_text(levels[price])}
        for price in reversed(ladder.from_the_touch(own_side))
    ]


def tops(ladder: Ladder, outcome: int) -> tuple[int, int]:
    """Best bid and ask of a token, 0 and 1 standing for an empty side."""
    bid, ask = ladder.best_bid(), ladder.best_ask()
    return (bid, ask) if outcome == YES else (PRICE_ONE - ask, PRICE_ONE - bid)


@dataclass(frozen=True, slots=True)
class BookFacts:
    """Everything a token's book document is made of, beside the levels."""

    spec: MarketSpec
    outcome: int
    tick: int
    last_trade: str
    timestamp_ms: int

    @property
    def asset_id(self) -> str:
        return self.spec.asset_ids[self.outcome]


def rest_book(facts: BookFacts, ladder: Ladder) -> dict[str, object]:
    """The CLOB's `/book` answer; its first ten keys, with an empty hash, are what is hashed."""
    document: dict[str, object] = {
        "market": facts.spec.condition_id,
        "asset_id": facts.asset_id,
        "timestamp": str(facts.timestamp_ms),
        "hash": "",
        "bids": wire_levels(ladder, facts.outcome, Side.BUY),
        "asks": wire_levels(ladder, facts.outcome, Side.SELL),
        "min_order_size": str(facts.spec.min_size),
        "tick_size": price_text(facts.tick),
        "neg_risk": facts.spec.neg_risk,
        "last_trade_price": facts.last_trade,
    }
    document["hash"] = hashlib.sha1(compact(document).encode(), usedforsecurity=False).hexdigest()
    return document | version_of(facts.spec)


def version_of(spec: MarketSpec) -> dict[str, object]:
    """Books of v2 markets name their version, outside the hash."""
    return {"version": "v2"} if spec.generation is Generation.V2 else {}


def opening_book(facts: BookFacts, ladder: Ladder) -> dict[str, object]:
    """The `book` a subscriber is greeted with."""
    book = rest_book(facts, ladder)
    kept = ("market", "asset_id", "timestamp", "hash", "bids", "asks", "tick_size")
    opening = {key: book[key] for key in kept}
    return opening | {"event_type": "book", "last_trade_price": facts.last_trade} | version_of(facts.spec)


def traded_book(facts: BookFacts, ladder: Ladder) -> str:
    """The `book` after a trade: no tick, no last price, hash after the asks."""
    book = rest_book(facts, ladder)
    kept = ("market", "asset_id", "bids", "asks", "hash", "timestamp")
    return compact({key: book[key] for key in kept} | {"event_type": "book"} | version_of(facts.spec))


def price_change(
    both: tuple[BookFacts, BookFacts],
    ladder: Ladder,
    changes: Sequence[Change],
    hashes: tuple[str, str],
    first: int,
) -> str:
    """Changes mirrored for both tokens; `first` is the token the orders were written for."""
    entries = []
    for change in changes:
        for outcome in (first, 1 - first):
            side, price = seen_from(outcome, change.side, change.price)
            bid, ask = tops(ladder, outcome)
            entries.append(
                {
                    "asset_id": both[outcome].asset_id,
                    "price": price_text(price),
                    "size": size_text(change.size),
                    "side": side.name,
                    "hash": hashes[outcome],
                    "best_bid": price_text(bid),
                    "best_ask": price_text(ask),
                }
            )
    return compact(
        {
            "market": both[YES].spec.condition_id,
            "price_changes": entries,
            "timestamp": str(both[YES].timestamp_ms),
            "event_type": "price_change",
        }
    )


def best_bid_ask(facts: BookFacts, ladder: Ladder) -> str:
    bid, ask = tops(ladder, facts.outcome)
    return compact(
        {
            "market": facts.spec.condition_id,
            "asset_id": facts.asset_id,
            "best_bid": price_text(bid),
            "best_ask": price_text(ask),
            "spread": price_text(ask - bid),
            "timestamp": str(facts.timestamp_ms),
            "event_type": "best_bid_ask",
        }
    )


def tick_size_change(facts: BookFacts, old_tick: int) -> str:
    return compact(
        {
            "market": facts.spec.condition_id,
            "asset_id": facts.asset_id,
            "old_tick_size": price_text(old_tick),
            "new_tick_size": price_text(facts.tick),
            "timestamp": str(facts.timestamp_ms),
            "event_type": "tick_size_change",
        }
    )


@dataclass(frozen=True, slots=True)
class Print:
    """A trade waiting to be announced, told from the taker's token."""

    spec: MarketSpec
    outcome: int
    side: Side
    price: int
    size: int
    transaction_hash: str


def last_trade_price(trade: Print, timestamp_ms: int) -> Frame:
    asset_id = trade.spec.asset_ids[trade.outcome]
    document = {
        "market": trade.spec.condition_id,
        "asset_id": asset_id,
        "price": price_text(trade.price),
        "size": size_text(trade.size),
        "fee_rate_bps": "0",
        "side": trade.side.name,
        "timestamp": str(timestamp_ms),
        "event_type": "last_trade_price",
        "transaction_hash": trade.transaction_hash,
    }
    return Frame((asset_id,), compact(document))
