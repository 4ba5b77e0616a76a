"""Every route against references that share nothing with it: share by share in exact fractions, outcome by outcome."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.chain import effects
from markets.domain.events import Level, Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket import plan
from strategies.domain.dutch_book import scan
from strategies.domain.intents import Basket, ChainStep, Conversion, NotTaken, Route
from strategies.domain.routes import EDGE_ONE, Moment, Offer, Opportunity
from tests.dutch_builders import CHAIN, FREE, SHARES, market
from tests.protocol_wallet import Books, Wallet, neg_risk_events


@st.composite
def ladders(draw: st.DrawFn, side: Side) -> tuple[Level, ...]:
    """One to four levels in whole cents and tenths of shares, best first."""
    cents = draw(st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True))
    ordered = sorted(cents, reverse=side is Side.SELL)
    return tuple((cent * 100, draw(st.integers(1, 300)) * SHARES // 10) for cent in ordered)


@st.composite
def sets_on_offer(draw: st.DrawFn) -> Opportunity:
    """Two to four legs, all bought or all sold, for somewhere around their payout."""
    side = draw(st.sampled_from(Side))
    offers = []
    for at in range(draw(st.integers(2, 4))):
        fees = FeeSchedule(draw(st.sampled_from([0, 0, 100, 700])))
        offers.append(Offer(market(f"m{at}", fees), draw(st.booleans()), draw(ladders(side)), side))
    top = sum(offer.levels[0][0] for offer in offers)
    payout = top + draw(st.integers(-200, 3000)) if side is Side.BUY else -max(top - draw(st.integers(-200, 3000)), 1)
    return Opportunity("ev", Route.BUY_ALL_YES, tuple(offers), payout * EDGE_ONE // PRICE_ONE)


def exact_cost(offer: Offer, start: int, stop: int, ticks: int) -> Fraction:
    """pUSD given up for the shares between two depths of one ladder, fee included, every price `ticks` worse."""
    total, seen = Fraction(0), 0
    tick = offer.market.tick
    for level, size in offer.levels:
        part = max(0, min(stop, seen + size) - max(start, seen))
        price = (
            min(level + ticks * tick, PRICE_ONE - tick) if offer.side is Side.BUY else max(level - ticks * tick, tick)
        )
        p = Fraction(price, PRICE_ONE)
        fee = Fraction(offer.market.fees.rate, 10_000) * p * (1 - p)
        total += Fraction(part, SIZE_ONE) * (fee + (p if offer.side is Side.BUY else -p))
        seen += size
    return total


def reference_size(seen: Opportunity, params: ArbParams) -> int:
    """Trade a hundredth of a share at a time while the next one earns its margin."""
    deepest = min(params.max_size, *(sum(size for _, size in offer.levels) for offer in seen.offers))
    payout = Fraction(seen.payout, EDGE_ONE) * Fraction(SIZE_STEP, SIZE_ONE)
    margin = Fraction(params.min_edge, PRICE_ONE) * Fraction(SIZE_STEP, SIZE_ONE)
    size = 0
    while size < deepest:
        stop = size + SIZE_STEP
        edge = payout - sum(exact_cost(offer, size, stop, params.slippage_ticks) for offer in seen.offers)
        if edge <= 0 or edge < margin:
            break
        size = stop
    return size


def limit_at(offer: Offer, size: int, ticks: int) -> int:
    seen, tick = 0, offer.market.tick
    for price, offered in offer.levels:
        seen += offered
        if seen >= size:
            return (
                min(price + ticks * tick, PRICE_ONE - tick)
                if offer.side is Side.BUY
                else max(price - ticks * tick, tick)
            )
    raise AssertionError("deeper than the ladder")


def reference_whole(seen: Opportunity, size: int, ticks: int) -> int:
    """The largest size up to `size` that is whole cents on each bought leg."""
    while size > 0:
        bought = [offer for offer in seen.offers if offer.side is Side.BUY]
        if all(limit_at(offer, size, ticks) * size % 10**8 == 0 for offer in bought):
            return size
        size -= SIZE_STEP
    return 0


def too_small(offer: Offer, size: int, ticks: int) -> bool:
    worth = size * limit_at(offer, size, ticks) < PRICE_ONE * CASH_ONE
    return size < offer.market.min_size or (offer.side is Side.BUY and worth)


@settings(max_examples=80, deadline=None)
@given(sets_on_offer(), st.integers(0, 300), st.integers(1, 40), st.sampled_from([0, 0, 1, 3]))
def test_a_plan_is_what_trading_share_by_share_would_have_traded(
    seen: Opportunity, min_edge: int, most: int, ticks: int
) -> None:
    params = replace(FREE, min_edge=min_edge, max_size=most * SHARES, slippage_ticks=ticks)
    size = reference_whole(seen, reference_size(seen, params), ticks)
    planned = plan(seen, params)
    if isinstance(planned, NotTaken):
        small = any(too_small(offer, size, ticks) for offer in seen.offers) if size else True
        assert small or planned is NotTaken.BELOW_MARGIN
        return
    assert planned.size == size
    limits = {offer.market.asset(offer.yes): limit_at(offer, size, ticks) for offer in seen.offers}
    assert {leg.asset: leg.price for leg in planned.legs} == limits
    assert all(leg.size == size for leg in planned.legs)
    exact = Fraction(seen.payout * size, EDGE_ONE) / SIZE_ONE
    exact -= sum(exact_cost(offer, 0, size, ticks) for offer in seen.offers)
    assert 0 <= exact * CASH_ONE - planned.edge <= 1 + 11 * sum(len(offer.levels) for offer in seen.offers)
    assert planned.edge > 0
    assert planned.edge * PRICE_ONE >= min_edge * size


# Outcome by outcome ---------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(neg_risk_events(), st.sampled_from([0, 0, 50, 200]), st.sampled_from([0, 0, 30_000]), st.booleans())
def test_what_is_left_when_the_worst_outcome_wins_is_at_least_the_edge_of_the_plan(
    books: Books, fee_bps: int, cost: int, chain: bool
) -> None:
    params = replace(FREE, convert_fee_bps=fee_bps, conversion_cost=cost)
    for basket in scan(books, params, CHAIN if chain else Moment()).baskets:
        wallet = Wallet(books, fee_bps)
        _carry_out(wallet, basket)
        calls = len(basket.before) + len(basket.after)
        left = wallet.worst() - Fraction(cost * calls, CASH_ONE)
        rounding = Fraction(11 * 4 * len(basket.legs), CASH_ONE)
        assert Fraction(basket.edge, CASH_ONE) <= left + Fraction(1, CASH_ONE)
        assert left - Fraction(basket.edge, CASH_ONE) <= rounding + _bonus(basket)


@settings(max_examples=150, deadline=None)
@given(neg_risk_events(), st.integers(1, 400), st.booleans())
def test_a_sale_from_stock_leaves_at_least_its_edge_more_than_the_stock_was_worth(
    books: Books, tenths: int, chain: bool
) -> None:
    lots = Fraction(tenths, 10)
    free = {known.asset(yes): tenths * SHARES // 10 for known, _ in books.values() for yes in (True, False)}
    held = {(name, yes): lots for name in books for yes in (True, False)}
    for basket in scan(books, FREE, Moment(chain=chain, free=free)).baskets:
        if basket.route not in (Route.SELL_ALL_YES_HELD, Route.SELL_BOTH_HELD):
            continue
        wallet = Wallet(books, 0)
        wallet.held = dict(held)
        before = wallet.worst()
        _carry_out(wallet, basket)
        assert basket.before == basket.after == ()
        assert Fraction(basket.edge, CASH_ONE) <= wallet.worst() - before + Fraction(1, CASH_ONE)


@settings(max_examples=100, deadline=None)
@given(neg_risk_events(), st.sampled_from([0, 0, 50, 200]))
def test_what_a_step_books_is_what_the_protocol_does(books: Books, fee_bps: int) -> None:
    members = [known for known, _ in books.values()]
    for basket in scan(books, replace(FREE, convert_fee_bps=fee_bps), CHAIN).baskets:
        wallet = Wallet(books, fee_bps)
        wallet.held = {(known.condition_id, False): Fraction(10**6) for known in members if basket.after}
        wallet.held |= {(known.condition_id, True): Fraction(10**6) for known in members if basket.after}
        for number, step in enumerate((*basket.before, *basket.after)):
            cash, held = wallet.cash, dict(wallet.held)
            wallet.chain(step.what, step.condition_ids, Fraction(step.size, SIZE_ONE))
            posting = effects(f"p-{number}", step, _whose(members, step), fee_bps, 0)
            booked = sum(leg.cash for leg in posting.legs)
            assert abs(wallet.cash - cash - Fraction(booked, CASH_ONE)) <= Fraction(len(members), CASH_ONE)
            for known in members:
                for yes in (True, False):
                    moved = wallet.held.get((known.condition_id, yes), 0) - held.get((known.condition_id, yes), 0)
                    shares = sum(leg.shares for leg in posting.legs if leg.asset == known.asset(yes))
                    assert abs(moved - Fraction(shares, SIZE_ONE)) <= Fraction(1, SIZE_ONE)


def _whose(members: list[Market], step: ChainStep) -> list[Market]:
    if step.what in (Conversion.SPLIT, Conversion.MERGE):
        return [known for known in members if known.condition_id in step.condition_ids]
    return members


def _bonus(basket: Basket) -> Fraction:
    """Shares that a plan counts as worth nothing: the fee's cushion of a question that was split."""
    split = max((step.size for step in basket.before), default=basket.size)
    return Fraction(split - basket.size, SIZE_ONE)


def _carry_out(wallet: Wallet, basket: Basket) -> None:
    for step in basket.before:
        wallet.chain(step.what, step.condition_ids, Fraction(step.size, SIZE_ONE))
    for leg in basket.legs:
        known, _ = wallet.books[leg.condition_id]
        wallet.trade(known, leg.asset == known.yes, leg.side, leg.size)
    for step in basket.after:
        wallet.chain(step.what, step.condition_ids, Fraction(step.size, SIZE_ONE))
