"""Changed rules become incidents, so that an operator reads them, and close when they are approved.

Law: it reads what the metadata refresh found and writes incidents only; the market has stopped quoting by itself.
"""

from dataclasses import dataclass

from markets import selectors as markets
from risk import selectors as risk
from risk import services

KIND = "rules_changed"
SHOWN_QUESTION = 200


@dataclass(frozen=True, slots=True)
class Reviewed:
    waiting: int
    opened: int
    closed: int


def review() -> Reviewed:
    """Open an incident for each subscribed market whose rules wait for approval; close those that wait no more."""
    waiting = {f"{KIND} {market.condition_id}": market for market in markets.rules_to_review()}
    known = set(risk.open_incidents().filter(kind=KIND).values_list("key", flat=True))
    for key, market in waiting.items():
        if key in known:
            continue
        text = (
            f"Rule text changed: {market.question[:SHOWN_QUESTION]}. Quoting has stopped there: review the new rules"
            " and approve them, or switch the market off."
        )
        services.open_incident(kind=KIND, key=key, text=text, market=market)
    gone = sorted(known - set(waiting))
    for key in gone:
        services.close_incident_by_key(key=key)
    return Reviewed(len(waiting), len(set(waiting) - known), len(gone))
