"""Invented markets of one event, and their books, for tests of the Dutch book."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from markets.domain.events import Level
from markets.domain.fees import NO_FEES, FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import PRICE_ONE, SIZE_ONE, Cash, Size
from strategies.domain.arb_params import ArbParams
from strategies.domain.inputs import BookView
from strategies.domain.leg_risk import Standing
from strategies.domain.routes import Moment

SHARES = SIZE_ONE
FREE = ArbParams(enabled=True, min_edge=0, max_size=1000 * SHARES, conversion_cost=0, chain_edge=0, lock_rate_bps=0)
CHAIN = Moment(chain=True)
FEES = FeeSchedule(rate=500)


def market(name: str, fees: FeeSchedule = NO_FEES, set_size: int = 0, generation: Generation = Generation.V1) -> Market:
    return Market(
        name, "ev", name, f"{name}-yes", f"{name}-no", generation, fees=fees, neg_risk=set_size > 0, set_size=set_size
    )


def view(bids: Sequence[Level], asks: Sequence[Level]) -> BookView:
    return BookView(tuple(bids), tuple(asks), 0)


def crossed(
    bid: int = 5200, ask: int = 5000, size: int = 100 * SHARES, fees: FeeSchedule = NO_FEES
) -> dict[str, tuple[Market, BookView]]:
    """One market whose asks for YES and NO add up to less than one."""
    return {"m": (market("m", fees), view([(bid, size)], [(ask, size)]))}


def neg_risk(
    tops: Sequence[tuple[int, int]], size: int = 100 * SHARES, generation: Generation = Generation.V1
) -> dict[str, tuple[Market, BookView]]:
    """An event of markets with one (best bid, best ask) each."""
    return {
        f"m{at}": (market(f"m{at}", NO_FEES, len(tops), generation), view([(bid, size)], [(ask, size)]))
        for at, (bid, ask) in enumerate(tops)
    }


LEVELS = st.lists(st.tuples(st.integers(1, 99).map(lambda c: c * 100), st.integers(1, 300)), max_size=3)


@st.composite
def standings(draw: st.DrawFn, leg: Callable[..., Standing]) -> list[Standing]:
    """Three legs, filled at will, on books of three levels a side; `leg` is how the test makes one."""
    legs = []
    for at in range(3):
        asks = tuple(sorted({price: size * SHARES for price, size in draw(LEVELS)}.items()))
        bids = tuple(sorted({price: size * SHARES for price, size in draw(LEVELS)}.items(), reverse=True))
        legs.append(leg(at, draw(st.integers(0, 100)), asks=asks, bids=bids))
    return legs


def walk(levels: Sequence[Level], size: Size) -> Cash:
    """What taking `size` costs or brings without fees; all of it must be there."""
    total = 0
    for price, there in levels:
        part = min(size, there)
        total += price * part
        size -= part
    assert not size
    return total // PRICE_ONE
