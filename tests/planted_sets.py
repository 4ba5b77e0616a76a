"""Four sets whose YES add up to less than one, of which one pays: the others lose to fees, depth, or are not full."""

from dataclasses import replace

from markets.domain.fees import FeeSchedule
from markets.domain.market import Market
from markets.domain.units import Nanos
from tests.builders import Shares, a_market, book

GOOD, FEES, DEPTH, AUGMENTED = "pays", "eaten-by-fees", "eaten-by-depth", "augmented"
PRICES: dict[str, tuple[Shares, Shares]] = {
    GOOD: ({4500: 100}, {4700: 100}),
    FEES: ({4700: 100}, {4900: 100}),
    DEPTH: ({4500: 100}, {4700: 2, 5600: 100}),
    AUGMENTED: ({3000: 100}, {4000: 100}),
}


def planted() -> dict[str, tuple[Market, Market]]:
    """Two markets per event."""
    found = {}
    for number, event_id in enumerate(PRICES):
        pair = [
            a_market(100 + 10 * number + at, event_id=event_id, neg_risk=True, set_size=2, min_size=5_000_000)
            for at in range(2)
        ]
        if event_id == FEES:
            pair = [replace(market, fees=FeeSchedule(rate=700)) for market in pair]
        if event_id == AUGMENTED:
            pair = [replace(market, augmented=True, set_size=0) for market in pair]
        found[event_id] = (pair[0], pair[1])
    return found


def frames(at: Nanos) -> list[bytes]:
    """A book for each of them."""
    return [book(market, at, *PRICES[event_id]) for event_id, pair in planted().items() for market in pair]
