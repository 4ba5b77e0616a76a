"""The two switches of a market: trading, and watched.

Law: both are off until a person switches them on; a bulk switch is one transaction and one change entry.
"""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from markets.models import Market
from markets.selectors import UnknownMarket
from markets.services.journal import record_change

NAMED_SUBJECTS = 500  # a change of more markets than this names the first ones and the count


def set_trading(*, condition_ids: Iterable[str], on: bool, author: User | None, source: str, reason: str = "") -> int:
    """Switch trading; returns how many markets changed. Switching on skips closed and catch-all markets."""
    return _switch("trading", _named(condition_ids), on=on, author=author, source=source, reason=reason)


def set_watched(*, condition_ids: Iterable[str], on: bool, author: User | None, source: str, reason: str = "") -> int:
    return _switch("watched", _named(condition_ids), on=on, author=author, source=source, reason=reason)


def set_trading_where(
    *, markets: QuerySet[Market], on: bool, author: User | None, source: str, reason: str = ""
) -> int:
    """The same for everything a filter selects."""
    return _switch("trading", markets, on=on, author=author, source=source, reason=reason)


def set_watched_where(
    *, markets: QuerySet[Market], on: bool, author: User | None, source: str, reason: str = ""
) -> int:
    return _switch("watched", markets, on=on, author=author, source=source, reason=reason)


def switchable(markets: QuerySet[Market], field: str, *, on: bool) -> QuerySet[Market]:
    """The markets among these that the switch would change."""
    chosen = markets.filter(**{field: not on})
    if not on:
        return chosen
    chosen = chosen.filter(closed=False, outcomes__index=1)
    return chosen.filter(Q(other=False) | Q(allow_other=True)) if field == "trading" else chosen


def _named(condition_ids: Iterable[str]) -> QuerySet[Market]:
    wanted = set(condition_ids)
    found = Market.objects.filter(condition_id__in=wanted)
    missing = wanted - set(found.values_list("condition_id", flat=True))
    if missing:
        raise UnknownMarket(missing)
    return found


def _switch(field: str, markets: QuerySet[Market], *, on: bool, author: User | None, source: str, reason: str) -> int:
    with transaction.atomic():
        rows = dict(switchable(markets, field, on=on).order_by("pk").values_list("pk", "condition_id"))
        if not rows:
            return 0
        # The condition is repeated: a concurrent writer may have been faster.
        changed = 0
        keys = list(rows)
        for start in range(0, len(keys), NAMED_SUBJECTS):
            some = Market.objects.filter(pk__in=keys[start : start + NAMED_SUBJECTS], **{field: not on})
            changed += some.update(**{field: on})
        named = list(rows.values())
        record_change(
            author=author,
            source=source,
            action=f"{field}_{'on' if on else 'off'}",
            subject=named[0] if len(named) == 1 else f"{len(named)} markets",
            before={field: not on},
            after={field: on, "markets": named[:NAMED_SUBJECTS], "count": changed},
            reason=reason,
        )
    return changed
