"""A trader with baskets whose venue answers only when the test says so."""

from dataclasses import replace

from execution.domain.blotter import LiveOrder, OrderRecord
from execution.domain.chain import ENDS, ChainState, ChainTold, ChainWork
from execution.domain.commands import Command, Fill, Place, Rejected, Strategy, TradeStatus
from execution.domain.orders import ENDED
from markets.domain.events import Frame
from markets.domain.market import Market
from polyweb.runtime.baskets import LegOrder, Unfinished
from polyweb.runtime.inbox import Begin, Decide, Item, TraderConfig
from polyweb.runtime.rehearsal import digest_of
from polyweb.runtime.trader import Trader
from risk.domain.limits import Limits
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import BasketMoved
from strategies.domain.basket_stages import Stage as At
from strategies.domain.basket_traces import plan_in
from strategies.domain.params import SpreadParams
from tests.builders import CONFIG, SECOND, SHARES, Stage, a_set, accepted, book, fill_of, plain

ARB = ArbParams(enabled=True, cool_down_ms=0, lock_rate_bps=0, conversion_cost=0)
FAR = plain(half_spread=4_000)  # so that no basket would buy from our own quotes
CHEAP = {4500: 100}, {4700: 100}  # two YES at 0.47: a set for 0.94
WIDE = Limits(10**12, 10**12, 10**12)


class Floor(Stage):
    """A stage whose venue answers only when the test says so."""

    def __init__(
        self,
        *markets: Market,
        arb: ArbParams = ARB,
        defaults: SpreadParams = FAR,
        limits: Limits = WIDE,
        config: TraderConfig = CONFIG,
    ) -> None:
        super().__init__(*(markets or a_set()), arb=arb, defaults=defaults, limits=limits, config=config)
        self.moved: list[BasketMoved] = []
        self.heard: list[Item | Decide] = []
        self.decided: list[Command] = []
        self.begin: Begin | None = None  # of one that was taken up again

    def apply(self, *items: Item) -> None:
        self.heard += items
        super().apply(*items)

    def hear(self, *frames: bytes) -> None:
        self.apply(*(Frame(self.now, 0, data) for data in frames))

    def open(self) -> Place:
        """Both markets become cheap; the basket that follows."""
        self.hear(*(book(market, self.now, *CHEAP) for market in self.markets))
        (basket,) = self.baskets(self.decide())
        return basket

    def decide(self) -> list[Command]:
        commands = super().decide()
        self.decided += commands
        self.heard.append(Decide(self.now, digest_of(commands)))
        self.moved += self.trader.drain_baskets()
        return commands

    def baskets(self, commands: list[Command]) -> list[Place]:
        return [each for each in commands if isinstance(each, Place) and each.strategy is Strategy.DUTCH_BOOK]

    def works(self, commands: list[Command]) -> list[ChainWork]:
        return [each for each in commands if isinstance(each, ChainWork)]

    def told(self, work: ChainWork, state: ChainState = ChainState.CONFIRMED, detail: str = "") -> None:
        """What the chain says of a job; with its effects when they are final."""
        booked = work.effects if state is ChainState.CONFIRMED else None
        self.apply(ChainTold(work.job_id, state, self.now, detail, booked=booked))

    def order(self, number: int) -> LiveOrder:
        found = self.trader.blotter.order(number)
        assert found is not None
        return found

    def fill(self, number: int, shares: int | None = None, status: TradeStatus = TradeStatus.CONFIRMED) -> None:
        self.apply(accepted(number, self.now))
        size = None if shares is None else shares * SHARES
        fill = fill_of(self.order(number), self.now, size, f"trade-{number}")
        self.apply(type(fill)(**{**{name: getattr(fill, name) for name in fill.__struct_fields__}, "status": status}))

    def kill(self, number: int) -> None:
        self.apply(Rejected(number, "fok_not_filled", "no match", self.now))

    @property
    def stages(self) -> list[At]:
        return [moved.stage for moved in self.moved]


# Where shares can be split, merged and converted.
LINKED = replace(CONFIG, chain=True)


def left_by(floor: Floor, said: str = "") -> Unfinished:
    """The basket it has at work, as the rows would have it."""
    places, works = floor.baskets(floor.decided), floor.works(floor.decided)
    plan_id = (works or places)[0].plan_id
    traces = [place.trace for place in places if place.plan_id == plan_id] + [work.trace for work in works[:1]]
    plan = plan_in(traces[0])
    assert plan is not None
    orders = [
        LegOrder(order.client_order_id, order.asset, place.plan_id, order.post_only)
        for place in places
        for order in place.orders
    ]
    return Unfinished(plan.basket, plan.terms, tuple(orders), tuple(floor.trader.chain.of_plan(plan_id)), said)


def restarted(
    floor: Floor, *markets: Market, said: str = "", besides: tuple[Unfinished, ...] = (), **changes: object
) -> Floor:
    """The next engine, a second later: it knows what the journal knows, and no book yet. `besides` are older baskets
    whose rows have not ended.
    """
    floor.facts += floor.trader.drain_facts()
    config = replace(floor.trader.config, first_id=floor.trader.new_id())
    left = left_by(floor, said)
    again = Floor(*(markets or floor.markets), config=config, **changes)  # type: ignore[arg-type]  # builder
    again.now = floor.now + SECOND
    orders = [(place, order) for place in floor.baskets(floor.decided) for order in place.orders]
    seen = [(place, order, floor.order(order.client_order_id)) for place, order in orders]
    records = [
        OrderRecord(order, place.plan_id, place.strategy, now.state, order.size - now.remaining, now.placed_ns, "0x1")
        for place, order, now in seen
        if now.state not in ENDED
    ]
    fills = [fact for fact in floor.facts if isinstance(fact, Fill)]
    booked = [job.work.effects for job in left.jobs if job.state is ChainState.CONFIRMED]
    under_way = [job for job in left.jobs if job.state not in ENDS]
    again.begin = Begin(
        again.now, config, tuple(records), tuple(fills), tuple(booked), floor.trader.remember(()),
        chain=tuple(under_way), baskets=(*besides, left),
    )  # fmt: skip
    again.trader = Trader(config)
    again.trader.restore(records, fills, again.now, booked, under_way)
    again.trader.recall(again.begin.memories)
    again.trader.take_up(again.begin.baskets, fills)
    again.trader.apply(again.control)
    return again
