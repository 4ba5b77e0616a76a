"""The rules of markets: every change is kept, stops quoting there, and waits for an operator.

Law: a first sight is no change. Only `approve_rules` lets a market whose rules changed be quoted again, and what it
approves is the revision the operator has read.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction

from markets.gamma import GammaMarket
from markets.models import Market, RuleRevision
from markets.selectors import find_market
from markets.services.journal import record_change


class RulesMoved(Exception):
    """The rules changed again after the operator had read them, or nothing waits for approval."""


class Known(NamedTuple):
    """What the row said before an upsert."""

    event_id: int | None
    rule_hash: str
    subscribed: bool


def known_rules(condition_ids: Sequence[str]) -> dict[str, Known]:
    """Locked until the transaction ends: an approval must not slip in between reading and writing."""
    rows = Market.objects.select_for_update().filter(condition_id__in=condition_ids).order_by("pk")
    return {
        row[0]: Known(row[1], row[2], row[3] or row[4])
        for row in rows.values_list("condition_id", "event_id", "rule_hash", "trading", "watched")
    }


def note_rules(values: Iterable[GammaMarket], known: Mapping[str, Known], pks: Mapping[str, int]) -> None:
    """After an upsert: keep every changed text, and the first one of a subscribed market to compare the next with."""
    stored = [value for value in values if value.rule_hash and value.condition_id in known]
    changed = [value for value in stored if known[value.condition_id].rule_hash not in ("", value.rule_hash)]
    Market.objects.filter(pk__in=[pks[value.condition_id] for value in changed]).update(rules_pending=True)
    changed_ids = {value.condition_id for value in changed}
    followed = [value for value in stored if known[value.condition_id].subscribed]
    told = set(
        RuleRevision.objects.filter(market__in=[pks[value.condition_id] for value in followed])
        .values_list("market_id", flat=True)
        .distinct()
    )
    first = [
        value for value in followed if value.condition_id not in changed_ids and pks[value.condition_id] not in told
    ]
    RuleRevision.objects.bulk_create(
        RuleRevision(
            market_id=pks[value.condition_id],
            previous=known[value.condition_id].rule_hash if value.condition_id in changed_ids else "",
            rule_hash=value.rule_hash,
            text=json.loads(value.rule_text),
        )
        for value in [*changed, *first]
    )


def approve_rules(
    *, market: Market | str, author: User | None, source: str, reason: str, rule_hash: str | None = None
) -> None:
    """Let the market be quoted again under its present rules. `rule_hash`: what the operator has read, when known.

    Raises UnknownMarket, and RulesMoved when nothing waits or the rules are not those any more.
    """
    row = find_market(market)
    with transaction.atomic():
        waiting = Market.objects.filter(pk=row.pk, rules_pending=True)
        present = waiting.select_for_update().values_list("rule_hash", flat=True).first()
        if present is None:
            raise RulesMoved(f"{row.condition_id}: no change of its rules waits for approval")
        if rule_hash is not None and rule_hash != present:
            raise RulesMoved(f"{row.condition_id}: the rules have changed again; read them anew")
        waiting.update(rules_pending=False)
        record_change(
            author=author,
            source=source,
            action="rules_approved",
            subject=row.condition_id,
            before={"rules_pending": True},
            after={"rules_pending": False, "rule_hash": present},
            reason=reason,
        )


def allow_other(*, market: Market | str, on: bool, author: User | None, source: str, reason: str) -> bool:
    """Allow, or forbid again, trading of a catch-all or placeholder outcome. False when it already was so.

    Raises UnknownMarket, and ValueError without a reason: what "Other" means can narrow while we hold it.
    """
    if on and not reason.strip():
        raise ValueError("allowing a catch-all outcome needs a reason")
    row = find_market(market)
    with transaction.atomic():
        if not Market.objects.filter(pk=row.pk, allow_other=not on).update(allow_other=on):
            return False
        record_change(
            author=author,
            source=source,
            action=f"allow_other_{'on' if on else 'off'}",
            subject=row.condition_id,
            before={"allow_other": not on},
            after={"allow_other": on},
            reason=reason,
        )
    return True
