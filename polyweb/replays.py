"""Replaying a recording from the outside: which markets it is about, with which parameters, and what came of it.

Law: same file, parameters, metadata and seed, same digest. All the trader decides on is settled before it starts.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from markets import selectors as stored
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, Cash, ConditionId, cash_to_decimal
from markets.feed.frames import read_frames
from markets.gamma.metadata import read_markets
from markets.models import Market as MarketRow
from polyweb.runtime import views
from polyweb.runtime.inbox import NO_CONTROL, Control, TraderConfig
from polyweb.runtime.rehearsal import Rehearsal, Venue
from polyweb.runtime.rehearsal_venues import FakeVenue, PaperVenue
from polyweb.runtime.trader import Trader
from polyweb.runtime.views import Json
from strategies.domain.params import SpreadParams, Values, resolve

_TOKEN = re.compile(rb'"asset_id"\s*:\s*"(\d+)"')
LOOKUP_CHUNK = 500


class ParamsFileError(ValueError):
    """A parameter file that cannot be used; the text names the entry and the fix."""


@dataclass(frozen=True, slots=True)
class Params:
    """Resolved parameters: the file's defaults, and its per-market values merged over them."""

    defaults: SpreadParams
    markets: Mapping[ConditionId, SpreadParams]


@dataclass(frozen=True, slots=True)
class Request:
    recording: Path
    cash: Cash
    seed: int = 0
    relayer: str = "paper"
    metadata: Path | None = None
    params: Params = Params(SpreadParams(), {})


def tokens_in(recording: Path) -> frozenset[str]:
    """Every token id a recording names, by a scan of its bytes."""
    found: set[bytes] = set()
    for frame in read_frames(recording):
        found.update(_TOKEN.findall(frame.data))
    return frozenset(token.decode() for token in found)


def known_markets(tokens: frozenset[str], metadata: Path | None) -> tuple[Market, ...]:
    """Markets of these tokens from the metadata file, else from the database; what neither knows is guessed later."""
    if metadata is not None:
        known: Iterable[Market] = read_markets(metadata)
    else:
        ordered = sorted(tokens)
        chunks = [ordered[start : start + LOOKUP_CHUNK] for start in range(0, len(ordered), LOOKUP_CHUNK)]
        rows = [
            row
            for chunk in chunks
            for row in stored.with_tokens(MarketRow.objects.filter(outcomes__asset_id__in=chunk).distinct())
        ]
        known = {row.pk: stored.to_domain(row) for row in rows if row.outcomes.count() == 2}.values()
    chosen = [market for market in known if market.yes in tokens or market.no in tokens]
    return tuple(sorted(chosen, key=lambda market: market.condition_id))


def read_params(path: Path) -> Params:
    """A file as `params export` writes it; scopes it leaves out keep the defaults. Raises ParamsFileError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ParamsFileError(f"{path}: {error}; give a file written by `params export`") from error
    if not isinstance(document, dict):
        raise ParamsFileError(f"{path}: must hold one object with global, events and markets")
    general = _values(path, "global", document.get("global") or {})
    markets = document.get("markets") or {}
    if not isinstance(markets, dict):
        raise ParamsFileError(f"{path}: markets: must be an object of condition ids")
    return Params(
        resolve(general),
        {key: resolve(_values(path, f"markets.{key}", values), general) for key, values in markets.items()},
    )


def _values(path: Path, where: str, values: object) -> Values:
    if not isinstance(values, dict):
        raise ParamsFileError(f"{path}: {where}: must be an object of parameters")
    try:
        return {str(name): None if value is None else Decimal(str(value)) for name, value in values.items()}
    except InvalidOperation:
        raise ParamsFileError(f"{path}: {where}: a value is not a number") from None


def prepare(request: Request) -> Rehearsal:
    """Build trader, venue and control for one replay. Raises RecordingError, UnreadableFile."""
    markets = known_markets(tokens_in(request.recording), request.metadata)
    venue: list[Venue] = []
    trader = Trader(
        TraderConfig(first_id=1, starting_cash=request.cash, auto_track=True),
        lambda event, now_ns: venue[0].on_event(event, now_ns),
    )
    venue.append(
        PaperVenue(trader.market, request.cash, request.seed) if request.relayer == "paper" else FakeVenue()
    )
    control = Control(
        version=1,
        at_ns=0,
        markets=markets,
        trading=frozenset(market.condition_id for market in markets),
        params=dict(request.params.markets),
        defaults=request.params.defaults,
        limits=NO_CONTROL.limits,
        stops=(),
        arb=NO_CONTROL.arb,
    )
    return Rehearsal(trader, venue[0], control)


def run(request: Request, on_frame: Callable[[Frame], None]) -> Json:
    """Replay the whole recording; the summary every later tool relies on."""
    rehearsal = prepare(request)
    started = time.perf_counter()

    def watched() -> Iterable[Frame]:
        for frame in read_frames(request.recording):
            on_frame(frame)
            yield frame

    rehearsal.run(watched())
    return summary(rehearsal, time.perf_counter() - started)


def summary(rehearsal: Rehearsal, elapsed_s: float) -> Json:
    trader = rehearsal.trader
    counters, books = trader.counters, trader.books.counters
    tokens = sum(1 + bool(market.no) for market in trader.books.markets)
    return {
        "frames": counters.frames,
        "events": books.events,
        "malformed": sum(counters.malformed.values()),
        "assets": tokens,
        "span_s": round((rehearsal.last_ns - rehearsal.first_ns) / NANOS_PER_SECOND, 3),
        "book_mismatches": books.bbo_mismatches + books.snapshot_mismatches + books.hash_checked - books.hash_matches,
        "resyncs": sum(books.resyncs.values()),
        "decisions": counters.decisions,
        "orders_placed": counters.placed,
        "orders_cancelled": counters.cancelled,
        "fills": counters.fills,
        "refusals": counters.refusals,
        "pnl_pusd": str(cash_to_decimal(views.account_pnl(trader).total)),
        "inventory": views.inventory(trader),
        "digest": rehearsal.digest.hex(),
        "elapsed_s": round(elapsed_s, 3),
        "frames_per_s": round(counters.frames / elapsed_s) if elapsed_s else 0,
    }
