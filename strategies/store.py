"""Rows of what arbitrage saw and did: gaps, baskets, and every step of a basket.

Law: written by the engine's clerk after the fact; orders and fills have their own journal, which comes first. Said
twice, a step is written once.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction

from markets.domain.units import Nanos, cash_to_decimal, price_to_decimal, size_to_decimal
from markets.models import Event
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage
from strategies.domain.opportunity_log import Gap
from strategies.models import ArbBasket, ArbOpportunity, ArbStep

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENGINE = "engine"
_NANOS_PER_MICRO = 1_000
_NANOS_PER_MILLI = 1_000_000
# Ends nobody must look at again; everything else that is not one of them was under way.
_ENDED = [stage.value for stage in ENDS]


def record_baskets(moved: Sequence[BasketMoved]) -> None:
    """Bring each basket's row up to its newest step and append the steps, in one transaction."""
    if not moved:
        return
    with transaction.atomic():
        events = _events(step.basket.event_id for step in moved)
        for step in moved:
            basket, fresh = ArbBasket.objects.update_or_create(
                plan_id=step.basket.plan_id, defaults=_now(step), create_defaults=_born(step, events)
            )
            known = {"basket": basket, "at": _moment(step.at_ns), "stage": step.stage.value}
            if fresh or not ArbStep.objects.filter(**known).exists():
                ArbStep.objects.create(**known, **_figures(step), detail=step.detail, trace=step.trace)


def _born(step: BasketMoved, events: dict[str, int]) -> dict[str, object]:
    basket = step.basket
    legs = [
        {
            "condition_id": leg.condition_id,
            "asset_id": leg.asset,
            "side": leg.side.value,
            "price": f"{price_to_decimal(leg.price).normalize():f}",
            "size": f"{size_to_decimal(leg.size).normalize():f}",
        }
        for leg in basket.legs
    ]
    return _now(step) | {
        "event_id": events.get(basket.event_id),
        "event_key": basket.event_id,
        "route": basket.route.value,
        "size": size_to_decimal(basket.size),
        "edge": cash_to_decimal(basket.edge),
        "legs": legs,
        "opened_at": _moment(step.at_ns),
    }


def _now(step: BasketMoved) -> dict[str, object]:
    ended_at = _moment(step.at_ns) if step.stage in ENDS else None
    return _figures(step) | {"stage": step.stage.value, "detail": step.detail, "ended_at": ended_at}


def _figures(step: BasketMoved) -> dict[str, object]:
    return {
        "filled": [f"{size_to_decimal(size).normalize():f}" for size in step.filled],
        "paid": cash_to_decimal(step.paid),
        "profit": cash_to_decimal(step.profit),
    }


def begun() -> list[str]:
    """Plans of baskets whose rows have not ended."""
    return list(ArbBasket.objects.exclude(stage__in=_ENDED).values_list("plan_id", flat=True))


def ended(plan_ids: Iterable[str]) -> set[str]:
    """Which of these plans are baskets that have ended."""
    return set(ArbBasket.objects.filter(plan_id__in=list(plan_ids), stage__in=_ENDED).values_list("plan_id", flat=True))


def interrupt_baskets(*, at: datetime, besides: Collection[str] = ()) -> list[ArbBasket]:
    """Baskets an earlier engine left under way: nobody sees them through any more, so a person must look. `besides`
    are those that this engine goes on with.
    """
    with transaction.atomic():
        rows = ArbBasket.objects.select_for_update().exclude(stage__in=_ENDED).exclude(plan_id__in=besides)
        left = list(rows.order_by("pk"))
        for basket in left:
            was, basket.stage, basket.ended_at = basket.stage, Stage.INTERRUPTED.value, at
            basket.detail = f"the engine ended while it was {was}"
            basket.save(update_fields=["stage", "ended_at", "detail"])
            ArbStep.objects.create(
                basket=basket, at=at, stage=basket.stage, detail=basket.detail, filled=basket.filled,
                paid=basket.paid, profit=basket.profit,
            )  # fmt: skip
    return left


def record_opportunities(gaps: Sequence[Gap], *, source: str = ENGINE) -> None:
    events = _events(gap.event_id for gap in gaps)
    ArbOpportunity.objects.bulk_create(
        [
            ArbOpportunity(
                event_id=events.get(gap.event_id),
                event_key=gap.event_id,
                condition_id=gap.condition_id,
                route=gap.route.value,
                opened_at=_moment(gap.opened_ns),
                lifetime_ms=gap.lifetime_ns // _NANOS_PER_MILLI,
                gross=price_to_decimal(gap.gross),
                depth=size_to_decimal(gap.depth),
                edge=cash_to_decimal(gap.edge),
                reason=gap.reason[:80],
                detail=gap.detail[:500],
                source=source,
            )
            for gap in gaps
        ],
        batch_size=500,
    )


def _events(keys: Iterable[str]) -> dict[str, int]:
    return dict(Event.objects.filter(gamma_id__in=set(keys)).values_list("gamma_id", "pk"))


def _moment(nanos: Nanos) -> datetime:
    return _EPOCH + timedelta(microseconds=nanos // _NANOS_PER_MICRO)
