"""Every route against references that share nothing with it: share by share in exact fractions, outcome by outcome."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from markets.domain.events import Level, Side
from markets.domain.fees import FeeSchedule
from markets.domain.market import SIZE_STEP, Generation, Market
from markets.domain.units import CASH_ONE, PRICE_ONE, SIZE_ONE
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket import plan
from strategies.domain.dutch_book import scan
from strategies.domain.inputs import BookView
from strategies.domain.intents import Basket, Conversion, NotTaken, Route
from strategies.domain.routes import EDGE_ONE, Moment, Offer, Opportunity
from tests.dutch_builders import CHAIN, FREE, SHARES, market, view


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

Books = dict[str, tuple[Market, BookView]]


@st.composite
def neg_risk_events(draw: st.DrawFn) -> Books:
    """Complete events of two to four outcomes whose prices often add up to more or less than one."""
    generation = draw(st.sampled_from([Generation.V1, Generation.V2]))
    count = draw(st.integers(2, 4))
    books: Books = {}
    for at in range(count):
        bid = draw(st.integers(1, 95))
        ask = draw(st.integers(bid + 1, 99))
        fees = FeeSchedule(draw(st.sampled_from([0, 100, 500])))
        depth = [draw(st.integers(50, 4000)) * SHARES // 10 for _ in range(4)]
        bids = [(bid * 100, depth[0])] + ([((bid - 1) * 100, depth[1])] if bid > 1 else [])
        asks = [(ask * 100, depth[2])] + ([((ask + 1) * 100, depth[3])] if ask < 99 else [])
        books[f"m{at}"] = (market(f"m{at}", fees, count, generation), view(bids, asks))
    return books


class Wallet:
    """Cash and shares in exact fractions, moved by the rules of the protocol and by nothing else."""

    def __init__(self, books: Books, fee_bps: int) -> None:
        self.books = books
        self.keeps = Fraction(10_000 - fee_bps, 10_000)
        self.v2 = any(known.generation is Generation.V2 for known, _ in books.values())
        self.cash = Fraction(0)
        self.held: dict[tuple[str, bool], Fraction] = {}

    def move(self, name: str, yes: bool, shares: Fraction) -> None:
        left = self.held.get((name, yes), Fraction(0)) + shares
        assert left >= 0, f"{name} {yes} was never there"
        self.held[name, yes] = left

    def chain(self, what: Conversion, names: tuple[str, ...], size: Fraction) -> None:
        if what is Conversion.SPLIT:
            self.cash -= size
            self.move(names[0], True, size)
            self.move(names[0], False, size)
        elif what is Conversion.MERGE:
            self.move(names[0], True, -size)
            self.move(names[0], False, -size)
            self.cash += size
        elif what is Conversion.SPLIT_EVENT:
            assert self.v2
            self.cash -= size
            for name in self.books:
                self.move(name, True, size)
        else:
            self.convert(what, names, size)

    def convert(self, what: Conversion, names: tuple[str, ...], size: Fraction) -> None:
        burnt = names[:1] if what is Conversion.CONVERT_ONE else names
        kept = Fraction(1) if what is Conversion.CONVERT_ONE else self.keeps
        assert self.v2 is (what is Conversion.CONVERT_ONE)
        for name in burnt:
            self.move(name, False, -size)
        self.cash += (len(burnt) - 1) * size * kept
        for name in set(self.books) - set(burnt):
            self.move(name, True, size * kept)

    def trade(self, leg_market: Market, yes: bool, side: Side, size: int) -> None:
        """Take the book as it stands, level by level."""
        _, seen = self.books[leg_market.condition_id]
        own = seen.asks if (side is Side.BUY) is yes else seen.bids
        left = Fraction(size, SIZE_ONE)
        for yes_price, offered in own:
            p = Fraction(yes_price if yes else PRICE_ONE - yes_price, PRICE_ONE)
            part = min(left, Fraction(offered, SIZE_ONE))
            fee = part * Fraction(leg_market.fees.rate, 10_000) * p * (1 - p)
            self.cash += (-part * p if side is Side.BUY else part * p) - fee
            left -= part
        assert not left, "more than the book offered"
        self.move(leg_market.condition_id, yes, Fraction(size if side is Side.BUY else -size, SIZE_ONE))

    def worst(self) -> Fraction:
        """Cash at resolution if the outcome that is worst for us wins; in V2 that may be none of those listed."""
        outcomes: list[str | None] = [*self.books, *([None] if self.v2 else [])]
        pays = [
            sum(shares for (name, yes), shares in self.held.items() if (name == winner) is yes) for winner in outcomes
        ]
        return self.cash + min(pays)


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
