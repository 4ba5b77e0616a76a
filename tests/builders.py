"""Builders for tests of the runtime: invented markets, their frames, and a trader with a venue that says yes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from execution.domain.blotter import LiveOrder
from execution.domain.commands import (
    Accepted,
    Ack,
    Cancel,
    Cancelled,
    ClientOrderId,
    Command,
    Fill,
    NewOrder,
    Place,
    Refusal,
    TradeStatus,
)
from markets.domain.events import Frame, Side
from markets.domain.market import Generation, Market
from markets.domain.units import (
    CASH_ONE,
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    PRICE_ONE,
    SIZE_ONE,
    Nanos,
    Price,
    Size,
    complement,
    price_text,
)
from polyweb.runtime.inbox import NO_CONTROL, Control, Item, Tick, TraderConfig
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader
from strategies.domain.params import SpreadParams

START: Nanos = 1_800_000_000 * NANOS_PER_SECOND
SECOND = NANOS_PER_SECOND
MILLI = NANOS_PER_MILLI
SHARES: Size = SIZE_ONE
PUSD = CASH_ONE
CONFIG = TraderConfig(first_id=1, starting_cash=1_000 * PUSD, hash_every=0)

Shares = Mapping[Price, int]
BIDS: Shares = {4900: 100, 4800: 200}
ASKS: Shares = {5100: 100, 5200: 200}


def a_market(number: int = 1, **changes: object) -> Market:
    """Market `number`, alone in its event."""
    base = Market(
        condition_id=f"0x{number:064x}",
        event_id=f"event-{number}",
        question=f"Will it happen ({number})?",
        yes=str(number * 10 + 1) * 8,
        no=str(number * 10 + 2) * 8,
        generation=Generation.V1,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # builder


def a_set(count: int = 2) -> tuple[Market, ...]:
    """A complete neg-risk event: exactly one YES of it wins."""
    return tuple(a_market(10 + at, event_id="set", neg_risk=True, set_size=count) for at in range(count))


def book(market: Market, at: Nanos, bids: Shares = BIDS, asks: Shares = ASKS, *, yes: bool = True) -> bytes:
    """A snapshot of a token's book, best level last as the venue sends it; `bids` and `asks` in its own prices."""
    return _frame(
        {
            "market": market.condition_id,
            "asset_id": market.asset(yes),
            "timestamp": str(at // NANOS_PER_MILLI),
            "hash": "",
            "bids": _levels(sorted(bids.items())),
            "asks": _levels(sorted(asks.items(), reverse=True)),
            "tick_size": price_text(market.tick),
            "last_trade_price": "",
            "event_type": "book",
        }
    )


def change(market: Market, at: Nanos, side: Side, price: Price, shares: int, tops: tuple[Price, Price]) -> bytes:
    """A level of the YES book and its mirror; `tops` are best bid and ask as the frame tells them."""
    bid, ask = tops
    other = Side.SELL if side is Side.BUY else Side.BUY
    return _frame(
        {
            "market": market.condition_id,
            "price_changes": [
                _entry(market.yes, side, price, shares, bid, ask),
                _entry(market.no, other, complement(price), shares, complement(ask), complement(bid)),
            ],
            "timestamp": str(at // NANOS_PER_MILLI),
            "event_type": "price_change",
        }
    )


def new_tick(market: Market, at: Nanos, tick: str) -> bytes:
    return _frame(
        {
            "market": market.condition_id,
            "asset_id": market.yes,
            "timestamp": str(at // NANOS_PER_MILLI),
            "old_tick_size": price_text(market.tick),
            "new_tick_size": tick,
            "event_type": "tick_size_change",
        }
    )


def trade(market: Market, at: Nanos, side: Side, shares: int, *, price: Price = 5100, yes: bool = True) -> bytes:
    """A print: `side` is the taker's."""
    return _frame(
        {
            "market": market.condition_id,
            "asset_id": market.asset(yes),
            "price": price_text(price),
            "size": str(shares),
            "fee_rate_bps": "0",
            "side": side.value,
            "timestamp": str(at // NANOS_PER_MILLI),
            "event_type": "last_trade_price",
        }
    )


def _frame(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _levels(levels: Iterable[tuple[Price, int]]) -> list[dict[str, str]]:
    return [{"price": price_text(price), "size": str(shares)} for price, shares in levels]


def _entry(asset: str, side: Side, price: Price, shares: int, bid: Price, ask: Price) -> dict[str, str]:
    return {
        "asset_id": asset,
        "price": price_text(price),
        "size": str(shares),
        "side": side.value,
        "hash": "",
        "best_bid": price_text(bid),
        "best_ask": price_text(ask),
    }


def plain(**changes: int) -> SpreadParams:
    """Default parameters without what is measured: quotes move with the book and with nothing else."""
    return SpreadParams(
        **{"volatility_factor": 0, "markout_factor": 0, "jump": 0, "taper_from": 100, "max_from_mid": PRICE_ONE}
        | changes
    )


def a_control(markets: Sequence[Market], at: Nanos = START, **changes: object) -> Control:
    """Everything followed is traded, with plain parameters."""
    ids = frozenset(market.condition_id for market in markets)
    base = replace_control(NO_CONTROL, version=1, at_ns=at, markets=tuple(markets), trading=ids)
    return replace_control(base, **{"defaults": plain()} | changes)


def replace_control(control: Control, **changes: object) -> Control:
    fields = {name: getattr(control, name) for name in control.__struct_fields__}
    return Control(**(fields | changes))


class Stage:
    """A trader that follows `markets`, and the time. The venue says yes to everything at once, when asked to."""

    def __init__(self, *markets: Market, config: TraderConfig = CONFIG, **control: object) -> None:
        self.now: Nanos = START
        self.markets = markets or (a_market(),)
        self.trader = Trader(config)
        self.facts: list[Fact] = []
        self.control = a_control(self.markets, START, **control)
        self.trader.apply(self.control)

    @property
    def market(self) -> Market:
        return self.markets[0]

    def after(self, nanos: Nanos) -> "Stage":
        self.now += nanos
        return self

    def apply(self, *items: Item) -> None:
        for item in items:
            self.trader.apply(item)

    def hear(self, *frames: bytes) -> None:
        for data in frames:
            self.trader.apply(Frame(self.now, 0, data))

    def operator(self, **changes: object) -> None:
        self.control = replace_control(self.control, version=self.control.version + 1, at_ns=self.now, **changes)
        self.trader.apply(self.control)

    def tick(self) -> None:
        self.trader.apply(Tick(self.now))

    def decide(self) -> list[Command]:
        commands = self.trader.decide(self.now)
        self.facts += self.trader.drain_facts()
        return commands

    def turn(self, *frames: bytes) -> list[Command]:
        """Hear, decide, and let the venue say yes to what was decided."""
        self.hear(*frames)
        commands = self.decide()
        self.answer(commands)
        return commands

    def answer(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Place):
                self.apply(*(accepted(order.client_order_id, self.now) for order in command.orders))
            elif isinstance(command, Cancel):
                self.apply(*(Cancelled(number, "cancelled", self.now) for number in command.order_ids))
        self.facts += self.trader.drain_facts()

    def quoting(self) -> "Stage":
        """Both quotes of every market rest, at 0.49 and 0.51 (default parameters, default book)."""
        for market in self.markets:
            self.turn(book(market, self.now))
        return self

    def live(self, market: Market | None = None) -> tuple[LiveOrder, ...]:
        return self.trader.blotter.live((market or self.market).condition_id)

    def prices(self, market: Market | None = None) -> list[Price]:
        """YES prices of what rests and is not being cancelled, lowest first."""
        shown = market or self.market
        return sorted(
            order.price if order.asset == shown.yes else complement(order.price)
            for order in self.live(shown)
            if not order.cancel_asked
        )

    def refusals(self) -> list[Refusal]:
        return [fact for fact in self.facts if isinstance(fact, Refusal)]


def accepted(number: ClientOrderId, at: Nanos) -> Accepted:
    return Accepted(number, f"0x{number}", Ack.LIVE, at)


def fill_of(order: LiveOrder, at: Nanos, size: Size | None = None, trade_id: str = "trade-1") -> Fill:
    return Fill(
        order.client_order_id,
        trade_id,
        0,
        order.condition_id,
        order.asset,
        order.side,
        order.price,
        order.remaining if size is None else size,
        0,
        True,
        TradeStatus.CONFIRMED,
        at,
    )


def placed(commands: Iterable[Command]) -> list[NewOrder]:
    return [order for command in commands if isinstance(command, Place) for order in command.orders]


def cancelled(commands: Iterable[Command]) -> list[ClientOrderId]:
    return [number for command in commands if isinstance(command, Cancel) for number in command.order_ids]
