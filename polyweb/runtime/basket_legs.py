"""The legs of a basket: what may be traded for it, in which words it is placed, and how each leg stands.

Law: pure. Books are seen without our own orders; shares are free when they have settled and nobody has claimed them;
nothing here decides what a basket does next.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import (
    GTD_ENDS_EARLY,
    Cancel,
    CancelReason,
    ClientOrderId,
    Command,
    NewOrder,
    Place,
    Strategy,
)
from execution.domain.orders import ENDED
from markets.domain.events import Level, Side
from markets.domain.integrity import Trust
from markets.domain.market import Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    PRICE_ONE,
    AssetId,
    ConditionId,
    Millis,
    Nanos,
    Price,
    Size,
    complement,
)
from polyweb.runtime.basket_chain import Conversions
from polyweb.runtime.baskets import Working
from polyweb.runtime.state import TradingState
from risk.domain import gate
from risk.domain.gate import Approved, Guard, Refused
from strategies.domain import basket as planner
from strategies.domain.basket_stages import Stage
from strategies.domain.inputs import BookView
from strategies.domain.intents import Basket, Leg, NotTaken, OrderType
from strategies.domain.leg_risk import Standing
from strategies.domain.routes import EDGE_ONE, Offer

DEPTH = 10
CLAIM_NS: Nanos = 2_000 * NANOS_PER_MILLI
SHOWN_NS: Nanos = 500 * NANOS_PER_MILLI  # after that a book that has not moved never showed it


class Legs:
    """`of_order` is the basket of every order that was placed here, by order."""

    def __init__(self, state: TradingState, conversions: Conversions) -> None:
        self._state = state
        self._conversions = conversions
        self.of_order: dict[ClientOrderId, Working] = {}

    def view(self, market: Market) -> BookView:
        """A book without our own orders: their depth is nobody's offer to us."""
        state = self._state
        seen = state.view(market.condition_id, DEPTH)
        own: dict[tuple[bool, Price], Size] = {}
        for order in state.blotter.live(market.condition_id):
            is_yes = order.asset == market.yes
            key = ((order.side is Side.BUY) is is_yes, order.price if is_yes else complement(order.price))
            own[key] = own.get(key, 0) + order.remaining
        if not own:
            return seen
        bids = tuple(_less(level, own.get((True, level[0]), 0)) for level in seen.bids)
        asks = tuple(_less(level, own.get((False, level[0]), 0)) for level in seen.asks)
        return msgspec.structs.replace(
            seen, bids=tuple(level for level in bids if level[1]), asks=tuple(level for level in asks if level[1])
        )

    def top(self, leg: Leg, market: Market) -> Level | None:
        """The best level a leg trades against; None when nobody offers or bids."""
        asks, bids = _own_side(self.view(market), market, leg.asset)
        return next(iter(asks if leg.side is Side.BUY else bids), None)

    def free(self, markets: Iterable[Market]) -> dict[AssetId, Size]:
        """Shares that may be sold for a basket: settled, part of no set, and in no open sale but our quotes, which
        make way.
        """
        state = self._state
        found: dict[AssetId, Size] = {}
        for market in markets:
            held = state.inventory(market)
            if held.yes_sellable or held.no_sellable:
                found[market.yes] = max(0, held.yes_sellable - state.in_sets(market.yes))
                found[market.no] = max(0, held.no_sellable - state.in_sets(market.no))
        return found

    def show_us(self, condition_ids: Iterable[ConditionId], now_ns: Nanos) -> bool:
        """Whether an order of ours may have ended so lately that a book still shows what rested, or what it took."""
        for condition_id in condition_ids:
            ended_ns = self._state.blotter.newest_end_ns(condition_id)
            if now_ns - ended_ns < SHOWN_NS and self._state.books.last_update_ns(condition_id) <= ended_ns:
                return True
        return False

    def quoted(self, basket: Basket) -> bool:
        """Whether our own quotes offer shares that this basket would sell."""
        selling = [(leg.condition_id, leg.asset) for leg in basket.legs if leg.side is Side.SELL]
        return any(
            order.asset == asset and order.side is Side.SELL
            for condition_id, asset in selling
            for order in self._state.blotter.live(condition_id, Strategy.SPREAD)
        )

    # Judging

    def judge(self, basket: Basket, markets: Mapping[ConditionId, Market], now_ns: Nanos) -> Approved[Basket] | Refused:
        """The gate's word on all of it, with what is split for it first."""
        state = self._state
        started = state.stopwatch()
        ahead = self._conversions.ahead(basket, markets)
        guard = self._guard(basket, {name: None for shifts in ahead for name in shifts}, now_ns)
        verdict = gate.evaluate_basket(basket, markets, state.exposure, state.control.limits, guard, now_ns, ahead)
        state.judged_ns = state.stopwatch() - started
        return verdict

    def _guard(self, basket: Basket, split: Iterable[ConditionId], now_ns: Nanos) -> Guard:
        """The worst of all legs: one stopped market or doubtful book holds the whole basket."""
        state = self._state
        legs = [leg.condition_id for leg in basket.legs]
        in_force = [
            stop
            for name in dict.fromkeys((*legs, *split))
            if (market := state.market(name)) is not None
            and (stop := state.stop(market, Strategy.DUTCH_BOOK, now_ns)) is not None
        ]
        return Guard(
            stop=max(in_force, key=lambda stop: stop.level, default=None),
            book_verified=all(state.books.trust(leg) is Trust.VERIFIED for leg in legs),
            book_age_ns=max(now_ns - state.books.last_update_ns(leg) for leg in legs),
            order_room=state.rate.room(now_ns),
            live_money=state.config.live_money,
            breaker=next((tripped for leg in legs if (tripped := state.panel.standing(leg)) is not None), None),
            mids_x2={key: mid for leg in legs for key, mid in state.mid_x2(leg).items()},
        )

    # Trading

    def make_way(self, markets: Iterable[Market], now_ns: Nanos) -> list[Command]:
        """Take our quotes in these markets down and keep them down for a moment: the set is worth more."""
        state = self._state
        wanted: list[int] = []
        for market in markets:
            state.claims[market.condition_id] = now_ns + CLAIM_NS
            wanted += [order.client_order_id for order in state.blotter.live(market.condition_id, Strategy.SPREAD)]
        asked = state.blotter.ask_cancel(wanted, now_ns)
        return [Cancel(asked, CancelReason.BASKET, now_ns)] if asked else []

    def maker_price(self, leg: Leg, markets: Mapping[ConditionId, Market]) -> Price | None:
        """One tick better than what is offered or bid; None where there is no room for it."""
        market = markets[leg.condition_id]
        view = self._state.view(leg.condition_id, 1)
        asks, bids = _own_side(view, market, leg.asset)
        if leg.side is Side.SELL:
            price = max(leg.price, bids[0][0] + market.tick) if bids else leg.price
        else:
            price = min(leg.price, asks[0][0] - market.tick) if asks else leg.price
        return price if market.tick <= price <= PRICE_ONE - market.tick else None

    def place(
        self, working: Working, plan_id: str, legs: Iterable[Leg], stage: Stage, why: str, now_ns: Nanos,
        maker: Price | None = None,
    ) -> Place:  # fmt: skip
        state = self._state
        order_type, expires_ms = self._terms(working, stage, now_ns, rests=maker is not None)
        orders = tuple(
            NewOrder(
                client_order_id=state.new_id(),
                condition_id=leg.condition_id,
                asset=leg.asset,
                side=leg.side,
                price=leg.price if maker is None else maker,
                size=leg.size,
                tick=self.on_grid(working.markets[leg.condition_id]).tick,
                order_type=order_type,
                post_only=maker is not None,
                expires_ms=expires_ms,
            )
            for leg in legs
        )
        for order, leg in zip(orders, legs, strict=True):
            working.orders[order.client_order_id] = working.leg_of(leg)
            self.of_order[order.client_order_id] = working
        place = Place(plan_id, Strategy.DUTCH_BOOK, orders, now_ns, why, state.last_frame_ns)
        state.planned(place)
        return place

    def _terms(self, working: Working, stage: Stage, now_ns: Nanos, *, rests: bool) -> tuple[OrderType, Millis]:
        """What gets us out of an unbalanced basket takes what it can; what rests ends without us, like a quote."""
        if not rests:
            return (working.basket.order_type if stage is Stage.TAKING else OrderType.FAK), 0
        bound_s = self._state.config.max_rest_s
        if not bound_s:
            return OrderType.GTC, 0
        return OrderType.GTD, now_ns // NANOS_PER_MILLI + GTD_ENDS_EARLY + bound_s * 1_000

    # Standing

    def live(self, working: Working) -> list[LiveOrder]:
        orders = [self._state.blotter.order(number) for number in working.orders]
        return [order for order in orders if order is not None and order.state not in ENDED]

    def standing(self, working: Working, at: int) -> Standing:
        leg = working.basket.legs[at]
        market = self.on_grid(working.markets[leg.condition_id])
        yes = leg.asset == market.yes
        asks, bids = _own_side(self.view(market), market, leg.asset)
        held = self._state.ledger.inventory(market, self._sold(market))
        free = held.yes_sellable if yes else held.no_sellable
        return Standing(market, yes, working.filled(at), working.paid(at), asks, bids, free)

    def at_bids_of_now(self, working: Working) -> Basket | NotTaken:
        """What selling the sets that were split, or are about to be, would be now."""
        standing = [self.standing(working, at) for at in range(len(working.basket.legs))]
        offers = [Offer(each.market, each.yes, each.bids, Side.SELL) for each in standing]
        costs = working.basket.payout if working.todo else -EDGE_ONE
        return planner.at_bids_of_now(working.basket, offers, costs, working.params)

    def forget(self, working: Working) -> None:
        for number in working.orders:
            self.of_order.pop(number, None)

    def on_grid(self, before: Market) -> Market:
        """The market as it was when the set was found, on the grid and at the fees of now."""
        now = self._state.market(before.condition_id)
        return before if now is None else replace(before, tick=now.tick, min_size=now.min_size, fees=now.fees)

    def _sold(self, market: Market) -> dict[AssetId, Size]:
        blotter = self._state.blotter
        return {asset: blotter.selling(market.condition_id, asset) for asset in (market.yes, market.no)}


def _less(level: Level, own: Size) -> Level:
    return (level[0], max(0, level[1] - own))


def _own_side(view: BookView, market: Market, asset: AssetId) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Asks and bids of one token, out of the one mirrored book."""
    if asset == market.yes:
        return view.asks, view.bids
    return _mirrored(view.bids), _mirrored(view.asks)


def _mirrored(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
