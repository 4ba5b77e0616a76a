"""The gate and getting out: a sale needs a flatten, and reducing quotes pass a stop that only reduces."""

import msgspec
import pytest

from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import NANOS_PER_SECOND, SIZE_ONE
from risk.domain.exits import Exit
from risk.domain.exposure import ExposureBook
from risk.domain.gate import Approved, Guard, RefusalCode, Refused, evaluate_exit, evaluate_quotes
from risk.domain.limits import Limits
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.inputs import Inventory
from strategies.domain.intents import Quote, QuoteSet

NOW = 1_000 * NANOS_PER_SECOND
MARKET = Market("a", "ev", "A?", "a-yes", "a-no", generation=Generation.V1)
HELD = Inventory(20 * SIZE_ONE, 10 * SIZE_ONE, 20 * SIZE_ONE, 10 * SIZE_ONE)
CLEAR = Guard(None, True, 0, 10, True, inventory=HELD)


def a_stop(level: StopLevel) -> Stop:
    return Stop(level, StopScope.ALL, "", "out")


def sold(shares: int, stop: Stop | None) -> Approved[Exit] | Refused:
    leaving = Exit("a", Quote("a-yes", Side.SELL, 4_000, shares * SIZE_ONE))
    guard = msgspec.structs.replace(CLEAR, stop=stop)
    return evaluate_exit(leaving, MARKET, ExposureBook([MARKET]), Limits(), guard, NOW)


@pytest.mark.parametrize("stop", [None, a_stop(StopLevel.CANCEL), a_stop(StopLevel.REDUCE)])
def test_an_exit_without_a_flatten_is_refused(stop: Stop | None) -> None:
    verdict = sold(10, stop)
    assert isinstance(verdict, Refused)
    assert verdict.codes == (RefusalCode.STOPPED,)


def test_an_exit_may_sell_what_is_held_beyond_pairs_and_no_share_more() -> None:
    flatten = a_stop(StopLevel.FLATTEN)
    assert isinstance(sold(10, flatten), Approved)
    verdict = sold(11, flatten)
    assert isinstance(verdict, Refused)
    assert verdict.codes == (RefusalCode.NOT_HELD,)


@pytest.mark.parametrize(
    ("side", "shares", "passes"), [(Side.SELL, 10, True), (Side.SELL, 11, False), (Side.BUY, 10, False)]
)
def test_a_stop_that_only_reduces_lets_reducing_quotes_through(side: Side, shares: int, passes: bool) -> None:
    quotes = QuoteSet("a", (Quote("a-yes", side, 5_000, shares * SIZE_ONE),))
    guard = msgspec.structs.replace(CLEAR, stop=a_stop(StopLevel.REDUCE))
    verdict = evaluate_quotes(quotes, MARKET, ExposureBook([MARKET]), Limits(), guard, NOW)
    assert isinstance(verdict, Approved) is passes
