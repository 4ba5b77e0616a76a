"""The markets and books `bench quote` decides about, and how they move.

Law: a seed gives one course of events, whoever decides on it.
"""

from random import Random

import msgspec

from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import (
    CASH_ONE,
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    PRICE_ONE,
    SIZE_ONE,
    Nanos,
    Price,
    price_text,
)

START: Nanos = 1_800_000_000 * NANOS_PER_SECOND
OUTCOMES = 5  # markets of one event: the gate looks at all of them
LEVELS = 30
TICK: Price = 10


def a_market(number: int) -> Market:
    """One of a neg-risk event that is not known to be complete: the gate weighs all five outcomes and none of them, and
    the Dutch book, which has a bench of its own, leaves it alone.
    """
    event = number // OUTCOMES
    return Market(
        f"0x{number:064x}",
        f"event-{event}",
        f"Market {number}?",
        yes=str(10**30 + 2 * number),
        no=str(10**30 + 2 * number + 1),
        generation=Generation.V1,
        tick=TICK,
        neg_risk=True,
        fees=FeeSchedule(rate=400, rebate=2_500),
        rewards_min_size=50 * SIZE_ONE,
        rewards_max_spread=350,
        rewards_daily=25 * CASH_ONE,
        end_ms=START // NANOS_PER_MILLI + 86_400_000 * 30,
    )


class Walk:
    """One market's book: mostly sizes change, one time in three a best price moves by a tick."""

    def __init__(self, market: Market, random: Random) -> None:
        self.market = market
        self._random = random
        self._mid = random.randrange(200, 800) * TICK
        self.bids = {self._mid - (1 + at) * TICK: 100 + at for at in range(LEVELS)}
        self.asks = {self._mid + (1 + at) * TICK: 100 + at for at in range(LEVELS)}

    def snapshot(self, at_ns: Nanos) -> bytes:
        return _encoded(
            market=self.market.condition_id, asset_id=self.market.yes, timestamp=_ms(at_ns), hash="",
            bids=[_level(price, self.bids[price]) for price in sorted(self.bids)],
            asks=[_level(price, self.asks[price]) for price in sorted(self.asks, reverse=True)],
            tick_size=price_text(TICK), last_trade_price="", event_type="book",
        )  # fmt: skip

    def trade(self, at_ns: Nanos) -> bytes:
        side = self._random.choice((Side.BUY, Side.SELL))
        price = min(self.asks) if side is Side.BUY else max(self.bids)
        return _encoded(
            market=self.market.condition_id, asset_id=self.market.yes, price=price_text(price),
            size=str(self._random.randrange(1, 80)), fee_rate_bps="0", side=side.value, timestamp=_ms(at_ns),
            event_type="last_trade_price",
        )  # fmt: skip

    def change(self, at_ns: Nanos) -> bytes:
        changes = [self._resized()] if self._random.randrange(3) else self._moved()
        tops = max(self.bids), min(self.asks)
        entries = [entry for side, price in changes for entry in self._entries(side, price, *tops)]
        return _encoded(
            market=self.market.condition_id, price_changes=entries, timestamp=_ms(at_ns), event_type="price_change"
        )

    def _resized(self) -> tuple[Side, Price]:
        side, levels = self._random.choice(((Side.BUY, self.bids), (Side.SELL, self.asks)))
        best_first = sorted(levels, reverse=side is Side.BUY)
        price = best_first[min(self._random.randrange(6), self._random.randrange(LEVELS))]
        levels[price] = self._random.randrange(20, 900)
        return side, price

    def _moved(self) -> list[tuple[Side, Price]]:
        """The whole book a tick up or down: two levels go and two come."""
        up = self._random.random() < 0.5 if 2_000 <= self._mid <= 8_000 else self._mid < 2_000
        self._mid += TICK if up else -TICK
        changes: list[tuple[Side, Price]] = []
        for side, levels, first in ((Side.BUY, self.bids, -TICK), (Side.SELL, self.asks, TICK)):
            wanted = {self._mid + first * (1 + at) for at in range(LEVELS)}
            gone, come = set(levels) - wanted, wanted - set(levels)
            for price in sorted(gone):
                del levels[price]
            levels.update((price, self._random.randrange(20, 900)) for price in sorted(come))
            changes += [(side, price) for price in sorted(gone | come)]
        return changes

    def _entries(self, side: Side, price: Price, best_bid: Price, best_ask: Price) -> list[dict[str, str]]:
        """A change as the venue says it: of YES, and mirrored of NO."""
        size = str((self.bids if side is Side.BUY else self.asks).get(price, 0))
        other = Side.SELL if side is Side.BUY else Side.BUY
        return [
            _entry(self.market.yes, side, price, size, best_bid, best_ask),
            _entry(self.market.no, other, PRICE_ONE - price, size, PRICE_ONE - best_ask, PRICE_ONE - best_bid),
        ]


def _entry(asset: str, side: Side, price: Price, size: str, best_bid: Price, best_ask: Price) -> dict[str, str]:
    return {
        "asset_id": asset, "price": price_text(price), "size": size, "side": side.value, "hash": "",
        "best_bid": price_text(best_bid), "best_ask": price_text(best_ask),
    }  # fmt: skip


def _level(price: Price, shares: int) -> dict[str, str]:
    return {"price": price_text(price), "size": str(shares)}


def _ms(at_ns: Nanos) -> str:
    return str(at_ns // NANOS_PER_MILLI)


def _encoded(**members: object) -> bytes:
    return msgspec.json.encode(members)
