"""When a plan need not be made again: only time has passed, and nothing of it looks at that time."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, SIZE_ONE
from strategies.domain import spread
from strategies.domain.inputs import BookView, Inventory, MarketInput
from strategies.domain.measures import Signals
from strategies.domain.params import SpreadParams
from strategies.domain.rewards import Scores
from strategies.domain.terms import terms_of

NOW = 1_800_000_000 * NANOS_PER_SECOND
SHARES = SIZE_ONE
BOOK = BookView(((4900, 100 * SHARES), (4800, 9 * SHARES)), ((5100, 80 * SHARES), (5200, 9 * SHARES)), NOW, 5000)
BEFORE = MarketInput(
    Market("0xc", "7", "Will it?", "yes", "no"), BOOK, Inventory(5 * SHARES, 0, 5 * SHARES), NOW, Signals(3, 7, 2)
)
TERMS = terms_of(BEFORE.market, SpreadParams())


def later(before: MarketInput = BEFORE, by_ns: int = NANOS_PER_SECOND) -> MarketInput:
    return msgspec.structs.replace(before, now_ns=before.now_ns + by_ns)


def test_time_alone_changes_no_plan() -> None:
    assert spread.same(BEFORE, later(), TERMS)
    assert spread.same(
        BEFORE, later(msgspec.structs.replace(BEFORE, book=msgspec.structs.replace(BOOK, updated_ns=NOW + 5))), TERMS
    )


@pytest.mark.parametrize(
    "change",
    [
        {"book": msgspec.structs.replace(BOOK, bids=(*BOOK.bids[:1], (4800, 10 * SHARES)))},
        {"book": msgspec.structs.replace(BOOK, asks=BOOK.asks[:1])},
        {"book": msgspec.structs.replace(BOOK, last_trade=4900)},
        {"inventory": Inventory(5 * SHARES, 0, 4 * SHARES)},
        {"signals": Signals(3, 7, 1)},
        {"rivals": Scores(1, 1)},
        {"external": 5000},
        {"reduce": "told to"},
    ],
)
def test_whatever_else_a_plan_reads_does(change: dict[str, object]) -> None:
    assert not spread.same(BEFORE, later(msgspec.structs.replace(BEFORE, **change)), TERMS)


@settings(max_examples=400)
@given(
    end_s=st.integers(-10, 4_000),
    game_s=st.integers(-10, 4_000),
    paused_s=st.sampled_from([-5, -5, 0, 3]),
    by_s=st.integers(0, 600),
    taper_s=st.sampled_from([0, 3_600]),
)
def test_a_plan_that_time_has_changed_is_never_called_the_same(
    end_s: int, game_s: int, paused_s: int, by_s: int, taper_s: int
) -> None:
    at_ms = NOW // NANOS_PER_MILLI
    market = Market(
        "0xc", "7", "Will it?", "yes", "no", end_ms=at_ms + end_s * 1_000, game_start_ms=at_ms + game_s * 1_000
    )
    terms = terms_of(market, SpreadParams(taper_before_end_s=taper_s, start_margin_s=60, reduce_before_end_s=30))
    signals = Signals(paused_until_ns=NOW + paused_s * NANOS_PER_SECOND, pause="jump")
    before = msgspec.structs.replace(BEFORE, market=market, signals=signals)
    now = later(before, by_s * NANOS_PER_SECOND)
    if spread.plan_on(now, terms) != spread.plan_on(before, terms):
        assert not spread.same(before, now, terms)
