"""What the arbitrage page shows: settings as lines of a form, baskets with their steps, gaps with their reason.

Law: labels, bounds and help come from the definitions; nothing is said twice.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from execution import chain_store
from execution.models import ChainJob
from markets.models import Event
from strategies import selectors
from strategies.domain.arb_params import SWITCHES
from strategies.models import ArbBasket, ArbOpportunity
from strategies.services import plain

SHOWN_BASKETS = 30
SHOWN_GAPS = 50
SHOWN_JOBS = 30


def baskets() -> Sequence[ArbBasket]:
    """The newest baskets with every step."""
    return list(
        ArbBasket.objects.select_related("event").prefetch_related("steps").order_by("-opened_at")[:SHOWN_BASKETS]
    )


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
