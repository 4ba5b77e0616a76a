"""The venue's book hash comes out of our integers, for either token."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from markets.domain.book import MarketBook
from markets.domain.book_hash import HashFacts, book_hash, trade_text
from markets.domain.market import Market
from markets.domain.numbers import parse_price, parse_size

FILES = (
    "tinli_books_2026-07-20.jsonl",
    "wakeupnemo_books_2026-03-11.jsonl.gz",
    "OriginalGoku-poly_polymarket_book_sample.json",
    "OriginalGoku-poly_polymarket_books_batch_sample.json",
    "polycopy_clob_orderbook_sample.json",
    "polymercado_book_2026-01-04.json",
)


def books_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and "bids" in value and "hash" in value:
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from books_in(inner)


def documents(path: Path) -> Iterator[Any]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = text.split(b"\n") if ".jsonl" in path.name else [text]
    yield from (json.loads(line) for line in lines if line.strip())


@pytest.mark.parametrize("yes", [True, False])
def test_every_captured_book_of_2026_reproduces(shared_data: Path, yes: bool) -> None:
    captured = [b for name in FILES for doc in documents(shared_data / "clob_rest" / name) for b in books_in(doc)]
    assert len(captured) == 156
    assert [b["hash"] for b in captured] == [rebuilt_hash(b, yes) for b in captured]


def rebuilt_hash(said: dict[str, Any], yes: bool) -> str:
    """As if the captured token were YES or NO of its market: the mirrored book must not care."""
    own, other = said["asset_id"], "other"
    market = Market(said["market"], "", "", own if yes else other, other if yes else own)
    book = MarketBook(market)
    sides = [[(parse_price(x["price"]), parse_size(x["size"])) for x in said[side]] for side in ("bids", "asks")]
    book.apply_snapshot(yes, *sides)
    facts = HashFacts(said["min_order_size"], said["tick_size"], said["neg_risk"], said.get("last_trade_price", ""))
    return book_hash(book, yes, int(said["timestamp"]), facts)


def test_a_last_trade_is_spelled_with_three_decimals_or_as_many_as_it_needs() -> None:
    assert [trade_text(price) for price in (6200, 80, 10_000, 25)] == ["0.620", "0.008", "1.000", "0.0025"]
