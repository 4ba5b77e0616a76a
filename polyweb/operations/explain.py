"""`explain`: why a market is quoted as it is, or why not, and what became of baskets, from what the engine wrote down.

Law: nothing is decided again here; the answer is the engine's own, and says how old it is.
"""

from typing import Any, TypeAlias

from django.utils import timezone

from execution.models import MarketState
from markets.models import Market
from markets.selectors import find_market
from risk import selectors
from risk.models import Refusal
from strategies.models import ArbBasket, ArbStep

Json: TypeAlias = dict[str, Any]

DUTCH_BOOK = "dutch_book"
REFUSALS = 3
BASKETS = 3


class NothingToExplain(Exception):
    """The engine has not said anything about this market yet."""


def explain(target: Market | str) -> Json:
    """The last decision about a market. Raises UnknownMarket, NothingToExplain."""
    market = find_market(target)
    state = MarketState.objects.filter(market=market).first()
    view = state.view if state is not None else None
    if state is None or not view or not view.get("why"):
        followed = "the engine has not looked at it yet" if market.trading or market.watched else "it is not followed"
        raise NothingToExplain(f"{market.condition_id}: {followed}; switch trading on, or start the engine")
    return {
        "condition_id": market.condition_id,
        "question": market.question,
        "state": view["state"],
        "trust": view["trust"],
        "age_s": round(max(0.0, (timezone.now() - state.at).total_seconds()), 1),
        "fair": view["fair"],
        "ours": view["ours"],
        "refusals": [_refusal(row) for row in _refusals(market)],
        "baskets": [_basket(row) for row in _baskets(market)],
        **view["why"],
    }


def _refusals(market: Market) -> list[Refusal]:
    """Of its own orders, then of baskets of its event, which stand with their first leg."""
    own = selectors.refusals().filter(market=market)[:REFUSALS]
    if market.event_id is None:
        return list(own)
    of_event = selectors.refusals().filter(strategy=DUTCH_BOOK, market__event=market.event_id)
    return [*own, *of_event.exclude(market=market)[:REFUSALS]]


def _baskets(market: Market) -> list[ArbStep]:
    """The newest step of the newest baskets of its event."""
    baskets = ArbBasket.objects.filter(event__isnull=False, event=market.event_id).order_by("-opened_at")[:BASKETS]
    steps = (basket.steps.select_related("basket").order_by("pk").last() for basket in baskets)
    return [step for step in steps if step is not None]


def _basket(step: ArbStep) -> Json:
    return {
        "at": f"{step.at:%F %T}",
        "plan_id": step.basket.plan_id,
        "route": step.basket.route,
        "stage": step.stage,
        "detail": step.detail,
        "profit": f"{step.profit:.2f}",
        "trace": step.trace,
    }


def _refusal(row: Refusal) -> Json:
    return {
        "minute": f"{row.minute:%F %H:%M}",
        "strategy": row.strategy,
        "codes": row.codes.split(","),
        "detail": row.detail,
        "count": row.count,
        "trace": row.trace,
    }


def sentence(found: Json) -> str:
    """The answer in one line."""
    orders = len(found["ours"])
    if found["state"] == "quoting":
        resting = f"{orders} order{'' if orders == 1 else 's'} resting around {found['fair']}"
        return f"quoted, {resting}" + (f" ({found['reason']})" if found["reason"] else "")
    codes = f" [{', '.join(found['codes'])}]" if found["codes"] else ""
    return f"not quoted: {found['reason'] or found['state']}{codes}"
