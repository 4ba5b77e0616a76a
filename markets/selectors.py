"""Reads of the markets app: what the engine subscribes to, and lists for the pages.

Law: a row becomes a domain `Market` here and nowhere else; YES is the outcome with index 0.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet

from markets.domain import market as domain
from markets.domain import rules
from markets.domain.fees import RATE_ONE, FeeSchedule
from markets.domain.units import cash_from_decimal, price_from_decimal, size_from_decimal
from markets.models import ChangeCounter, Event, Market, RuleRevision


class UnknownMarket(LookupError):
    """Condition ids that name no stored market."""

    def __init__(self, condition_ids: Collection[str]) -> None:
        self.condition_ids = tuple(sorted(condition_ids))
        super().__init__("unknown market: " + ", ".join(self.condition_ids))


class UnknownEvent(LookupError):
    """A Gamma event id that names no stored event."""

    def __init__(self, gamma_id: str) -> None:
        self.gamma_id = gamma_id
        super().__init__(f"unknown event: {gamma_id}")


SUBSCRIBED = (Q(trading=True) | Q(watched=True)) & Q(closed=False)


def change_counter() -> int:
    return ChangeCounter.objects.filter(id=1).values_list("value", flat=True).first() or 0


def find_market(target: Market | str) -> Market:
    """The row of a condition id or slug. Raises UnknownMarket."""
    if isinstance(target, Market):
        return target
    found = Market.objects.filter(condition_id=target).first()
    if found is None and target:
        found = Market.objects.filter(slug=target).order_by("closed", "pk").first()
    if found is None:
        raise UnknownMarket([target])
    return found


def find_event(target: Event | str) -> Event:
    """The row of a Gamma event id or slug. Raises UnknownEvent."""
    if isinstance(target, Event):
        return target
    found = Event.objects.filter(gamma_id=target).first()
    if found is None and target:
        found = Event.objects.filter(slug=target).order_by("closed", "pk").first()
    if found is None:
        raise UnknownEvent(target)
    return found


def trading_ids() -> frozenset[str]:
    """Condition ids of the markets that may be quoted now."""
    return frozenset(Market.objects.filter(trading=True, closed=False).values_list("condition_id", flat=True))


def subscribed_markets() -> list[domain.Market]:
    """Every market the feed subscribes to: trading or watched, not closed, with both tokens known."""
    rows = list(with_tokens(Market.objects.filter(SUBSCRIBED)).order_by("condition_id"))
    sizes = set_sizes({row.event_id for row in rows if row.event_id is not None})
    return [to_domain(row, set_size=sizes.get(row.event_id or 0, 0)) for row in rows if len(row.outcomes.all()) == 2]


def named(condition_ids: Collection[str]) -> list[domain.Market]:
    """These markets, followed or not; those whose two tokens are not known are left out."""
    rows = with_tokens(Market.objects.filter(condition_id__in=condition_ids)).order_by("condition_id")
    return [to_domain(row) for row in rows if len(row.outcomes.all()) == 2]


def with_tokens(rows: QuerySet[Market]) -> QuerySet[Market]:
    return rows.select_related("event").prefetch_related("outcomes")


def set_sizes(event_pks: Iterable[int]) -> Mapping[int, int]:
    """Number of markets of each complete neg-risk event among these."""
    complete = Event.objects.filter(pk__in=list(event_pks), complete=True)
    return dict(complete.annotate(size=Count("markets")).values_list("pk", "size"))


def to_domain(row: Market, *, set_size: int | None = None) -> domain.Market:
    """Raises ValueError when the row has not both tokens. Without `set_size` it is looked up."""
    tokens = sorted(row.outcomes.all(), key=lambda outcome: outcome.index)
    if [token.index for token in tokens] != [0, 1]:
        raise ValueError(f"{row.condition_id}: {len(tokens)} tokens known, a binary market has two")
    if set_size is None:
        set_size = set_sizes([row.event_id]).get(row.event_id, 0) if row.event_id else 0
    event, blocked = row.event, blocked_by(row)
    return domain.Market(
        condition_id=row.condition_id,
        event_id=event.gamma_id if event else row.condition_id,
        question=row.question,
        yes=tokens[0].asset_id,
        no=tokens[1].asset_id,
        generation=domain.Generation(row.generation),
        tick=price_from_decimal(row.tick_size, "tick_size"),
        min_size=size_from_decimal(row.min_size, "min_size"),
        neg_risk=row.neg_risk,
        augmented=bool(event and event.augmented),
        other=row.other and not row.allow_other,
        set_size=set_size if row.neg_risk else 0,
        fees=_fees(row),
        rewards_min_size=size_from_decimal(row.rewards_min_size, "rewards_min_size"),
        rewards_max_spread=price_from_decimal(row.rewards_max_spread, "rewards_max_spread"),
        rewards_daily=cash_from_decimal(row.rewards_daily, "rewards_daily"),
        end_ms=_millis(row.end_date),
        game_start_ms=_millis(row.game_start),
        # Whatever blocks a market also stops it for everyone who only asks whether it takes orders.
        accepting_orders=row.accepting_orders and not blocked,
        blocked=blocked,
        delayed=row.delayed or bool(row.clob_terms and row.clob_terms.get("delayed")),
        rule_hash=row.rule_hash,
        question_id=row.question_id,
        convert_fee_bps=(event.convert_fee_bps or 0) if event else 0,
    )


def blocked_by(row: Market) -> str:
    """Why this market must not be traded although it is switched on and the venue takes orders; "" when nothing is."""
    if row.rules_pending:
        return "rules changed: waiting for approval"
    if row.vanished_at is not None:
        return "the venue no longer lists it"
    if row.other and not row.allow_other:
        return "catch-all or placeholder outcome"
    if row.resolution_status.lower() not in rules.UNDECIDED:
        return f"resolution {row.resolution_status.lower()}"
    costly = [name for name in clob_differences(row) if name in BLOCKING_DIFFERENCES]
    if costly:
        return f"Gamma and the CLOB disagree: {', '.join(costly)}"
    return "" if row.fees_known or _told_fees(row) is not None else "fee schedule unknown"


# Wrong fees cost money; a wrong module or token makes every order invalid. Tick and minimum size only cost refusals.
BLOCKING_DIFFERENCES = ("fees", "neg_risk", "tokens")


def clob_differences(row: Market) -> list[str]:
    """What the CLOB last said that contradicts the row, by name; nothing when it was never asked."""
    told: dict[str, Any] | None = row.clob_terms
    if told is None:
        return []
    rate = Decimal(told["fee_rate"] or 0)
    same_curve = told["fee_exponent"] == row.fee_exponent and told["taker_only"]
    fees_agree = rate == row.fee_rate and (not rate or same_curve)
    tokens = [token.asset_id for token in sorted(row.outcomes.all(), key=lambda outcome: outcome.index)]
    agree = {
        "tick_size": Decimal(told["tick_size"]) == row.tick_size,
        "min_size": Decimal(told["min_size"]) == row.min_size,
        # Of a v2 market the flag says nothing: its module is in its ids.
        "neg_risk": told["neg_risk"] == row.neg_risk or row.generation != domain.Generation.V1,
        "fees": fees_agree or not row.fees_known,
        "tokens": not told["assets"] or not tokens or sorted(told["assets"]) == sorted(tokens),
    }
    return [name for name, agrees in agree.items() if not agrees]


def _told_fees(row: Market) -> FeeSchedule | None:
    """The CLOB's fee schedule, for a market whose own Gamma leaves out; None when it names none we can price."""
    told: dict[str, Any] = row.clob_terms or {}
    if told.get("fee_rate") is None or not told["taker_only"]:
        return None
    return FeeSchedule(rate=_rate(Decimal(told["fee_rate"])), exponent=told["fee_exponent"])


def rule_revisions(market: Market) -> QuerySet[RuleRevision]:
    """What is known of the market's rules, newest first."""
    return RuleRevision.objects.filter(market=market).order_by("-pk")


def rules_to_review() -> QuerySet[Market]:
    """Subscribed markets whose changed rules wait for an operator."""
    return Market.objects.filter(SUBSCRIBED, rules_pending=True).order_by("pk")


def _fees(row: Market) -> FeeSchedule:
    if not row.fees_known:
        told = _told_fees(row)
        if told is not None:
            return told
    return FeeSchedule(rate=_rate(row.fee_rate), exponent=row.fee_exponent, rebate=_rate(row.fee_rebate))


def _rate(value: Decimal) -> int:
    return int(value * RATE_ONE)


def _millis(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


# Lists for pages ------------------------------------------------------------------------------------------


def search(text: str, rows: QuerySet[Market] | None = None) -> QuerySet[Market]:
    """Markets whose question, group title, slug, event title or condition id contains every word."""
    rows = Market.objects.all() if rows is None else rows
    for word in text.split():
        rows = rows.filter(
            Q(question__icontains=word)
            | Q(group_title__icontains=word)
            | Q(slug__icontains=word)
            | Q(event__title__icontains=word)
            | Q(condition_id__iexact=word)
        )
    return rows


def listed() -> QuerySet[Market]:
    """What the markets pages list: busiest first, with event and tokens."""
    return with_tokens(Market.objects.all()).order_by("closed", "-volume_24h", "pk")


def subscribed_rows() -> QuerySet[Market]:
    return with_tokens(Market.objects.filter(SUBSCRIBED)).order_by("-trading", "-volume_24h", "pk")
