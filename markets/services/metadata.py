"""Metadata from Gamma into rows: saved files, single pages and whole walks.

Law: metadata is upserted and never deleted; what a person switched on survives, and what changes in a market the
engine is subscribed to leaves a change entry.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from markets.gamma import Collected, CrawlFailed, GammaEvent, GammaMarket, Page, collect
from markets.gamma.items import KEPT_ERRORS
from markets.models import Event, Market, Outcome
from markets.selectors import SUBSCRIBED
from markets.services.journal import record_change
from markets.services.rules import Known, known_rules, note_rules
from markets.services.switches import NAMED_SUBJECTS

BATCH = 500
SHRINKS_BY = 20  # so few may go at once whatever their share

EVENT_NAMES = ["slug", "title", "neg_risk", "augmented", "closed", "vanished_at", "updated_at"]
MARKET_FACTS = [
    "gamma_id", "slug", "question", "group_title", "generation", "tick_size", "min_size", "neg_risk", "other",
    "active", "closed", "accepting_orders", "delayed", "fee_rate", "fee_exponent", "fee_rebate", "fees_known",
    "rewards_min_size", "rewards_max_spread", "rewards_daily", "volume_24h", "liquidity", "best_bid", "best_ask",
    "game_start",
    "end_date", "resolution_status", "rule_hash", "question_id",
]  # fmt: skip
# What the engine must hear about when it changes in a market it is subscribed to.
MATERIAL = [
    "generation", "tick_size", "min_size", "neg_risk", "other", "closed", "accepting_orders", "delayed", "fee_rate",
    "fee_exponent", "fee_rebate", "fees_known", "rewards_min_size", "rewards_max_spread", "rewards_daily",
    "game_start", "end_date", "resolution_status", "rule_hash", "question_id", "rules_pending",
    "vanished_at",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows written; `conflicts` are markets left out because a token of theirs belongs to another market."""

    events: int
    markets: int
    outcomes: int
    conflicts: tuple[str, ...] = ()


def upsert(*, events: Iterable[GammaEvent], markets: Iterable[GammaMarket]) -> Stored:
    """Store a batch in one transaction. Switches and stored sets survive; every named event must be in `events`."""
    # One order for everybody: two loads of the same markets must wait for each other, not deadlock.
    event_values = sorted(events, key=lambda event: event.gamma_id)
    with transaction.atomic():
        values, conflicts = _without_conflicts(sorted(markets, key=lambda market: market.condition_id))
        known = known_rules([value.condition_id for value in values])
        before = _material(values)
        event_pks = _store_events(event_values)
        market_pks = _store_markets(values, known, event_pks)
        note_rules(values, known, market_pks)
        outcomes = _store_outcomes(values, market_pks)
        _judge_sets(event_values, values, known, event_pks)
        _report_changes(before, _material(values))
    return Stored(len(event_values), len(values), outcomes, conflicts)


def _without_conflicts(values: list[GammaMarket]) -> tuple[list[GammaMarket], tuple[str, ...]]:
    """Two markets can never share a token; the one that had it first keeps it."""
    wanted = [outcome.asset_id for value in values for outcome in value.outcomes]
    owners = dict(Outcome.objects.filter(asset_id__in=wanted).values_list("asset_id", "market__condition_id"))
    sound: list[GammaMarket] = []
    conflicts: list[str] = []
    for value in values:
        if all(owners.setdefault(item.asset_id, value.condition_id) == value.condition_id for item in value.outcomes):
            sound.append(value)
        else:
            conflicts.append(value.condition_id)
    return sound, tuple(conflicts)


def _material(values: list[GammaMarket]) -> dict[str, dict[str, str]]:
    ids = {value.condition_id for value in values}
    rows = Market.objects.filter(Q(trading=True) | Q(watched=True)).values("condition_id", *MATERIAL)
    return {
        row["condition_id"]: {name: "" if row[name] is None else str(row[name]) for name in MATERIAL}
        for row in rows
        if row["condition_id"] in ids
    }


def _report_changes(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> None:
    for condition_id, old in before.items():
        new = after[condition_id]
        changed = [name for name in MATERIAL if old[name] != new[name]]
        if changed:
            record_change(
                author=None,
                source="system",
                action="market_changed",
                subject=condition_id,
                before={name: old[name] for name in changed},
                after={name: new[name] for name in changed},
                reason="the venue's metadata changed",
            )


def _store_events(values: list[GammaEvent]) -> dict[str, int]:
    """Primary keys by Gamma id. Only a full listing may change category and fee of a known event."""
    pks: dict[str, int] = {}
    for full in (True, False):
        rows = [
            Event(
                gamma_id=value.gamma_id, slug=value.slug, title=value.title, category=value.category,
                neg_risk=value.neg_risk, augmented=value.augmented, closed=value.closed,
                convert_fee_bps=value.convert_fee_bps,
            )
            for value in values
            if (value.set_size is not None) is full
        ]  # fmt: skip
        stored = Event.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["gamma_id"],
            update_fields=[*EVENT_NAMES, "category", "convert_fee_bps"] if full else EVENT_NAMES,
        )
        pks.update((row.gamma_id, row.pk) for row in stored)
    return pks


def _store_markets(
    values: list[GammaMarket], known: Mapping[str, Known], event_pks: Mapping[str, int]
) -> dict[str, int]:
    rows = [
        Market(
            condition_id=value.condition_id,
            event_id=event_pks[value.event_id] if value.event_id else _event_of(known.get(value.condition_id)),
            **{name: getattr(value, name) for name in MARKET_FACTS},
        )
        for value in values
    ]
    stored = Market.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["condition_id"],
        update_fields=["event", *MARKET_FACTS, "vanished_at", "updated_at"],
    )
    return {row.condition_id: row.pk for row in stored}


def _event_of(known: Known | None) -> int | None:
    return None if known is None else known.event_id


def _store_outcomes(values: list[GammaMarket], market_pks: Mapping[str, int]) -> int:
    rows = [
        Outcome(
            market_id=market_pks[value.condition_id], index=item.index, name=item.name,
            asset_id=item.asset_id, price=item.price,
        )
        for value in values
        for item in value.outcomes
    ]  # fmt: skip
    Outcome.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["market", "index"],
        update_fields=["name", "asset_id", "price"],
    )
    return len(rows)


def _judge_sets(
    events: list[GammaEvent],
    values: list[GammaMarket],
    known: Mapping[str, Known],
    event_pks: Mapping[str, int],
) -> None:
    """A set is complete when a full listing said so and exactly its markets are stored; any doubt ends that."""
    doubted = {value.event_id for value in values if value.closed or value.other or value.condition_id not in known}
    sizes = {event_pks[event.gamma_id]: event.set_size for event in events}
    doubtful = {event_pks[gamma_id] for gamma_id in doubted if gamma_id}
    touched = Event.objects.filter(pk__in=sizes).filter(Q(neg_risk=True) | Q(complete=True))
    for event in touched.annotate(stored=Count("markets")):
        size = sizes[event.pk]
        kept = event.complete and event.pk not in doubtful
        complete = kept if size is None else 0 < size == event.stored
        if complete == event.complete:
            continue
        Event.objects.filter(pk=event.pk).update(complete=complete)
        if event.markets.filter(SUBSCRIBED).exists():
            record_change(
                author=None, source="system", action="event_set", subject=f"event {event.gamma_id}",
                before={"complete": event.complete}, after={"complete": complete},
                reason="the venue's listing of the event changed",
            )  # fmt: skip


def mark_vanished(*, not_seen_since: datetime, now: datetime) -> int:
    """After a finished walk: what it did not list is marked, not deleted, and no longer accepts orders for us."""
    with transaction.atomic():
        gone = Market.objects.filter(closed=False, vanished_at=None, updated_at__lt=not_seen_since)
        watched = list(gone.filter(SUBSCRIBED).values_list("condition_id", flat=True))
        count = gone.update(vanished_at=now)
        Event.objects.filter(closed=False, vanished_at=None, updated_at__lt=not_seen_since).update(vanished_at=now)
        if watched:
            record_change(
                author=None, source="system", action="market_vanished",
                subject=watched[0] if len(watched) == 1 else f"{len(watched)} markets",
                after={"markets": watched[:NAMED_SUBJECTS], "count": len(watched)},
                reason="the venue no longer lists them",
            )  # fmt: skip
    return count


def store_page(page: Page) -> Collected:
    """One page of a live walk. Markets inside events lack fields of the market listing: only new ones count."""
    found = Collected()
    collect(list(page.items), found)
    markets = list(found.markets.values())
    if page.kind == "events":
        known = set(Market.objects.filter(condition_id__in=list(found.markets)).values_list("condition_id", flat=True))
        # Their rules count from the first market listing on: a shorter text here must not look like a change there.
        markets = [replace(market, rule_hash="") for market in markets if market.condition_id not in known]
    for condition_id in upsert(events=found.events.values(), markets=markets).conflicts:
        found.fail(f"market {condition_id}: a token of it belongs to another market")
    return found


# Whole files and whole walks --------------------------------------------------------------------------------


@dataclass(slots=True)
class Totals:
    """What a file or walk held and was stored. The same market twice counts once."""

    event_ids: set[str] = field(default_factory=set)
    outcomes_of: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    errors: int = 0
    first_errors: list[str] = field(default_factory=list)
    vanished: int = 0

    def add(self, found: Collected) -> None:
        self.event_ids.update(found.events)
        self.outcomes_of.update((key, len(market.outcomes)) for key, market in found.markets.items())
        self.skipped += found.skipped
        self.errors += found.errors
        self.first_errors += found.first_errors[: KEPT_ERRORS - len(self.first_errors)]

    def summary(self) -> dict[str, int]:
        return {
            "events": len(self.event_ids),
            "markets": len(self.outcomes_of),
            "outcomes": sum(self.outcomes_of.values()),
            "skipped": self.skipped,
            "errors": self.errors,
        }


def store_documents(documents: Iterable[Any], on_batch: Callable[[Totals], None] | None = None) -> Totals:
    """Store every market and event the documents hold, a batch per transaction; bad ones are counted."""
    totals, batch = Totals(), Collected()
    for document in documents:
        if isinstance(document, ValueError):
            batch.fail(str(document))
        else:
            collect(document, batch)
        if len(batch.markets) + len(batch.events) >= BATCH:
            _store_batch(batch, totals)
            batch = Collected()
            if on_batch is not None:
                on_batch(totals)
    _store_batch(batch, totals)
    return totals


def _store_batch(batch: Collected, totals: Totals) -> None:
    stored = upsert(events=batch.events.values(), markets=batch.markets.values())
    for condition_id in stored.conflicts:
        batch.markets.pop(condition_id)
        batch.fail(f"market {condition_id}: a token of it belongs to another market")
    totals.add(batch)


def refresh(
    gamma_url: str, on_batch: Callable[[Totals], None] | None = None, *, believe_shrinking: bool = False
) -> Totals:
    """Walk everything open on the live service, then mark what was not there. Raises markets.gamma.CrawlFailed.

    A walk that fails half-way keeps its pages and marks nothing, and so does one that lists no market at all or less
    than half of those known to be open, unless told to believe that.
    """
    # Here and not above: importing the venue's client takes a second, which no other process should pay.
    from markets.gamma.crawl import crawl

    started, totals = timezone.now(), Totals()
    listed = 0

    def keep(page: Page) -> None:
        nonlocal listed
        listed += len(page.items) if page.kind == "markets" else 0
        totals.add(store_page(page))
        if on_batch is not None:
            on_batch(totals)

    async def walk() -> None:
        async with aclosing(crawl(gamma_url)) as pages:
            async for page in pages:
                await sync_to_async(keep)(page)

    async_to_sync(walk)()
    if not listed:
        raise CrawlFailed("markets: the listing is empty, and no venue is")
    if not believe_shrinking:
        _doubt_shrinking(started)
    totals.vanished = mark_vanished(not_seen_since=started, now=timezone.now())
    return totals


def _doubt_shrinking(not_seen_since: datetime) -> None:
    """A listing cut short looks like thousands of markets gone at once, and would stop trading in all of them."""
    known = Market.objects.filter(closed=False, vanished_at=None)
    gone, total = known.filter(updated_at__lt=not_seen_since).count(), known.count()
    if gone >= SHRINKS_BY and 2 * gone > total:
        raise CrawlFailed(f"markets: {gone} of {total} open ones are not listed; nothing is marked as vanished")
