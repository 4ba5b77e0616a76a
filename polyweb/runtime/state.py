"""Trading state: everything the trader knows, and the few ways to ask it and to note what was decided.

Law: owned by the trader alone. Quoter and arbitrageur read it and book their plans in it; nobody else holds it.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter

from execution.domain.blotter import Blotter, LiveOrder, OrderMoved
from execution.domain.chain import ENDS as CHAIN_ENDS
from execution.domain.chain import ChainWork
from execution.domain.chain_book import ChainBook
from execution.domain.commands import Fill, NewOrder, Place, Refusal, Strategy
from execution.domain.ledger import Ledger
from execution.domain.orders import ENDED
from execution.domain.postings import Posting
from execution.domain.supposed import supposed
from markets.domain.books import BookSet
from markets.domain.fees import taker_fee_ceil
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, ConditionId, Nanos, Price, Size
from polyweb.runtime.desk import Counters, Desk
from polyweb.runtime.inbox import NO_CONTROL, VENUE_AT_HAND, Control, TraderConfig
from polyweb.runtime.memory import MarketMemory
from polyweb.runtime.sights import last_trade_of, mid_x2_of, view_of
from risk.domain.breakers import Breaker
from risk.domain.exposure import ExposureBook
from risk.domain.losses import NOTHING_LOST
from risk.domain.panel import Panel
from risk.domain.payoff import RestingOrder, Shift, Unsettled
from risk.domain.rate import OrderRate
from risk.domain.stops import Stop, strongest
from strategies.domain.basket_stages import TakenGap
from strategies.domain.inputs import BookView, Inventory
from strategies.domain.params import SpreadParams

Fact = OrderMoved | Fill | Refusal
_SPREAD = Strategy.SPREAD
_MARKET_OF = attrgetter("condition_id")


def lasting_s(params: SpreadParams, bound_s: int) -> int:
    """How long a quote may rest without us, seconds: the parameter, never more than the run's bound (0 is none)."""
    return min(params.quote_expiry_s, bound_s) if bound_s else params.quote_expiry_s


def _stands_still() -> int:
    return 0


class TradingState:
    def __init__(self, config: TraderConfig) -> None:
        self.config = config
        self.control: Control = NO_CONTROL
        self.books = BookSet(auto_track=config.auto_track, hash_every=config.hash_every)
        self.blotter = Blotter()
        self.chain = ChainBook()
        self.ledger = Ledger(config.starting_cash, self.chain.effects)
        self.exposure = ExposureBook()
        self.losses = NOTHING_LOST
        self.rate = OrderRate(NO_CONTROL.limits.orders_per_second, 0)
        self.cancel_rate = OrderRate(NO_CONTROL.limits.cancels_per_second, 0)
        self.counters = Counters()
        self.desks: dict[ConditionId, Desk] = {}
        self.remembered: dict[ConditionId, MarketMemory] = {}  # of an earlier run, until its desk is set up
        self.unread: dict[str, str] = {}  # memories that could not be read, by target, and why
        self.last_frame_ns: Nanos = 0
        self.last_socket_ns: Nanos = 0
        self.hold = ""
        self.hold_leaves = False
        # Nanoseconds from anywhere, lent by the loop; a replay has none, and nothing is decided by it.
        self.stopwatch: Callable[[], int] = _stands_still
        self.judged_ns: Nanos = 0
        self._gate_ns: dict[str, Nanos] = {}
        self.venue = VENUE_AT_HAND
        self.panel = Panel()
        self.survey()
        # Markets whose quotes make way for a basket, until when; and shares that baskets hold, by asset and plan.
        self.claims: dict[ConditionId, Nanos] = {}
        self.sets: dict[AssetId, dict[str, Size]] = {}
        self.selling: set[str] = set()  # plans that sell: what they have claimed is free when nobody sees them through
        self.gaps: dict[str, TakenGap] = {}  # by event
        self.taken_up: set[str] = set()  # plans of baskets that an earlier engine left and this one goes on with
        self._known: dict[ConditionId, Market] = {}
        self._facts: list[Fact] = []
        self._touched: dict[ConditionId, None] = {}
        self._next_id = config.first_id

    def survey(self) -> None:
        """Look once at what operator and venue have against quoting at all, again whenever one of them has spoken."""
        self.free = not self.control.stops and self.venue.may_quote
        self.oldest_ns = self.control.limits.max_book_age_ns
        self.quiet_ns = self.oldest_ns // 2  # a book that has not moved for so long is asked to show itself

    # What may be asked

    def market(self, condition_id: ConditionId) -> Market | None:
        return self.books.market(condition_id)

    def known(self, condition_id: ConditionId) -> Market | None:
        """A market whose metadata was ever told, also when it is no longer followed."""
        return self._known.get(condition_id)

    @property
    def known_markets(self) -> Iterable[Market]:
        return self._known.values()

    def trades(self, condition_id: ConditionId) -> bool:
        """Whether an operator lets the engine quote this market."""
        return self.config.auto_track or condition_id in self.control.trading

    def stop(self, market: Market, strategy: Strategy, now_ns: Nanos) -> Stop | None:
        """The strongest stop of this market for whoever asks."""
        in_force = self.control.stops
        if not in_force:
            return None
        return strongest(in_force, market.condition_id, market.event_id, now_ns, strategy, self.config.wallet)

    def params(self, condition_id: ConditionId) -> SpreadParams:
        return self.control.params.get(condition_id, self.control.defaults)

    def external(self, condition_id: ConditionId, now_ns: Nanos) -> Price | None:
        """The fair value somebody outside has set, while it counts."""
        found = self.control.external.get(condition_id)
        return found.price if found is not None and now_ns < found.expires_ns else None

    def expiry_s(self, params: SpreadParams) -> int:
        return lasting_s(params, self.config.max_rest_s)

    def new_id(self) -> int:
        client_order_id = self._next_id
        self._next_id += 1
        return client_order_id

    def inventory(self, market: Market) -> Inventory:
        """What the spread quoter may sell: settled shares less what other strategies' sells and the chain claim."""
        condition_id = market.condition_id
        if self.blotter.only_quotes(condition_id) and not self.chain.open:  # nearly always
            return self.ledger.inventory(market)
        reserved = {
            asset: self.blotter.selling(condition_id, asset, besides=Strategy.SPREAD) + self.chain.claimed(asset)
            for asset in (market.yes, market.no)
        }
        return self.ledger.inventory(market, reserved)

    def quotable(self, market: Market) -> Inventory:
        """`inventory` without the shares of baskets: selling one would leave the rest of its set to chance."""
        held = self.inventory(market)
        if not self.sets:
            return held
        yes, no = self.in_sets(market.yes), self.in_sets(market.no)
        if not yes and not no:
            return held
        left_yes, left_no = max(0, held.yes - yes), max(0, held.no - no)
        return Inventory(
            left_yes,
            left_no,
            min(held.yes_sellable, left_yes),
            min(held.no_sellable, left_no),
            held.yes_cost * left_yes // held.yes if held.yes else held.yes_cost,
            held.no_cost * left_no // held.no if held.no else held.no_cost,
        )

    def in_sets(self, asset: AssetId) -> Size:
        """Shares that baskets have claimed."""
        plans = self.sets.get(asset)
        return sum(plans.values()) if plans else 0

    def planned(self, place: Place) -> None:
        """Book new orders before they are sent: they count against risk from this moment."""
        planned, strategy, at_ns = place.orders, place.strategy, place.decided_ns
        self.counters.placed += len(planned)
        if self.judged_ns:
            self._gate_ns[place.plan_id], self.judged_ns = self.judged_ns, 0
        self.rate.take(len(planned), at_ns)
        heard: list[OrderMoved] = []
        for order in planned:
            heard += self.blotter.plan(order, strategy, at_ns)
        for condition_id, orders in groupby(planned, _MARKET_OF):
            self._count(condition_id, [(order.client_order_id, order, order.size) for order in orders], strategy)
        for moved in heard:  # hardly ever: a word about an order came before its plan
            self._facts.append(moved)
            known = self.blotter.order(moved.client_order_id)
            if known is not None:
                self.order_changed(known)

    def gate_ns(self, plan_id: str) -> Nanos:
        """How long the gate judged this plan; asked once, 0 when nobody timed it."""
        return self._gate_ns.pop(plan_id, 0)

    def note(self, fact: Fact) -> None:
        if isinstance(fact, Refusal):
            self.counters.refusals += fact.count
        self._facts.append(fact)

    def drain_breakers(self) -> list[Breaker]:
        """Breakers that changed their state since the last call, each as it is now."""
        return self.panel.drain_moved()

    def drain_facts(self) -> list[Fact]:
        """Everything the journal should know since the last call, in order."""
        facts = self._facts
        self._facts = []
        return facts

    def drain_touched(self) -> list[ConditionId]:
        """Markets looked at since the last call: what screens may have to redraw."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def view(self, condition_id: ConditionId, depth: int) -> BookView:
        """The YES-oriented view of a book; empty when there is none."""
        tracked = self.books.tracked(condition_id)
        return view_of(tracked, depth) if tracked is not None else BookView((), (), 0)

    def last_trade(self, condition_id: ConditionId) -> Price | None:
        """The last print as a YES price, whichever token it was in."""
        tracked = self.books.tracked(condition_id)
        return last_trade_of(tracked) if tracked is not None else None

    def mid_x2(self, condition_id: ConditionId) -> dict[ConditionId, int]:
        """Twice the YES price orders are collared around: the middle of the book, or its only side; else nothing."""
        tracked = self.books.tracked(condition_id)
        return mid_x2_of(tracked) if tracked is not None else {}

    def mark(self, condition_id: ConditionId) -> Price | None:
        """The YES price positions are valued at: the mid of a book that is there, else the last trade, else None."""
        book = self.books.book(condition_id)
        if book is not None and book.seeded and book.mid_x2 is not None:
            return book.mid_x2 // 2
        return self.last_trade(condition_id)

    def marks(self) -> dict[AssetId, Price]:
        """What one share of each token is worth, of every followed market where we hold any, if it has a price."""
        known: dict[AssetId, Price] = {}
        for condition_id in self.books.markets_of(self.ledger.positions):
            market, price = self.books.market(condition_id), self.mark(condition_id)
            if market is not None and price is not None:
                known[market.yes], known[market.no] = price, PRICE_ONE - price
        return known

    # What a change of an order or a position means for risk

    def know(self, market: Market) -> None:
        """Take a market that only the feed has named into the exposure book."""
        if self._known.get(market.condition_id) != market:
            self._known[market.condition_id] = market
            self.exposure.add_market(market)
            self.position_changed(market)

    def position_changed(self, market: Market) -> None:
        """Fills that may still be taken back count where they hurt, like the order they filled."""
        condition_id = market.condition_id
        yes, no = self.ledger.confirmed(market.yes), self.ledger.confirmed(market.no)
        unsettled = [
            Unsettled(asset == market.yes, shares, paid, earned)
            for asset in (market.yes, market.no)
            for shares, paid, earned in self.ledger.unconfirmed(asset)
        ]
        self.exposure.set_position(condition_id, yes.shares, no.shares, yes.cost, no.cost, unsettled)
        if self.sets:
            self.sets_changed(market)
        for record in self.chain.open:
            if any(leg.condition_id == condition_id for leg in record.work.effects.legs):
                self.job_changed(record.work.job_id)

    def sets_changed(self, market: Market) -> None:
        """What baskets have claimed counts for the Dutch book's caps, the rest of what is held for the quoter's."""
        self.exposure.set_claimed(market.condition_id, self.in_sets(market.yes), self.in_sets(market.no))

    def work_planned(self, work: ChainWork) -> bool:
        """Book a job before it is sent; False when it was decided before, and then nothing may be sent for it."""
        if not self.chain.plan(work):
            return False
        self.job_changed(work.job_id)
        return True

    def job_changed(self, job_id: str) -> None:
        """A job under way counts as done or not, whichever is worse; one that has ended as what it has booked."""
        record = self.chain.job(job_id)
        if record is not None:
            ended = record.state in CHAIN_ENDS
            self.exposure.set_job(job_id, {} if ended else self.shifts([record.work.effects]))

    def shifts(self, postings: Iterable[Posting]) -> dict[ConditionId, Shift]:
        """What these postings would change in the markets that are known."""
        found: dict[ConditionId, Shift] = {}
        for asset, (condition_id, shares, cost) in supposed(self.ledger, postings).items():
            market = self._known.get(condition_id)
            if market is not None:
                yes, no, yes_cost, no_cost = found.get(condition_id, Shift())
                found[condition_id] = (
                    Shift(yes + shares, no, yes_cost + cost, no_cost)
                    if asset == market.yes
                    else Shift(yes, no + shares, yes_cost, no_cost + cost)
                )
        return found

    def order_changed(self, order: LiveOrder) -> None:
        """What may still fill of it counts, until its end is proved."""
        self.exposure.end_order(order.client_order_id)
        if order.state not in ENDED and order.remaining:
            self._count(order.condition_id, [(order.client_order_id, order, order.remaining)], order.strategy)

    def _count(
        self, condition_id: ConditionId, orders: Iterable[tuple[int, NewOrder | LiveOrder, Size]], strategy: Strategy
    ) -> None:
        """Orders of one market that do not count yet, with what may still fill of each."""
        market = self._known.get(condition_id)
        if market is None:
            return
        yes, fees, is_quote = market.yes, market.fees, strategy is _SPREAD
        # A basket's legs take, and whoever takes pays; so may quotes that are not post-only.
        rests = is_quote and self.params(condition_id).post_only
        counted = [
            (
                client_order_id,
                RestingOrder(order.asset == yes, order.side, order.price, size, is_quote),
                0 if rests else taker_fee_ceil(fees, order.price, size),
            )
            for client_order_id, order, size in orders
        ]
        self.exposure.add_orders(condition_id, counted, strategy)
