"""The caps an operator sets, as one frozen value the gate reads.

Law: a missing override falls back to the next wider cap, never to "unlimited".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from markets.domain.units import CASH_ONE, Cash, Nanos

DEFAULT_MARKET_LOSS: Cash = 100 * CASH_ONE
DEFAULT_EVENT_LOSS: Cash = 200 * CASH_ONE
DEFAULT_TOTAL_LOSS: Cash = 500 * CASH_ONE


@dataclass(frozen=True, slots=True)
class Limits:
    """Worst-case loss caps in 1e-6 pUSD; `orders_per_second` counts over the whole wallet.

    `max_book_age_ns` is where the stale-book breaker trips.
    """

    market_loss: Cash = DEFAULT_MARKET_LOSS
    event_loss: Cash = DEFAULT_EVENT_LOSS
    total_loss: Cash = DEFAULT_TOTAL_LOSS
    orders_per_second: int = 30
    max_book_age_ns: Nanos = 60_000_000_000
    market_overrides: Mapping[str, Cash] = field(default_factory=dict)
    event_overrides: Mapping[str, Cash] = field(default_factory=dict)

    def for_market(self, condition_id: str) -> Cash:
        return self.market_overrides.get(condition_id, self.market_loss)

    def for_event(self, event_id: str) -> Cash:
        return self.event_overrides.get(event_id, self.event_loss)
