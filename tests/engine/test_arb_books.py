"""What arbitrage did reaches the rows, and a basket that is not even the operator."""

from collections.abc import Collection, Sequence

import pytest
from prometheus_client import REGISTRY

from execution.domain.chain import ChainRecord, ChainState, ChainTold, chain_work
from execution.domain.commands import Place, Rejected, Strategy
from execution.engine import Trouble
from markets.domain.units import Nanos
from polyweb.runtime.arb_books import ArbBooks
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import BasketMoved
from strategies.domain.basket_stages import Stage as At
from strategies.domain.intents import ChainStep, Conversion, Route
from strategies.domain.opportunity_log import TAKEN, Gap
from tests.builders import SHARES, Stage, a_set, accepted, book, fill_of, plain


class Rows:
    """A register that fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.moved: list[BasketMoved] = []
        self.gaps: list[Gap] = []

    async def interrupted_baskets(self, now_ns: Nanos, besides: Collection[str]) -> list[str]:
        return ["plan-of-yesterday"]

    async def arbitrage(self, moved: Sequence[BasketMoved], gaps: Sequence[Gap]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("database is locked")
        self.moved += moved
        self.gaps += gaps


def stuck_basket() -> Stage:
    """One leg filled, the other killed, and no price to even it out at."""
    stage = Stage(*a_set(), arb=ArbParams(enabled=True), defaults=plain(half_spread=4_000))
    stage.hear(*(book(market, stage.now, {4500: 100}, {4700: 100}) for market in stage.markets))
    (basket,) = [each for each in stage.decide() if isinstance(each, Place) and each.strategy is Strategy.DUTCH_BOOK]
    first, second = (order.client_order_id for order in basket.orders)
    stage.apply(accepted(first, stage.now))
    order = stage.trader.blotter.order(first)
    assert order is not None
    stage.apply(fill_of(order, stage.now), Rejected(second, "fok_not_filled", "no match", stage.now))
    stage.hear(*(book(market, stage.now, {1000: 100}, {9900: 100}) for market in stage.markets))
    stage.decide()
    return stage


async def test_an_unbalanced_basket_is_told_once_and_its_steps_survive_a_database_that_fails() -> None:
    troubles: list[Trouble] = []
    rows = Rows(failures=1)
    books = ArbBooks(stuck_basket().trader, rows, troubles.append)
    with pytest.raises(OSError, match="locked"):
        await books.keep()
    await books.keep()
    await books.keep()
    assert [step.stage for step in rows.moved] == [At.TAKING, At.STUCK]
    (trouble,) = troubles
    assert trouble.kind == "basket_unbalanced"
    assert "ended unbalanced: legs filled 100, 0 of 100" in trouble.text
    assert rows.moved[-1].filled[0] == 100 * SHARES


def counted(reason: str) -> float:
    value = REGISTRY.get_sample_value(
        "polyweb_arb_opportunities_total", {"route": Route.BUY_ALL_YES.value, "reason": reason}
    )
    return value or 0.0


async def test_a_gap_that_was_taken_says_so_when_it_ends() -> None:
    rows = Rows()
    troubles: list[Trouble] = []
    before = counted(TAKEN)
    await ArbBooks(stuck_basket().trader, rows, troubles.append).keep()
    assert TAKEN in {gap.reason for gap in rows.gaps}
    assert counted(TAKEN) == before + 1


async def test_open_gaps_lifetimes_and_ends_of_baskets_are_told_to_prometheus() -> None:
    end = {"route": Route.BUY_ALL_YES.value, "end": At.STUCK.value}
    before = REGISTRY.get_sample_value("polyweb_arb_baskets_total", end) or 0.0
    stage = stuck_basket()
    stage.hear(*(book(market, stage.now, {4500: 100}, {4700: 100}) for market in stage.markets))
    stage.decide()
    await ArbBooks(stage.trader, Rows(), lambda _: None).keep()
    assert REGISTRY.get_sample_value("polyweb_arb_open") == len(stage.trader.open_gaps)
    assert REGISTRY.get_sample_value("polyweb_arb_baskets_total", end) == before + 1
    assert REGISTRY.get_sample_value("polyweb_arb_lifetime_seconds_count", {"route": Route.BUY_ALL_YES.value})


async def test_a_basket_an_earlier_engine_left_under_way_is_told_before_the_first_quote() -> None:
    troubles: list[Trouble] = []
    await ArbBooks(Stage().trader, Rows(), troubles.append).begin(1)
    assert [(trouble.kind, trouble.key) for trouble in troubles] == [("basket_unbalanced", "plan-of-yesterday")]


async def test_a_job_on_chain_that_no_basket_waits_for_is_told_at_start_and_when_it_has_ended() -> None:
    step = ChainStep(Conversion.SPLIT, (Stage().market.condition_id,), 10 * SHARES)
    stage = Stage()
    work = chain_work("plan-of-last-week", 0, step, stage.market.event_id, [stage.market], 0, stage.now)
    other = chain_work("plan-of-yesterday", 0, step, stage.market.event_id, [stage.market], 0, stage.now)
    records = [ChainRecord(each, ChainState.SUBMITTED) for each in (work, other)]
    stage.trader.restore((), (), stage.now, (), records)
    troubles: list[Trouble] = []
    books = ArbBooks(stage.trader, Rows(), troubles.append)
    await books.begin(stage.now)
    assert [(trouble.kind, trouble.key) for trouble in troubles] == [
        ("basket_unbalanced", "plan-of-yesterday"),
        ("chain_job_left", "plan-of-last-week-0"),
    ]
    assert "On chain: split of 10 for basket plan-of-yest (submitted)" in troubles[0].text
    stage.apply(ChainTold(work.job_id, ChainState.CONFIRMED, stage.now, booked=work.effects))
    await books.keep()
    assert (troubles[-1].key, "(confirmed)" in troubles[-1].text) == ("plan-of-last-week-0", True)
