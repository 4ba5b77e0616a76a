"""A trader with baskets whose venue answers only when the test says so."""

from dataclasses import replace

from execution.domain.blotter import LiveOrder
from execution.domain.chain import ChainState, ChainTold, ChainWork
from execution.domain.commands import Command, Place, Rejected, Strategy, TradeStatus
from markets.domain.events import Frame
from markets.domain.market import Market
from polyweb.runtime.inbox import Decide, Item, TraderConfig
from polyweb.runtime.rehearsal import digest_of
from risk.domain.limits import Limits
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import BasketMoved
from strategies.domain.basket_stages import Stage as At
from strategies.domain.params import SpreadParams
from tests.builders import CONFIG, SHARES, Stage, a_set, accepted, book, fill_of, plain

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
