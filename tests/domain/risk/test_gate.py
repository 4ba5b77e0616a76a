"""The gate: every way to be refused, what is never refused, and that no set of fills passes a cap it approved."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import FrozenInstanceError, replace
from itertools import chain, combinations, product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, SIZE_ONE
from risk.domain import gate
from risk.domain.breakers import Breaker, BreakerKind, BreakerState
from risk.domain.caps import CapKind, Level
from risk.domain.exposure import ExposureBook
from risk.domain.gate import Approved, Guard, RefusalCode, Refused, evaluate_basket, evaluate_quotes
from risk.domain.limits import Limits, spelled
from risk.domain.payoff import ProposedOrder
from risk.domain.replacing import UNCHANGED, change
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.intents import Basket, Leg, Quote, QuoteSet, Route

SHARES = SIZE_ONE
PUSD = CASH_ONE
NOW = 1_000 * NANOS_PER_SECOND
MARKET = Market("a", "ev", "A?", "a-yes", "a-no", generation=Generation.V1)
CLEAR = Guard(None, True, 0, 10, True)
LIMITS = Limits(market_loss=50 * PUSD, event_loss=100 * PUSD, total_loss=500 * PUSD)
BID = Quote("a-yes", Side.BUY, 4900, 20 * SHARES)
ASK = Quote("a-no", Side.BUY, 4900, 20 * SHARES)


def both(*quotes: Quote) -> QuoteSet:
    return QuoteSet("a", quotes)


def judged(
    quotes: QuoteSet,
    market: Market = MARKET,
    exposure: ExposureBook | None = None,
    limits: Limits = LIMITS,
    guard: Guard = CLEAR,
) -> Approved[QuoteSet] | Refused:
    return evaluate_quotes(quotes, market, exposure or ExposureBook([market]), limits, guard, NOW)


def codes(verdict: Approved[QuoteSet] | Approved[Basket] | Refused) -> tuple[RefusalCode, ...]:
    return verdict.codes if isinstance(verdict, Refused) else ()


def test_quotes_within_every_rule_are_approved_with_the_loss_they_may_bring() -> None:
    verdict = judged(both(BID, ASK))
    assert isinstance(verdict, Approved)
    assert verdict.proposal == both(BID, ASK)
    assert verdict.worst_after == 98 * PUSD // 10


def test_a_quote_that_may_take_is_judged_with_the_takers_fee() -> None:
    dear = replace(MARKET, fees=FeeSchedule(rate=500))
    assert isinstance(judged(both(BID), dear, limits=replace(LIMITS, market_loss=98 * PUSD // 10)), Approved)
    bold = msgspec.structs.replace(both(BID), post_only=False)
    assert codes(judged(bold, dear, limits=replace(LIMITS, market_loss=98 * PUSD // 10))) == (RefusalCode.MARKET_CAP,)
    verdict = judged(bold, dear)
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 98 * PUSD // 10 + 249_900  # 20 * 0.05 * 0.49 * 0.51


def test_only_the_gate_approves() -> None:
    with pytest.raises(TypeError, match="only the gate approves"):
        Approved(both(BID), 0, object())
    verdict = judged(both(BID))
    assert isinstance(verdict, Approved)
    with pytest.raises(FrozenInstanceError):
        verdict.worst_after = 0  # type: ignore[misc]  # the point of the test
    with pytest.raises((TypeError, ValueError)):
        replace(verdict, worst_after=0)  # type: ignore[call-arg]  # so is this


def test_wanting_nothing_is_approved_whatever_is_wrong() -> None:
    stop = Stop(StopLevel.CANCEL, StopScope.ALL, "", "operator")
    assert isinstance(judged(both(), guard=Guard(stop, False, 10**18, 0, True)), Approved)


STOP = Stop(StopLevel.PAUSE, StopScope.EVENT, "ev", "news")
MINUTE = 60 * NANOS_PER_SECOND


@pytest.mark.parametrize(
    ("verdict", "code", "detail"),
    [
        (
            lambda: judged(both(BID), guard=Guard(STOP, True, 0, 9, True)),
            RefusalCode.STOPPED,
            "stopped (PAUSE, event): news",
        ),
        (
            lambda: judged(both(BID), guard=Guard(None, False, 0, 9, True)),
            RefusalCode.BOOK_NOT_VERIFIED,
            "book not verified",
        ),
        (
            lambda: judged(both(BID), guard=Guard(None, True, MINUTE + 1, 9, True)),
            RefusalCode.BOOK_STALE,
            "book is 60.0 s old, most 60.0 s",
        ),
        (
            lambda: judged(both(BID, ASK), guard=Guard(None, True, 0, 1, True)),
            RefusalCode.ORDER_RATE,
            "2 orders wanted, room for 1",
        ),
        (
            lambda: judged(both(BID), replace(MARKET, generation=Generation.UNKNOWN)),
            RefusalCode.VERSION_UNKNOWN,
            "protocol version not known, so it is never traded with money",
        ),
        (
            lambda: judged(both(BID), replace(MARKET, accepting_orders=False)),
            RefusalCode.NOT_ACCEPTING,
            "not accepting orders",
        ),
        (
            lambda: judged(both(BID), replace(MARKET, other=True)),
            RefusalCode.OTHER_OUTCOME,
            "is the Other outcome, whose meaning may change",
        ),
        (
            lambda: judged(both(msgspec.structs.replace(BID, price=4950))),
            RefusalCode.OFF_GRID,
            "price 0.495 is off the grid of 0.01",
        ),
        (
            lambda: judged(both(msgspec.structs.replace(BID, size=20 * SHARES + 1))),
            RefusalCode.OFF_GRID,
            "size 20.000001 has more than two decimals",
        ),
        (
            lambda: judged(both(msgspec.structs.replace(BID, size=4 * SHARES))),
            RefusalCode.BELOW_MIN_SIZE,
            "size 4 is below the minimum of 5",
        ),
        (
            lambda: judged(both(BID, msgspec.structs.replace(ASK, price=5100))),
            RefusalCode.OWN_CROSS,
            "our own bid 0.49 would meet our ask 0.49",
        ),
        (
            lambda: judged(both(BID), limits=replace(LIMITS, market_overrides={"a": 9_500_000})),
            RefusalCode.MARKET_CAP,
            "market could lose 9.8 pUSD, cap 9.5 pUSD",
        ),
        (
            lambda: judged(both(BID), limits=replace(LIMITS, event_overrides={"ev": 9 * PUSD})),
            RefusalCode.EVENT_CAP,
            "event could lose 9.8 pUSD, cap 9 pUSD",
        ),
        (
            lambda: judged(both(BID), limits=replace(LIMITS, total_loss=PUSD)),
            RefusalCode.TOTAL_CAP,
            "total could lose 9.8 pUSD, cap 1 pUSD",
        ),
    ],
)
def test_a_refusal_names_its_rule_and_its_numbers(
    verdict: Callable[[], Approved[QuoteSet] | Refused], code: RefusalCode, detail: str
) -> None:
    assert verdict() == Refused((code,), detail)


def test_an_open_breaker_refuses_quotes_and_baskets_whatever_else_is_well() -> None:
    breaker = Breaker(BreakerKind.DRIFT, state=BreakerState.OPEN, reason="5 shares unexplained")
    guard = msgspec.structs.replace(CLEAR, breaker=breaker)
    refused = Refused((RefusalCode.BREAKER,), "drift breaker: 5 shares unexplained")
    assert judged(both(BID), guard=guard) == refused
    assert basket_judged(basket(leg("a", 4500), leg("b", 4800)), guard=guard) == refused


def test_every_reason_is_named_not_only_the_first() -> None:
    verdict = judged(both(BID), replace(MARKET, other=True), guard=Guard(STOP, False, 0, 0, True))
    assert codes(verdict) == (
        RefusalCode.STOPPED,
        RefusalCode.BOOK_NOT_VERIFIED,
        RefusalCode.OTHER_OUTCOME,
        RefusalCode.ORDER_RATE,
    )


def test_a_stop_for_elsewhere_or_one_that_has_expired_stops_nothing() -> None:
    elsewhere = Stop(StopLevel.CANCEL, StopScope.MARKET, "b", "operator")
    expired = Stop(StopLevel.CANCEL, StopScope.ALL, "", "operator", NOW)
    for stop in (elsewhere, expired):
        assert isinstance(judged(both(BID), guard=Guard(stop, True, 0, 9, True)), Approved)


def test_a_market_of_unknown_version_may_be_traded_on_paper() -> None:
    unknown = replace(MARKET, generation=Generation.UNKNOWN)
    assert isinstance(judged(both(BID), unknown, guard=Guard(None, True, 0, 9, False)), Approved)


def test_a_target_that_rests_already_is_counted_once_and_takes_no_room() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", True, Side.BUY, 4900, 20 * SHARES, is_quote=True)
    verdict = judged(both(BID), exposure=exposure, guard=Guard(None, True, 0, 0, True))
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 98 * PUSD // 10


def test_a_quote_that_moves_is_judged_by_the_worse_of_old_and_new_not_by_both() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", True, Side.BUY, 4800, 100 * SHARES, is_quote=True)
    verdict = judged(both(BID), exposure=exposure, limits=replace(LIMITS, market_loss=48 * PUSD))
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 48 * PUSD
    dearer = both(Quote("a-yes", Side.BUY, 4900, 100 * SHARES))
    assert judged(dearer, exposure=exposure, limits=replace(LIMITS, market_loss=48 * PUSD)) == Refused(
        (RefusalCode.MARKET_CAP,), "market could lose 49 pUSD, cap 48 pUSD"
    )


def test_the_token_of_a_quote_does_not_matter_for_the_side_it_replaces() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", False, Side.SELL, 5100, 100 * SHARES, is_quote=True)
    verdict = judged(both(Quote("a-yes", Side.BUY, 4800, 100 * SHARES)), exposure=exposure)
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 49 * PUSD  # a sale of NO nobody holds, or the bid for YES: never both


def test_quotes_stand_beside_what_no_quote_replaces() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", True, Side.BUY, 4800, 100 * SHARES)
    assert codes(judged(both(BID), exposure=exposure)) == (RefusalCode.MARKET_CAP,)


def test_one_resting_order_stands_for_one_target_only() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", True, Side.BUY, 4900, 20 * SHARES, is_quote=True)
    verdict = judged(both(BID, BID), exposure=exposure, guard=Guard(None, True, 0, 1, True))
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 196 * PUSD // 10
    assert codes(judged(both(BID, BID), exposure=exposure, guard=Guard(None, True, 0, 0, True))) == (
        RefusalCode.ORDER_RATE,
    )


def test_a_side_nobody_wants_any_more_counts_until_it_is_gone() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", False, Side.BUY, 4000, 100 * SHARES, is_quote=True)
    verdict = judged(both(BID), exposure=exposure)
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 40 * PUSD


def test_a_quote_that_would_meet_our_resting_quote_is_left_to_wait_for_it() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", False, Side.BUY, 5200, 20 * SHARES, is_quote=True)
    assert isinstance(judged(both(BID), exposure=exposure), Approved)


def test_a_new_quote_may_not_meet_a_leg_of_a_basket() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", False, Side.BUY, 5200, 20 * SHARES)
    verdict = judged(both(BID), exposure=exposure)
    assert codes(verdict) == (RefusalCode.OWN_CROSS,)
    selling = ExposureBook([MARKET])
    selling.set_order(1, "a", False, Side.SELL, 4900, 20 * SHARES)
    assert codes(judged(both(Quote("a-yes", Side.SELL, 5000, 20 * SHARES)), exposure=selling)) == (
        RefusalCode.OWN_CROSS,
    )


def test_what_only_reduces_a_loss_above_its_cap_is_let_through() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_position("a", 200 * SHARES, 0, 120 * PUSD, 0)
    exit_quote = both(Quote("a-yes", Side.SELL, 6500, 100 * SHARES))
    verdict = judged(exit_quote, exposure=exposure)
    assert isinstance(verdict, Approved)
    assert codes(judged(both(BID), exposure=exposure)) == (RefusalCode.MARKET_CAP, RefusalCode.EVENT_CAP)


def outcome(name: str, **changes: object) -> Market:
    base = Market(name, "nr", name, f"{name}-yes", f"{name}-no", Generation.V1, neg_risk=True, set_size=2)
    return replace(base, **changes)  # type: ignore[arg-type]  # builder


def leg(name: str, price: int, size: int = 100 * SHARES, fee: int = 0, yes: bool = True) -> Leg:
    return Leg(name, f"{name}-{'yes' if yes else 'no'}", Side.BUY, price, size, price * size // 10_000, fee)


def basket(*legs: Leg) -> Basket:
    return Basket("plan", "nr", Route.BUY_ALL_YES, legs[0].size, legs, 0)


SET = {name: outcome(name) for name in "ab"}


def basket_judged(
    wanted: Basket,
    limits: Limits = LIMITS,
    guard: Guard = CLEAR,
    markets: dict[str, Market] = SET,
    exposure: ExposureBook | None = None,
) -> Approved[Basket] | Refused:
    book = exposure or ExposureBook(markets.values())
    return evaluate_basket(wanted, markets, book, limits, guard, NOW)


def test_a_basket_is_judged_by_the_worst_subset_of_its_legs() -> None:
    wanted = basket(leg("a", 4500), leg("b", 4800))
    assert isinstance(basket_judged(wanted), Approved)
    verdict = basket_judged(wanted, replace(LIMITS, event_loss=47 * PUSD))
    assert verdict == Refused((RefusalCode.EVENT_CAP,), "event could lose 48 pUSD, cap 47 pUSD")


def test_a_basket_is_judged_with_every_leg_filled_too() -> None:
    incomplete = {name: replace(market, set_size=3) for name, market in SET.items()}
    wanted = basket(leg("a", 4500), leg("b", 4800))
    verdict = basket_judged(wanted, replace(LIMITS, event_loss=60 * PUSD), markets=incomplete)
    assert codes(verdict) == (RefusalCode.EVENT_CAP,)
    assert isinstance(verdict, Refused)
    assert "event with every leg filled could lose 93 pUSD, cap 60 pUSD" in verdict.detail


def test_a_legs_fee_is_part_of_what_it_may_cost() -> None:
    dear = {**SET, "b": replace(SET["b"], fees=FeeSchedule(rate=500))}
    wanted = basket(leg("a", 4500), leg("b", 4800))
    verdict = basket_judged(wanted, replace(LIMITS, market_loss=48 * PUSD), markets=dear)
    assert verdict == Refused((RefusalCode.MARKET_CAP,), "market b could lose 49.248 pUSD, cap 48 pUSD")


def test_one_bad_leg_refuses_the_whole_basket_and_is_named_once() -> None:
    wanted = basket(leg("a", 4550), leg("b", 4850))
    spoilt = {"a": outcome("a", generation=Generation.UNKNOWN), "b": outcome("b", accepting_orders=False)}
    verdict = basket_judged(wanted, guard=Guard(STOP, False, 0, 1, True), markets=spoilt)
    assert codes(verdict) == (
        RefusalCode.BOOK_NOT_VERIFIED,
        RefusalCode.VERSION_UNKNOWN,
        RefusalCode.NOT_ACCEPTING,
        RefusalCode.ORDER_RATE,
        RefusalCode.OFF_GRID,
    )
    assert isinstance(verdict, Refused)
    assert verdict.detail.count("book not verified") == 1


def test_a_basket_may_not_buy_from_our_own_quotes() -> None:
    exposure = ExposureBook(SET.values())
    exposure.set_order(1, "b", False, Side.BUY, 5200, 20 * SHARES, is_quote=True)
    verdict = basket_judged(basket(leg("a", 4500), leg("b", 4800)), exposure=exposure)
    assert codes(verdict) == (RefusalCode.OWN_CROSS,)


def test_both_sides_of_one_market_below_one_are_no_cross() -> None:
    wanted = basket(leg("a", 4500), leg("a", 5300, yes=False))
    verdict = basket_judged(wanted, replace(LIMITS, market_loss=53 * PUSD))
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == 53 * PUSD


def test_a_basket_with_a_leg_of_another_event_is_a_mistake() -> None:
    markets = {**SET, "c": replace(outcome("c"), event_id="elsewhere")}
    with pytest.raises(ValueError, match="an order in elsewhere is no part of a proposal in nr"):
        basket_judged(basket(leg("a", 4500), leg("c", 4800)), markets=markets)


NAMES = ("a", "b")
RESTING = st.lists(
    st.builds(
        ProposedOrder,
        st.sampled_from(NAMES),
        st.booleans(),
        st.sampled_from(Side),
        st.integers(1, 99).map(lambda cents: cents * 100),
        st.integers(5, 100).map(lambda shares: shares * SHARES),
        st.just(0),  # no fee: one below zero would be a gift
    ),
    max_size=4,
)
QUOTES = st.lists(
    st.builds(
        Quote,
        st.sampled_from(["a-yes", "a-no"]),
        st.sampled_from(Side),
        st.integers(1, 99).map(lambda cents: cents * 100),
        st.integers(5, 100).map(lambda shares: shares * SHARES),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(RESTING, QUOTES, st.sets(st.integers(0, 6)), st.integers(1, 80))
def test_no_subset_of_fills_passes_a_cap_the_gate_approved(
    resting: list[ProposedOrder], quotes: list[Quote], fills: set[int], cap: int
) -> None:
    exposure = ExposureBook(SET.values())
    for order_id, order in enumerate(resting):
        exposure.set_order(order_id, *order)
    before = exposure.worst_event("nr")
    limits = Limits(market_loss=cap * PUSD, event_loss=cap * PUSD, total_loss=cap * PUSD)
    verdict = evaluate_quotes(QuoteSet("a", tuple(quotes)), SET["a"], exposure, limits, CLEAR, NOW)
    if isinstance(verdict, Refused):
        return
    placed = [ProposedOrder("a", q.asset == "a-yes", q.side, q.price, q.size) for q in quotes]
    happened = [order for at, order in enumerate([*resting, *placed]) if at in fills]
    reality = ExposureBook(SET.values())
    realised = reality.worst_event_filled("nr", happened)
    assert realised <= verdict.worst_after <= max(cap * PUSD, before)


def bids_for_yes(order: ProposedOrder) -> bool:
    return (order.side is Side.BUY) == order.is_yes


def loss_if_filled(orders: Iterable[ProposedOrder]) -> int:
    """The worst outcome of the set of two, by hand: a wins or b wins."""
    worst = 0
    for winner in NAMES:
        money = 0
        for order in orders:
            sign = 1 if order.side is Side.BUY else -1
            paid = (order.price * order.size * sign + 9_999) // 10_000
            money += sign * order.size * (order.is_yes == (order.condition_id == winner)) - paid
        worst = max(worst, -money)
    return worst


def subsets(orders: Sequence[ProposedOrder]) -> Iterator[tuple[ProposedOrder, ...]]:
    return chain.from_iterable(combinations(orders, count) for count in range(len(orders) + 1))


def may_rest(old: Sequence[ProposedOrder], new: Sequence[ProposedOrder]) -> Iterator[list[ProposedOrder]]:
    """What converge may let rest: on each side all old quotes, or for each target it or an old one kept for it."""
    choices = []
    for side in (True, False):
        rests = [order for order in old if bids_for_yes(order) is side]
        wanted = [order for order in new if bids_for_yes(order) is side]
        kept = [
            [*held, *targets]
            for count in range(min(len(rests), len(wanted)) + 1)
            for held in combinations(rests, count)
            for targets in combinations(_without(wanted, held), len(wanted) - count)
        ]
        choices.append([rests, *kept])
    for bids, offers in product(*choices):
        yield [*bids, *offers]


def _without(wanted: Sequence[ProposedOrder], held: Sequence[ProposedOrder]) -> list[ProposedOrder]:
    """A target that an old order is already is that order."""
    left = list(wanted)
    for order in held:
        if order in left:
            left.remove(order)
    return left


def orders_of(name: str, most: int, dearest: int = 99) -> st.SearchStrategy[list[ProposedOrder]]:
    return st.lists(
        st.builds(
            ProposedOrder,
            st.just(name),
            st.booleans(),
            st.just(Side.BUY),
            st.integers(1, dearest).map(lambda cents: cents * 100),
            st.integers(5, 100).map(lambda shares: shares * SHARES),
            st.just(0),
        ),
        max_size=most,
    )


def priced(old: list[ProposedOrder], others: list[ProposedOrder]) -> ExposureBook:
    exposure = ExposureBook(SET.values())
    for order_id, order in enumerate([*old, *others]):
        exposure.set_order(order_id, *order, is_quote=order_id < len(old))
    return exposure


def quoted(new: list[ProposedOrder]) -> QuoteSet:
    return QuoteSet("a", tuple(Quote(f"a-{'yes' if o.is_yes else 'no'}", o.side, o.price, o.size) for o in new))


@settings(max_examples=120, deadline=None)
@given(orders_of("a", 3), orders_of("a", 3, 49), orders_of("a", 1) | orders_of("b", 2), st.integers(1, 80))
def test_whatever_rests_and_fills_while_quotes_are_replaced_loses_no_more_than_was_approved(
    old: list[ProposedOrder], new: list[ProposedOrder], others: list[ProposedOrder], cap: int
) -> None:
    exposure = priced(old, others)
    before = exposure.worst_event("nr")
    limits = Limits(market_loss=cap * PUSD, event_loss=cap * PUSD, total_loss=cap * PUSD)
    verdict = judged(quoted(new), SET["a"], exposure, limits)
    if isinstance(verdict, Refused):
        return
    assert verdict.worst_after <= max(cap * PUSD, before)
    for resting in may_rest(old, new):
        for fills in subsets([*resting, *others]):
            assert loss_if_filled(fills) <= verdict.worst_after


@settings(max_examples=120, deadline=None)
@given(orders_of("a", 3), orders_of("a", 2, 49), orders_of("b", 2))
def test_with_one_quote_a_side_the_gate_counts_exactly_the_worst_that_can_happen(
    old: list[ProposedOrder], new: list[ProposedOrder], others: list[ProposedOrder]
) -> None:
    if len({order.is_yes for order in new}) < len(new):
        return
    verdict = judged(quoted(new), SET["a"], priced(old, others), Limits(10**12, 10**12, 10**12))
    assert isinstance(verdict, Approved)
    worst = max(loss_if_filled(fills) for resting in may_rest(old, new) for fills in subsets([*resting, *others]))
    assert verdict.worst_after == worst


@settings(max_examples=120, deadline=None)
@given(RESTING, RESTING, st.sets(st.integers(0, 3)), st.integers(0, 100), st.integers(0, 60))
def test_quotes_that_all_rest_already_add_nothing_whatever_they_are(
    old: list[ProposedOrder], others: list[ProposedOrder], again: set[int], held: int, cost: int
) -> None:
    old = [order._replace(condition_id="a") for order in old]
    exposure = priced(old, others)
    exposure.set_position("a", held * SHARES, held * SHARES // 2, cost * PUSD, cost * PUSD // 2)
    wanted = [order for at, order in enumerate(old) if at in again]
    row = exposure.bounds(SET["a"], LIMITS, gate.SPREAD).row
    bids, offers = ([(*each[1:5], True) for each in wanted if bids_for_yes(each) is side] for side in (True, False))
    assert change(row, row.around(), bids, offers) == UNCHANGED


def test_what_rests_already_is_refused_for_no_cap_but_those_of_a_single_order() -> None:
    exposure = ExposureBook([MARKET])
    exposure.set_order(1, "a", True, Side.BUY, 4900, 20 * SHARES, is_quote=True)
    none_left = Limits(market_loss=PUSD, event_loss=PUSD, total_loss=PUSD)
    verdict = judged(both(BID), exposure=exposure, limits=none_left)
    assert isinstance(verdict, Approved)
    assert verdict.worst_after == exposure.worst_total()
    one_order = replace(none_left, own={"shares order ": 19 * SHARES})
    assert codes(judged(both(BID), exposure=exposure, limits=one_order)) == (RefusalCode.ORDER_CAP,)


def test_the_gates_module_offers_no_other_way_to_approve() -> None:
    makers = [name for name in dir(gate) if name.startswith("evaluate")]
    assert makers == ["evaluate_basket", "evaluate_exit", "evaluate_quotes"]


SALE = Quote("a-yes", Side.SELL, 5100, 20 * SHARES)
PAIRS = st.sampled_from(
    [(BID, ASK), (BID,), (msgspec.structs.replace(BID, price=4800), ASK), (ASK, BID), (BID, SALE), (SALE,)]
)
TIGHT = Limits(
    market_loss=20 * PUSD,
    event_loss=25 * PUSD,
    total_loss=500 * PUSD,
    own={
        spelled(CapKind.NOTIONAL, Level.EVENT): 20 * PUSD + 100_000,
        spelled(CapKind.SHARES, Level.MARKET): 70 * SHARES,
    },
)
STEPS = st.tuples(
    st.none() | PAIRS,  # what rests from now on; None leaves it
    PAIRS,  # what is wanted
    st.sampled_from([None, 9_800, 9_800, 4_000]),  # twice the middle of the book
    st.sampled_from([None, None, None, 30, 50]),  # the market's cap of shares for one order from now on
    st.sampled_from([None, None, (0, 0), (12, 20), (20, 12)]),  # what 40 YES and 40 NO have cost from now on
    st.sampled_from([0, 0, 1, 20, 40]),  # shares another market of ours buys
    st.sampled_from([True, True, False]),  # post-only
    st.sampled_from([0, 10, 10]),  # orders the rate has room for
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=12))
def test_what_was_judged_before_is_judged_as_if_for_the_first_time(
    steps: list[
        tuple[
            tuple[Quote, ...] | None,
            tuple[Quote, ...],
            int | None,
            int | None,
            tuple[int, int] | None,
            int,
            bool,
            int,
        ]
    ],
) -> None:
    market, sibling = replace(MARKET, fees=FeeSchedule(rate=500)), replace(MARKET, condition_id="b")
    lasting, limits = ExposureBook([market, sibling]), TIGHT
    rests: tuple[Quote, ...] = ()
    costs = 0, 0
    for now_rests, wanted, mid, cap, now_costs, elsewhere, post_only, room in steps:
        rests = rests if now_rests is None else now_rests
        costs = costs if now_costs is None else now_costs
        fresh = ExposureBook([market, sibling])
        for book, changed in ((lasting, now_rests), (fresh, rests)):
            if changed is not None:
                _rest(book, changed)
            if now_costs is not None or book is fresh:
                held = 40 * SHARES if any(costs) else 0
                book.set_position("a", held, held, costs[0] * PUSD, costs[1] * PUSD)
            book.set_order(9, "b", True, Side.BUY, 5000, elsewhere * SHARES, strategy="spread")
        if cap is not None:
            limits = replace(TIGHT, own={**TIGHT.own, spelled(CapKind.SHARES, Level.ORDER): cap * SHARES // 2})
        guard = msgspec.structs.replace(CLEAR, order_room=room, mids_x2=None if mid is None else {"a": mid})
        quotes = msgspec.structs.replace(both(*wanted), post_only=post_only)
        first = judged(quotes, market, fresh, limits, guard)
        for _ in range(2):
            again = judged(quotes, market, lasting, limits, guard)
            assert again == first or (isinstance(again, Approved) and isinstance(first, Approved))
            assert getattr(again, "worst_after", 0) == getattr(first, "worst_after", 0)


def test_a_sale_wanted_again_is_judged_by_what_the_shares_have_cost_now() -> None:
    lasting = ExposureBook([MARKET])
    losses = []
    for yes_cost, no_cost in ((12 * PUSD, 20 * PUSD), (20 * PUSD, 12 * PUSD)):
        fresh = ExposureBook([MARKET])
        for book in (lasting, fresh):
            book.set_position("a", 40 * SHARES, 40 * SHARES, yes_cost, no_cost)
        verdicts = [judged(both(SALE), exposure=book) for book in (lasting, fresh)]
        losses.append([verdict.worst_after for verdict in verdicts if isinstance(verdict, Approved)])
    assert losses == [[6 * PUSD, 6 * PUSD], [2 * PUSD, 2 * PUSD]]


def _rest(exposure: ExposureBook, quotes: tuple[Quote, ...]) -> None:
    """These quotes rest, and no other."""
    for number in range(3):
        exposure.set_order(number, "a", True, Side.BUY, 1, 0, is_quote=True)
    for number, quote in enumerate(quotes):
        exposure.set_order(number, "a", quote.asset == "a-yes", quote.side, quote.price, quote.size, is_quote=True)
