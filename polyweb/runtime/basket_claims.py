"""What a basket claims: shares that nobody else may sell, and the gap it was taken from.

Law: pure. Shares of baskets are no inventory of the quoter's, which must not sell what makes a set whole; a plan is
taken once as long as its gap is open.
"""

from polyweb.runtime.baskets import Working
from polyweb.runtime.state import TradingState
from strategies.domain.basket_stages import ENDS, TakenGap
from strategies.domain.intents import Basket

MOST_PLANS = 100  # of one gap


def count(state: TradingState, working: Working) -> None:
    """Its claims as they are now."""
    claims, plan_id = working.claims(), working.basket.plan_id
    if working.sells and working.stage not in ENDS:
        state.selling.add(plan_id)
    for asset in working.assets:
        plans = state.sets.setdefault(asset, {})
        plans.pop(plan_id, None)
        if size := claims.get(asset, 0):
            plans[plan_id] = size
    for market in working.markets.values():
        state.sets_changed(market)


def remember(state: TradingState, basket: Basket) -> None:
    """The name of a plan says when its gap opened, so it can come again only while that is open."""
    before = state.gaps.get(basket.event_id, TakenGap(basket.since_ns))
    state.gaps[basket.event_id] = TakenGap(before.opened_ns, (*before.plans, basket.plan_id)[-MOST_PLANS:])
