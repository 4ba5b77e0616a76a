"""What there is to trade in a demo: the sandbox's markets, or those of a recording.

Law: a demo switches trading on for the markets of its own stage only, and says so in the journal of changes.
"""

from pathlib import Path

from django.utils import timezone

from markets import services
from markets.domain.market import DEFAULT_MIN_SIZE, Market
from markets.domain.units import price_to_decimal, size_to_decimal
from markets.feed.frames import read_frames
from markets.models import Event, Outcome
from markets.models import Market as MarketRow
from polyweb.replays import known_markets, tokens_in
from polyweb.runtime.rehearsal import learn_markets

REASON = "demo: everything on the stage trades"


def stage_sandbox(gamma_url: str) -> int:
    """Read the sandbox's listing as the Celery task would and switch its markets on. Returns how many trade."""
    services.refresh(gamma_url)
    return services.set_trading_where(
        markets=MarketRow.objects.filter(closed=False, accepting_orders=True, other=False),
        on=True,
        author=None,
        source="system",
        reason=REASON,
    )


def stage_recording(recording: Path, metadata: Path | None) -> int:
    """Store the markets of a recording: from its metadata where there is any, else as its frames show them."""
    tokens = tokens_in(recording)
    known = known_markets(tokens, metadata)
    told = {token for market in known for token in (market.yes, market.no)}
    seen = learn_markets(read_frames(recording))
    guessed = [market for market in seen if market.yes not in told and market.no not in told]
    for market in (*known, *guessed):
        _store(market)
    ids = [market.condition_id for market in (*known, *guessed) if market.no]
    return services.set_trading(condition_ids=ids, on=True, author=None, source="system", reason=REASON)


def _store(market: Market) -> None:
    event, _ = Event.objects.get_or_create(
        gamma_id=market.event_id, defaults={"title": market.question or "From a recording", "neg_risk": market.neg_risk}
    )
    row, _ = MarketRow.objects.update_or_create(
        condition_id=market.condition_id,
        defaults={
            "event": event,
            "question": market.question or f"Market {market.condition_id[:10]}…",
            "generation": market.generation.value,
            "tick_size": price_to_decimal(market.tick),
            "min_size": size_to_decimal(market.min_size or DEFAULT_MIN_SIZE),
            "neg_risk": market.neg_risk,
            "active": True,
            "accepting_orders": True,
            "updated_at": timezone.now(),
        },
    )
    for index, (name, asset) in enumerate((("Yes", market.yes), ("No", market.no))):
        if asset:
            Outcome.objects.update_or_create(market=row, index=index, defaults={"name": name, "asset_id": asset})
