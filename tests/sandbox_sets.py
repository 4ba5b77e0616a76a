"""Books put into the sandbox's events, for sets that pay there and sets that only look like it."""

from collections.abc import Mapping
from dataclasses import replace

from execution.sandbox.listing import EventSpec
from markets.domain.market import Market
from risk.domain.limits import Limits
from tests.sandbox_trading import Trading

SHARE = 1_000_000
Levels = Mapping[int, int]
Books = tuple[tuple[Levels, Levels], ...]
SHALLOW: Books = (({3000: 2, 500: 50}, {6000: 50}),) * 4  # bids of 1.20 in all, for two shares
WIDE = replace(Limits(10**12, 10**12, 10**12), orders_per_second=1_000)


def plant(at: Trading, event: EventSpec, books: Books) -> list[Market]:
    """Put these levels into every book of the event; its open markets as the listing would describe them."""
    found = []
    for spec, levels in zip(event.open_markets, books, strict=False):
        floor = at.sandbox.generator.floor(spec.asset_ids[0])
        assert floor is not None
        for side, wanted in ((floor.ladder.bids, levels[0]), (floor.ladder.asks, levels[1])):
            side.clear()
            side.update({price: shares * SHARE for price, shares in wanted.items()})
        market = at.markets[spec.condition_id] = replace(
            at.markets[spec.condition_id],
            event_id=event.event_id,
            augmented=event.augmented,
            other=spec.is_other,
            set_size=0 if event.augmented else len(event.open_markets),
            question_id=spec.question_id,
            convert_fee_bps=event.fee_bips,
        )
        found.append(market)
    return found
