"""The venue's book hash: SHA-1 over one token's whole book, recomputed from ours.

Law: a match is proof, a mismatch only a strong hint. The recipe is the venue's own and changed silently
before (fields were added in 2025 and in 2026), so whoever judges by it must have seen it reproduce first.

Recipe of 2026: compact JSON of market, asset_id, timestamp, hash (empty), bids, asks, min_order_size,
tick_size, neg_risk, last_trade_price; bids ascending, asks descending, so the best level comes last.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1

from markets.domain.book import MarketBook
from markets.domain.events import Level, Side
from markets.domain.units import Millis, Price, price_text, size_text

_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class HashFacts:
    """What enters the hash beside the levels. Texts, because spelling counts."""

    min_size: str
    tick: str
    neg_risk: bool
    last_trade: str


def book_hash(book: MarketBook, yes: bool, timestamp_ms: Millis, facts: HashFacts) -> str:
    """The hash the venue gives that token's book at `timestamp_ms`."""
    market, asset = book.market.condition_id, book.market.asset(yes)
    return hash_levels(market, asset, timestamp_ms, level_text(book, yes), facts)


def level_text(book: MarketBook, yes: bool) -> str:
    """The `bids` and `asks` members, as they are hashed."""
    bids = _encode(book.levels(Side.BUY, _ALL, yes))
    asks = _encode(book.levels(Side.SELL, _ALL, yes))
    return f'"bids":[{bids}],"asks":[{asks}]'


def hash_levels(market: str, asset: str, timestamp_ms: Millis, levels: str, facts: HashFacts) -> str:
    neg_risk = "true" if facts.neg_risk else "false"
    text = (
        f'{{"market":"{market}","asset_id":"{asset}","timestamp":"{timestamp_ms}","hash":"",{levels},'
        f'"min_order_size":"{facts.min_size}","tick_size":"{facts.tick}","neg_risk":{neg_risk},'
        f'"last_trade_price":"{facts.last_trade}"}}'
    )
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def trade_text(price: Price) -> str:
    """How a last trade is spelled inside the hash: three decimals, four where the tick needs them."""
    return f"0.{price:04d}" if price % 10 else f"{price // 10_000}.{price % 10_000 // 10:03d}"


def _encode(best_first: tuple[Level, ...]) -> str:
    return ",".join([_level(price, size) for price, size in reversed(best_first)])


@lru_cache(maxsize=65_536)
def _level(price: int, size: int) -> str:
    return f'{{"price":"{price_text(price)}","size":"{size_text(size)}"}}'
