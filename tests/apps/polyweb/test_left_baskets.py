"""Baskets an earlier engine left, found again in the rows it wrote before it sent anything."""

import pytest

from execution import chain_store
from execution.domain.chain import NEVER_SENT, ChainState, ChainTold, ChainWork
from execution.domain.commands import Place
from execution.domain.moments import moment
from execution.journal import Terms
from execution.models import Order, Plan
from markets.domain.market import Market
from polyweb.runtime.left_baskets import left_baskets
from strategies import store
from strategies.domain.basket_stages import Stage
from strategies.models import ArbBasket
from tests.basket_builders import LINKED, Floor, left_by
from tests.builders import SECOND, START, Shares, a_set, book
from tests.execution_rows import market_row, order_row

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
BIDS: tuple[tuple[Shares, Shares], ...] = (({5500: 100}, {6000: 100}),) * 2 + (({}, {4000: 100}),)


def placed(floor: Floor, place: Place, relayer: str = "real") -> None:
    """The rows of a plan, as the journal commits them before it is sent."""
    Plan.objects.create(
        plan_id=place.plan_id, strategy="dutch_book", trace=place.trace, decided_at=moment(place.decided_ns)
    )
    known: dict[str, Market] = {market.condition_id: market for market in floor.markets}
    for order in place.orders:
        market = known[order.condition_id]
        row = market_row(market.condition_id, market.yes, market.no)
        terms = {"asset_id": order.asset, "post_only": order.post_only, "relayer": relayer}
        order_row(row, order.client_order_id, plan_id=place.plan_id, **terms)


def decided(floor: Floor, work: ChainWork, *, dry_run: bool = False) -> None:
    chain_store.plan(work, Terms("real", dry_run, 1), work.decided_ns)


def begun() -> tuple[Floor, Place]:
    floor = Floor()
    place = floor.open()
    placed(floor, place)
    return floor, place


def split() -> Floor:
    floor = Floor(*a_set(3), config=LINKED)
    floor.hear(*(book(market, floor.now, *each) for market, each in zip(floor.markets, BIDS, strict=True)))
    floor.decide()
    return floor


def test_a_basket_is_found_by_its_plan_before_it_has_a_row_of_its_own() -> None:
    floor, _ = begun()
    assert left_baskets("real", START) == (left_by(floor),)


def test_one_that_began_with_a_job_is_found_by_that_job_with_its_newest_word() -> None:
    floor = split()
    (work,) = floor.works(floor.decided)
    decided(floor, work)
    chain_store.told(ChainTold(work.job_id, ChainState.FAILED, floor.now, "reverted"))
    (left,) = left_baskets("real", START)
    assert (left.basket, left.terms, left.orders) == (left_by(floor).basket, left_by(floor).terms, ())
    assert [(job.work.job_id, job.state) for job in left.jobs] == [(work.job_id, ChainState.FAILED)]
    assert left.said == "reverted"


def test_a_job_of_a_dry_run_was_never_sent() -> None:
    floor = split()
    decided(floor, floor.works(floor.decided)[0], dry_run=True)
    assert [left.said for left in left_baskets("real", START)] == [NEVER_SENT]


def test_one_that_has_ended_is_not_found_and_one_under_way_is_whatever_its_row_says_of_it() -> None:
    floor, _ = begun()
    store.record_baskets(floor.moved)
    assert len(left_baskets("real", START)) == 1
    ArbBasket.objects.update(stage=Stage.WHOLE.value)
    assert left_baskets("real", START) == ()


def test_what_another_account_or_venue_traded_is_left_alone() -> None:
    begun()
    assert left_baskets("paper", START) == ()
    assert left_baskets("real", START + SECOND) == ()


def test_a_plan_that_cannot_be_read_is_left_to_the_operator_and_the_others_are_not() -> None:
    floor, place = begun()
    store.record_baskets(floor.moved)
    assert store.interrupt_baskets(at=moment(START), besides=[place.plan_id]) == []
    Plan.objects.update(trace="buy every YES, hold to resolution")
    assert left_baskets("real", START) == ()
    assert [row.plan_id for row in store.interrupt_baskets(at=moment(START))] == [place.plan_id]


def test_what_completes_a_basket_is_no_basket_of_its_own_but_counts_as_its_order() -> None:
    floor, place = begun()
    first, second = place.orders
    floor.fill(first.client_order_id)
    floor.kill(second.client_order_id)
    (follow,) = floor.baskets(floor.decide())
    Plan.objects.create(
        plan_id=follow.plan_id, strategy="dutch_book", trace=follow.trace, decided_at=moment(follow.decided_ns)
    )
    row = Order.objects.get(client_order_id=second.client_order_id)
    order_row(
        row.market, follow.orders[0].client_order_id, plan_id=follow.plan_id, asset_id=second.asset, relayer="real",
        post_only=False,
    )  # fmt: skip
    (left,) = left_baskets("real", START)
    assert [order.plan_id for order in left.orders] == [place.plan_id, place.plan_id, follow.plan_id]
