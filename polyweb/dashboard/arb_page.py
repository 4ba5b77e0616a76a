"""What the arbitrage page shows: settings as lines of a form, baskets with their steps, gaps with their reason.

Law: labels, bounds and help come from the definitions; nothing is said twice.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Prefetch

from execution import chain_store
from execution.models import ChainJob, Plan
from markets.models import Event, Market
from polyweb.dashboard.decisions import Decision, markets_in, stored
from risk import selectors as risk
from risk.models import Refusal
from strategies import selectors
from strategies.domain.arb_params import SWITCHES
from strategies.models import ArbBasket, ArbOpportunity, ArbStep
from strategies.services import plain

DUTCH_BOOK = "dutch_book"
SHOWN_BASKETS = 30
SHOWN_GAPS = 50
SHOWN_JOBS = 30
SHOWN_REFUSALS = 50


Row = TypeVar("Row", ArbStep, Plan, Refusal)


def decided(rows: Sequence[Row]) -> list[tuple[Row, Decision | None]]:
    """Rows with a trace, each with the decision in it; the legs of baskets are called by their questions."""
    markets = Market.objects.filter(condition_id__in=markets_in(row.trace for row in rows))
    known = dict(markets.values_list("condition_id", "question"))
    return [(row, stored(row.trace, known)) for row in rows]


def baskets() -> list[tuple[ArbBasket, list[tuple[ArbStep, Decision | None]]]]:
    """The newest baskets with every step and its decision."""
    steps = Prefetch("steps", queryset=ArbStep.objects.order_by("pk"))
    rows = ArbBasket.objects.select_related("event").prefetch_related(steps).order_by("-opened_at")[:SHOWN_BASKETS]
    told = iter(decided([step for basket in rows for step in basket.steps.all()]))
    return [(basket, [next(told) for _ in basket.steps.all()]) for basket in rows]


def refusals() -> list[tuple[Refusal, Decision | None]]:
    """What was refused of baskets, newest first, with the decision."""
    return decided(list(risk.refusals().filter(strategy=DUTCH_BOOK)[:SHOWN_REFUSALS]))


def chain_jobs() -> Sequence[ChainJob]:
    """The newest splits, merges and conversions."""
    return list(chain_store.jobs()[:SHOWN_JOBS])


def gaps() -> Sequence[ArbOpportunity]:
    """The newest gaps that ended."""
    return list(ArbOpportunity.objects.select_related("event").order_by("-opened_at")[:SHOWN_GAPS])


def open_gaps(summary: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What the engine sees now, the widest first, with the event's title; empty when it says nothing."""
    widest = (summary.get("gaps") or {}).get("widest") or []
    titles = dict(
        Event.objects.filter(gamma_id__in={gap["event_id"] for gap in widest}).values_list("gamma_id", "title")
    )
    return [{**gap, "title": titles.get(gap["event_id"], gap["event_id"])} for gap in widest]


def settings_lines() -> list[dict[str, object]]:
    """One line of the form per setting."""
    return [
        {
            "name": item.name,
            "label": item.name.replace("_", " "),
            "help": item.help,
            "switch": item.name in SWITCHES,
            "unit": item.unit.value,
            "minimum": plain(item.minimum),
            "maximum": plain(item.maximum),
            "step": plain(Decimal(1).scaleb(-item.decimals)),
            "value": plain(value),
            "on": bool(value),
        }
        for item, value in selectors.arb_lines()
    ]
