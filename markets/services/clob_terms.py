"""The terms the CLOB trades by, beside what Gamma says of the same market.

Law: Gamma fills the columns, the CLOB only contradicts: what differs is journaled once, and what would cost money or
make orders invalid blocks the market until both say the same (see `selectors.blocked_by`).
"""

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.utils import timezone

from markets.models import Market
from markets.selectors import SUBSCRIBED, clob_differences
from markets.services.journal import record_change

if TYPE_CHECKING:
    from markets.gamma.clob import ClobTerms

KEPT_ERRORS = 10


class TermsUnavailable(Exception):
    """Not one market's terms could be had."""


@dataclass(slots=True)
class Compared:
    """Markets asked about; `missing` are unknown to the CLOB, `failed` could not be asked."""

    asked: int = 0
    differing: int = 0
    missing: int = 0
    failed: int = 0
    first_error: str = ""


def refresh_clob_terms(*, clob_url: str) -> Compared:
    """Ask the CLOB about every followed market. Raises TermsUnavailable when it answered for none."""
    # Here and not above: only this needs an HTTP client.
    from markets.feed.client import is_local
    from markets.gamma.clob import ClobUnavailable, terms_of

    done = Compared()
    followed = Market.objects.filter(SUBSCRIBED).order_by("pk")
    wanted = list(followed.values_list("condition_id", flat=True))

    async def ask() -> None:
        async with aclosing(terms_of(clob_url, wanted, proxied=not is_local(clob_url))) as answers:
            async for condition_id, found in answers:
                done.asked += 1
                if found is None:
                    done.missing += 1
                elif isinstance(found, ClobUnavailable):
                    done.failed += 1
                    done.first_error = done.first_error or f"{condition_id}: {found}"
                else:
                    done.differing += await sync_to_async(store_terms)(condition_id=condition_id, terms=found)

    async_to_sync(ask)()
    if done.asked and done.failed == done.asked:
        raise TermsUnavailable(f"none of {done.asked} markets: {done.first_error}")
    return done


def store_terms(*, condition_id: str, terms: "ClobTerms") -> bool:
    """Keep what the CLOB said and journal a difference that is new or gone. True while something differs."""
    with transaction.atomic():
        row = Market.objects.select_for_update().prefetch_related("outcomes").get(condition_id=condition_id)
        before, had = clob_differences(row), row.clob_terms
        row.clob_terms = _as_json(terms)
        after = clob_differences(row)
        if row.clob_terms == had:
            return bool(after)
        Market.objects.filter(pk=row.pk).update(clob_terms=row.clob_terms, clob_checked_at=timezone.now())
        if before != after or _fills_in(row, had):
            record_change(
                author=None,
                source="system",
                action="clob_differs" if after else "clob_agrees",
                subject=condition_id,
                before={"differs": before},
                after={"differs": after, "clob": row.clob_terms},
                reason="the CLOB's terms compared with Gamma's",
            )
    return bool(after)


def _fills_in(row: Market, had: Any) -> bool:
    """Whether a fee schedule that Gamma leaves out, or a taker delay, comes from here: the engine must hear of it."""
    before, after = had or {}, row.clob_terms or {}
    fees = not row.fees_known and before.get("fee_rate") != after.get("fee_rate")
    return fees or bool(before.get("delayed")) != bool(after.get("delayed"))


def _as_json(terms: "ClobTerms") -> dict[str, Any]:
    return {
        "tick_size": f"{terms.tick_size:f}",
        "min_size": f"{terms.min_size:f}",
        "neg_risk": terms.neg_risk,
        "fee_rate": None if terms.fee_rate is None else f"{terms.fee_rate:f}",
        "fee_exponent": terms.fee_exponent,
        "taker_only": terms.taker_only,
        "assets": list(terms.assets),
        "delayed": terms.delayed,
    }
