"""What a page was made from, in one short word: another word means another page.

Law: cheap reads of rows, a few a second at most; equal words mean that nothing a person would see has changed.
"""

from django.db.models import Count, Max, Sum
from django.db.models.functions import Coalesce

from execution.models import Order, PositionSnapshot
from markets.selectors import change_counter
from risk.models import Breaker, BreakerEvent, Incident, Refusal


def of_incidents() -> str:
    """Stops, incidents, breakers, refusals. What a person does to any of them counts up the changes."""
    incidents = Incident.objects.filter(closed_at=None).aggregate(n=Count("pk"), newest=Max("pk"), times=Sum("times"))
    breakers = Breaker.objects.aggregate(n=Count("pk"), since=Max("since"))
    refused = Refusal.objects.aggregate(newest=Max("pk"))
    events = BreakerEvent.objects.aggregate(newest=Max("pk"))
    return _word(change_counter(), *(value for row in (incidents, breakers, refused, events) for value in row.values()))


def of_risk() -> str:
    """Caps, positions, orders."""
    positions = PositionSnapshot.objects.aggregate(at=Max("updated_at"))
    orders = Order.objects.aggregate(at=Coalesce(Max("updated_at"), Max("created_at")))
    return _word(change_counter(), positions["at"], orders["at"])


def _word(*values: object) -> str:
    return " ".join("-" if value is None else str(value).replace(" ", "T") for value in values)
