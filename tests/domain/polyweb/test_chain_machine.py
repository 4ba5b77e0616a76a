"""Whatever the venue and the chain say to a trader whose baskets split, convert and merge: shares are conserved, what
is held never loses more than the cap that approved it, nothing is asked for twice, and every basket ends.

A machine shows books, fills, kills and settles orders in parts and out of order, and tells jobs every word in every
order; the reference folds the same fills, and what the protocol does for each confirmed job, by hand in fractions.
"""

from dataclasses import replace
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from execution.domain.chain import ENDS, ChainState, ChainTold, ChainWork, IllegalChainMove, moved
from execution.domain.commands import Cancel, Cancelled, Command, Fill, NewOrder, Place, Rejected, Strategy, TradeStatus
from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import PRICE_ONE
from risk.domain.limits import Limits
from strategies.domain.basket_stages import ENDS as STAGE_ENDS
from strategies.domain.basket_stages import Stage
from strategies.domain.intents import Conversion
from tests.basket_builders import ARB, FAR, LINKED, WIDE
from tests.builders import PUSD, SECOND, a_set, accepted, book
from tests.builders import Stage as Scene

CAP = 60 * PUSD
# Cash of a fill or a part of a set is rounded by less than one unit, and an average cost by one more.
ROUNDING = 200
BIDS = st.sampled_from([0, 1500, 3500, 4900, 5300, 5600])
DEPTHS = st.sampled_from([20, 60, 100])
WORDS = st.sampled_from([*ChainState])
MATCHED, CONFIRMED, FAILED = TradeStatus.MATCHED, TradeStatus.CONFIRMED, TradeStatus.FAILED


class Reference:
    """Shares and average-cost money per token, in fractions, by the rules of the venue and of the protocol."""

    def __init__(self, markets: tuple[Market, ...]) -> None:
        self.markets = markets
        self.cash = Fraction(0)
        self.held: dict[str, Fraction] = {}

    def take(self, asset: str, shares: int, cash: Fraction) -> None:
        self.held[asset] = self.held.get(asset, Fraction(0)) + shares
        self.cash += cash

    def done(self, work: ChainWork) -> None:
        named = [market for name in work.condition_ids for market in self.markets if market.condition_id == name]
        size, fee = work.amount, work.amount * self.markets[0].convert_fee_bps // 10_000
        match work.verb:
            case Conversion.SPLIT | Conversion.MERGE:
                sign = 1 if work.verb is Conversion.SPLIT else -1
                for asset in (named[0].yes, named[0].no):
                    self.take(asset, sign * size, Fraction(0))
                self.cash -= sign * size
            case Conversion.SPLIT_EVENT:
                for market in self.markets:
                    self.take(market.yes, size, Fraction(0))
                self.cash -= size
            case Conversion.CONVERT | Conversion.CONVERT_ONE:
                burnt, kept = (named, fee) if work.verb is Conversion.CONVERT else (named[:1], 0)
                for market in burnt:
                    self.take(market.no, -size, Fraction(0))
                for market in self.markets:
                    if market not in burnt:
                        self.take(market.yes, size - kept, Fraction(0))
                self.cash += (len(burnt) - 1) * (size - kept)


class Machine(RuleBasedStateMachine):
    @initialize(
        count=st.sampled_from([2, 3]),
        generation=st.sampled_from([Generation.V1, Generation.V2]),
        fee=st.sampled_from([0, 0, 100]),
        partial=st.booleans(),
        maker=st.sampled_from([False, False, True]),
        lock=st.sampled_from([0, 400]),
    )
    def begin(self, count: int, generation: Generation, fee: int, partial: bool, maker: bool, lock: int) -> None:
        markets = tuple(replace(market, generation=generation, convert_fee_bps=fee) for market in a_set(count))
        limits = Limits(market_loss=10**12, event_loss=CAP, total_loss=10**12, own=WIDE.own)
        arb = replace(ARB, partial_fills=partial, maker_leg=maker, lock_rate_bps=lock, max_loss=100 * PUSD)
        self.scene = Scene(*markets, config=LINKED, arb=arb, defaults=FAR, limits=limits)
        self.reference = Reference(markets)
        self.orders: dict[int, NewOrder] = {}
        self.left: dict[int, int] = {}
        self.fills: list[Fill] = []
        self.jobs: dict[str, ChainWork] = {}
        self.states: dict[str, ChainState] = {}
        self.ends: dict[str, Stage] = {}
        self.trades = 0
        self.disproved = False
        self.show_a_gap(5300)
        self.decide(0)

    # What is shown and said

    @rule(at=st.integers(0, 2), bid=BIDS, spread=st.sampled_from([100, 400, 3000]), depth=DEPTHS)
    def show(self, at: int, bid: int, spread: int, depth: int) -> None:
        market = self.scene.markets[at % len(self.scene.markets)]
        bids = {bid: depth} if bid else {}
        self.scene.hear(book(market, self.scene.now, bids, {min(bid + spread, 9900): depth}))

    @rule(bid=st.sampled_from([5300, 5600]))
    def show_a_gap(self, bid: int) -> None:
        """Bids add up to more than one; of a set of three the last has none, so that only a split can sell it."""
        for market in self.scene.markets[:2]:
            self.scene.hear(book(market, self.scene.now, {bid: 100}, {bid + 300: 100}))
        for market in self.scene.markets[2:]:
            self.scene.hear(book(market, self.scene.now, {}, {4000: 100}))

    @rule(seconds=st.sampled_from([0, 0, 1, 5, 70, 130]))
    def decide(self, seconds: int) -> None:
        self.scene.after(seconds * SECOND)
        self.follow(self.scene.decide())

    def follow(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Place(strategy=Strategy.DUTCH_BOOK):
                    for order in command.orders:
                        self.orders[order.client_order_id] = order
                        self.left[order.client_order_id] = order.size
                case Place():
                    for order in command.orders:
                        self.scene.apply(accepted(order.client_order_id, self.scene.now))
                case ChainWork():
                    assert command.job_id not in self.jobs, "asked for twice"
                    self.jobs[command.job_id] = command
                    self.states[command.job_id] = ChainState.PLANNED
                case Cancel():
                    for number in command.order_ids:
                        self.end(number)
        for step in self.scene.trader.drain_baskets():
            if step.stage in STAGE_ENDS:
                self.ends[step.basket.plan_id] = step.stage
            else:
                self.ends.pop(step.basket.plan_id, None)

    def end(self, number: int) -> None:
        if self.left.pop(number, 1):
            self.scene.apply(Cancelled(number, "cancelled", self.scene.now))

    @rule(bid=st.sampled_from([4900, 5300, 5300, 5600]), orders=st.booleans())
    def all_goes_well(self, bid: int, orders: bool) -> None:
        """Every job is done, or every order fills, while the bids are these; then the trader goes on."""
        self.show_a_gap(bid)
        for at, state in enumerate(list(self.states.values())):
            if not orders and state not in ENDS:
                self.tell(at, ChainState.CONFIRMED, False)
        while orders and self.left:
            self.fill(0, 4, CONFIRMED)
        self.decide(0)

    @precondition(lambda self: self.left)
    @rule(pick=st.integers(0, 10), part=st.sampled_from([4, 4, 2, 1]), status=st.sampled_from([MATCHED, CONFIRMED]))
    def fill(self, pick: int, part: int, status: TradeStatus) -> None:
        number = list(self.left)[pick % len(self.left)]
        order = self.orders[number]
        size = max(self.left[number] * part // 4 // 10_000 * 10_000, 10_000)
        self.trades += 1
        fill = Fill(
            number, f"t{self.trades}", 0, order.condition_id, order.asset, order.side, order.price, size, 0, False,
            status, self.scene.now,
        )  # fmt: skip
        self.scene.apply(accepted(number, self.scene.now), fill)
        self.left[number] -= size
        if not self.left[number]:
            del self.left[number]
        sign = 1 if order.side is Side.BUY else -1
        self.reference.take(order.asset, sign * size, Fraction(-sign * size * order.price, PRICE_ONE))
        if status is MATCHED:
            self.fills.append(fill)

    @precondition(lambda self: self.left)
    @rule(pick=st.integers(0, 10))
    def kill(self, pick: int) -> None:
        number = list(self.left)[pick % len(self.left)]
        untouched = self.left.pop(number) == self.orders[number].size
        now = self.scene.now
        self.scene.apply(Rejected(number, "fok_not_filled", "", now) if untouched else Cancelled(number, "", now))

    @precondition(lambda self: self.fills)
    @rule(pick=st.integers(0, 10), status=st.sampled_from([CONFIRMED, CONFIRMED, FAILED]))
    def settle(self, pick: int, status: TradeStatus) -> None:
        fill = self.fills.pop(pick % len(self.fills))
        if status is FAILED:
            sign = -1 if fill.side is Side.BUY else 1
            cash = Fraction(-sign * fill.size * fill.price, PRICE_ONE)
            self.reference.take(fill.asset, sign * fill.size, cash)
        values = {name: getattr(fill, name) for name in fill.__struct_fields__} | {"status": status}
        self.scene.apply(Fill(**values))

    @precondition(lambda self: self.jobs)
    @rule(pick=st.integers(0, 10), word=WORDS, twice=st.booleans())
    def tell(self, pick: int, word: ChainState, twice: bool) -> None:
        work = self.jobs[list(self.jobs)[pick % len(self.jobs)]]
        before = self.states[work.job_id]
        try:
            moved(before, word)
        except IllegalChainMove:
            return
        if word is ChainState.CONFIRMED and not self.covered(work):
            return  # the chain would revert it
        told = ChainTold(
            work.job_id, word, self.scene.now, booked=work.effects if word is ChainState.CONFIRMED else None
        )
        self.states[work.job_id] = word
        self.disproved |= before is ChainState.FAILED and word is ChainState.CONFIRMED
        if word is ChainState.CONFIRMED and before is not word:
            self.reference.done(work)
        self.scene.apply(told, *([told] if twice else []))

    def covered(self, work: ChainWork) -> bool:
        """Whether what a job takes is there: a late one may come when it was sold."""
        held = self.reference.held
        return all(held.get(leg.asset, 0) + leg.shares >= 0 for leg in work.effects.legs if leg.asset)

    # What must hold

    @invariant()
    def nothing_is_lost_or_made(self) -> None:
        if not hasattr(self, "scene"):
            return
        ledger = self.scene.trader.ledger
        for market in self.scene.markets:
            for asset in (market.yes, market.no):
                assert ledger.holding(asset).shares == self.reference.held.get(asset, 0), asset
        assert abs(ledger.cash - LINKED.starting_cash - self.reference.cash) <= ROUNDING

    @invariant()
    def no_outcome_loses_more_than_was_approved(self) -> None:
        if not hasattr(self, "scene") or self.disproved:
            return  # what was proved to have failed and was done after all came on top of what was approved since
        trader = self.scene.trader
        assert trader.exposure.worst_event("set") <= CAP + ROUNDING
        assert self.worst_held() <= CAP + ROUNDING

    @invariant()
    def all_that_counts_is_of_one_strategy_and_the_dutch_book_has_what_baskets_claim(self) -> None:
        if not hasattr(self, "scene"):
            return
        trader, name = self.scene.trader, self.scene.market.condition_id
        dutch, spread = (
            trader.exposure.sums(name, each.value).strategy for each in (Strategy.DUTCH_BOOK, Strategy.SPREAD)
        )
        total = trader.exposure.total()
        assert (dutch.shares + spread.shares, dutch.orders + spread.orders) == (total.shares, total.orders)
        assert dutch.notional + spread.notional == total.notional
        assert dutch.shares == self.of_baskets() + self.coming()

    def of_baskets(self) -> int:
        """What is held, or will be if nothing that was bought fails, as far as baskets claim it."""
        ledger, found = self.scene.trader.ledger, 0
        for asset, plans in self.scene.trader.sets.items():
            bought = sum(fill[0] for fill in ledger.unconfirmed(asset) if fill[0] > 0)
            found += min(max(0, ledger.confirmed(asset).shares) + bought, sum(plans.values()))
        return found

    def coming(self) -> int:
        """What open legs may buy and jobs under way may bring."""
        trader = self.scene.trader
        legs = [order for order in trader.blotter.all_live() if order.strategy is Strategy.DUTCH_BOOK]
        buys = sum(order.remaining for order in legs if order.side is Side.BUY)
        shifts = [each for record in trader.chain.open for each in trader.shifts([record.work.effects]).values()]
        return buys + sum(max(0, shift.yes) + max(0, shift.no) for shift in shifts)

    def worst_held(self) -> Fraction:
        """The most that what is held can lose of what it cost, over every outcome."""
        ledger, markets = self.scene.trader.ledger, self.scene.markets
        cost = sum(ledger.holding(asset).cost for market in markets for asset in (market.yes, market.no))
        winners: list[Market | None] = [*markets, *([None] if markets[0].generation is Generation.V2 else [])]
        pays = [
            sum(self.reference.held.get(market.asset(market is winner), 0) for market in markets) for winner in winners
        ]
        return Fraction(cost) - min(pays)

    def teardown(self) -> None:
        """The venue and the chain have their last word; then every basket must come to an end by itself."""
        if not hasattr(self, "scene"):
            return
        for _ in range(40):
            for number in list(self.left):
                self.end(number)
            while self.fills:
                self.settle(0, CONFIRMED)
            for name, work in self.jobs.items():
                if self.states[name] not in ENDS:
                    word = ChainState.CONFIRMED if self.covered(work) else ChainState.FAILED
                    self.tell(list(self.jobs).index(name), word, False)
            for market in self.scene.markets:
                self.scene.hear(book(market, self.scene.now, {1000: 100}, {9000: 100}))
            self.follow(self.scene.after(70 * SECOND).decide())
        assert not self.scene.trader.chain.open
        under_way = {plan for plan in self.plans() if plan not in self.ends}
        assert not under_way
        self.nothing_is_lost_or_made()
        for asset, plans in self.scene.trader.sets.items():
            assert sum(plans.values()) <= max(0, self.reference.held.get(asset, 0)), "claims what is not there"

    def plans(self) -> set[str]:
        return {work.plan_id for work in self.jobs.values()}


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestBasketsOnChain = Machine.TestCase
