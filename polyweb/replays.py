"""Replaying a recording from the outside: which markets it is about, with which parameters, and what came of it.

Law: same file, parameters, metadata and seed, same digest. All the trader decides on is settled before it starts. A
session recording brings its own parameters and answers: what it decided then must be decided again.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
from django.db import OperationalError, connection

from markets import selectors as stored
from markets.domain.cuts import Recorded
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, Cash, ConditionId, Nanos, cash_to_decimal
from markets.feed.frames import Meter, read_frames, read_recording, require_market_frames, unmetered
from markets.feed.recorder import RecordingError, RecordKind, is_segment, read_marked, read_records, segments
from markets.gamma.metadata import read_markets
from markets.models import Market as MarketRow
from polyweb.profits import told_profit
from polyweb.runtime import views
from polyweb.runtime.attribution import Attribution
from polyweb.runtime.inbox import NO_CONTROL, Control, Spelled, TraderConfig, read
from polyweb.runtime.rehearsal import Digest, Divergence, NoBeginning, Rehearsal, SessionReplay, Venue
from polyweb.runtime.rehearsal_venues import FakeVenue, PaperVenue
from polyweb.runtime.trader import Trader
from polyweb.runtime.views import Json
from strategies.domain.definitions import ParamError, Values
from strategies.domain.params import SpreadParams, resolve

_TOKEN = re.compile(rb'"asset_id"\s*:\s*"(\d+)"')
LOOKUP_CHUNK = 500


class ParamsFileError(ValueError):
    """A parameter file that cannot be used; the text names the entry and the fix."""


class DatabaseUnread(Exception):
    """What the database knows of the recorded markets cannot be had, and without it the replay would be another."""


_NOTHING_SET: Values = {}


@dataclass(frozen=True, slots=True)
class Params:
    """What a parameter file sets, by scope; a market takes its own values, then its event's, then the general ones.

    Build with `read_params`, which has checked every layer.
    """

    general: Values = field(default_factory=dict)
    events: Mapping[str, Values] = field(default_factory=dict)
    markets: Mapping[ConditionId, Values] = field(default_factory=dict)

    def of(self, market: Market) -> SpreadParams:
        own = self.markets.get(market.condition_id, _NOTHING_SET)
        return resolve(own, self.events.get(market.event_id, _NOTHING_SET), self.general)

    def resolved(self, markets: Iterable[Market]) -> dict[ConditionId, SpreadParams]:
        """Of these markets, and of those the file names that only the recording will show."""
        named = {key: resolve(values, self.general) for key, values in self.markets.items()}
        return named | {market.condition_id: self.of(market) for market in markets}


@dataclass(frozen=True, slots=True)
class Request:
    recording: Path
    cash: Cash
    seed: int = 0
    relayer: str = "paper"
    metadata: Path | None = None
    params: Params = Params()


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
        known = _stored_markets(sorted(tokens))
    chosen = [market for market in known if market.yes in tokens or market.no in tokens]
    return tuple(sorted(chosen, key=lambda market: market.condition_id))


def _stored_markets(tokens: Sequence[str]) -> Iterable[Market]:
    chunks = [tokens[start : start + LOOKUP_CHUNK] for start in range(0, len(tokens), LOOKUP_CHUNK)]
    try:
        if MarketRow._meta.db_table not in connection.introspection.table_names():
            return ()  # a database that was never set up knows no market
        rows = [
            row
            for chunk in chunks
            for row in stored.with_tokens(MarketRow.objects.filter(outcomes__asset_id__in=chunk).distinct())
        ]
        return {row.pk: stored.to_domain(row) for row in rows if row.outcomes.count() == 2}.values()
    except OperationalError as error:
        raise DatabaseUnread(f"the database cannot be read ({error}); start it, or give --metadata FILE") from error


def read_params(path: Path) -> Params:
    """A file as `params export` writes it; what it leaves out keeps its default. Raises ParamsFileError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParamsFileError(f"{path}: {reason}; give a file written by `params export`") from error
    if not isinstance(document, dict):
        raise ParamsFileError(f"{path}: must hold one object with global, events and markets")
    unknown = set(document) - {"format", "global", "events", "markets"}
    if unknown:
        raise ParamsFileError(f"{path}: {min(unknown)} is not known here; known are global, events, markets")
    return Params(
        _values(path, "global", document.get("global", {})),
        _scoped(path, "events", document),
        _scoped(path, "markets", document),
    )


def _scoped(path: Path, scope: str, document: Mapping[str, object]) -> dict[str, Values]:
    given = document.get(scope, {})
    if not isinstance(given, dict):
        raise ParamsFileError(f"{path}: {scope}: must be an object of ids, each with its parameters")
    return {str(key): _values(path, f"{scope}.{key}", values) for key, values in given.items()}


def _values(path: Path, where: str, values: object) -> Values:
    """One layer, checked by itself so that an error can say where in the file it stands."""
    if not isinstance(values, dict):
        raise ParamsFileError(f"{path}: {where}: must be an object of parameters")
    layer: dict[str, Decimal | None] = {}
    for name, value in values.items():
        try:
            layer[str(name)] = None if value is None else Decimal(str(value))
        except InvalidOperation:
            raise ParamsFileError(f"{path}: {where}: {name}: {value!r} is not a number") from None
    try:
        resolve(layer)
    except ParamError as error:
        raise ParamsFileError(f"{path}: {where}: {error}") from error
    return layer


def markets_of(request: Request) -> tuple[Market, ...]:
    """What is known of the recording's markets. Raises RecordingError, UnreadableFile."""
    require_market_frames(request.recording)
    return known_markets(tokens_in(request.recording), request.metadata)


def prepare(request: Request, markets: tuple[Market, ...]) -> tuple[Rehearsal, Attribution]:
    """Build trader, venue and control for one replay, and who accounts for it."""
    venue: list[Venue] = []
    trader = Trader(
        TraderConfig(first_id=1, starting_cash=request.cash, auto_track=True),
        lambda event, now_ns: venue[0].on_event(event, now_ns),
    )
    venue.append(PaperVenue(trader.market, request.cash, request.seed) if request.relayer == "paper" else FakeVenue())
    control = Control(
        version=1,
        at_ns=0,
        markets=markets,
        trading=frozenset(market.condition_id for market in markets),
        params=request.params.resolved(markets),
        defaults=resolve(request.params.general),
        limits=NO_CONTROL.limits,
        stops=(),
        arb=NO_CONTROL.arb,
    )
    accounts = Attribution(trader)
    return Rehearsal(trader, venue[0], control, accounts), accounts


class Pace:
    """Holds items back until they are due at `speed` times recorded time; at 0 nothing waits.

    It changes when a decision is computed, never which: the trader's clock is the recording's.
    """

    def __init__(
        self,
        speed: float = 0.0,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed = speed
        self._now_ns = now_ns
        self._sleep = sleep
        self._begun: tuple[int, Nanos] | None = None

    def wait(self, recorded_ns: Nanos) -> None:
        if not self._speed:
            return
        if self._begun is None:
            self._begun = self._now_ns(), recorded_ns
        started_ns, first_ns = self._begun
        left_ns = started_ns + int((recorded_ns - first_ns) / self._speed) - self._now_ns()
        if left_ns > 0:
            self._sleep(left_ns / NANOS_PER_SECOND)


def run(request: Request, meter: Meter = unmetered, pace: Pace | None = None) -> Json:
    """Replay the whole recording; the summary every later tool relies on."""
    started = time.perf_counter()
    rehearsal, accounts = play(request, markets_of(request), meter, pace)
    found = summary(rehearsal, time.perf_counter() - started)
    return found | told_profit(accounts)


def play(
    request: Request, markets: tuple[Market, ...], meter: Meter = unmetered, pace: Pace | None = None
) -> tuple[Rehearsal, Attribution]:
    """One run over the whole recording."""
    rehearsal, accounts = prepare(request, markets)
    pace = pace or Pace()

    def paced() -> Iterator[Recorded]:
        for item in read_recording(request.recording, meter):
            if isinstance(item, Frame):
                pace.wait(item.received_ns)
            yield item

    rehearsal.run(paced())
    accounts.end(rehearsal.last_ns)
    return rehearsal, accounts


def summary(rehearsal: Rehearsal, elapsed_s: float) -> Json:
    span_ns = rehearsal.last_ns - rehearsal.first_ns
    return _told([rehearsal.trader], rehearsal.digest, span_ns, elapsed_s)


def is_session(path: Path) -> bool:
    """Whether this is a session recording (a segment or a folder of them): it begins with an item, not a frame."""
    parts = segments(path) if path.is_dir() else [path] if is_segment(path) else []
    first = next((record for part in parts for record in read_records(part)), None)
    return first is not None and first.kind == RecordKind.ITEM


def run_session(recording: Path, meter: Meter = unmetered, pace: Pace | None = None) -> Json:
    """Decide a recorded session again. `divergence` says where it went another way, None when it nowhere did."""
    replay = SessionReplay(lambda begin: Trader(begin.config))
    started = time.perf_counter()
    divergence: str | None = None
    try:
        replay.run(_session_items(recording, meter, pace or Pace()))
    except Divergence as error:
        divergence = str(error)
    except NoBeginning as error:
        raise RecordingError(recording, str(error), "Give the folder, or the segment the session began with") from error
    told = _told(replay.played, replay.digest, replay.last_ns - replay.first_ns, time.perf_counter() - started)
    told["decisions"] = replay.compared
    return {"session": True, "runs": len(replay.played), "divergence": divergence} | told


def _session_items(recording: Path, meter: Meter, pace: Pace) -> Iterator[Frame | Spelled]:
    before = 0
    for part in segments(recording) if recording.is_dir() else [recording]:
        for record, packed in read_marked(part):
            meter(before + packed)
            pace.wait(record.received_ns)
            if record.kind == RecordKind.FRAME:
                yield Frame(record.received_ns, record.connection, record.payload)
            elif record.kind == RecordKind.ITEM:
                yield _item(part, record.payload)
            elif record.kind == RecordKind.GAP:
                raise RecordingError(
                    part, f"lacks {record.payload.decode()} records (the disk was too slow)", "Replay what is before it"
                )
        before += part.stat().st_size


def _item(part: Path, payload: bytes) -> Spelled:
    try:
        return read(payload)
    except msgspec.DecodeError as error:
        raise RecordingError(
            part, f"holds an item that cannot be read ({error})", "Replay it with the version that wrote it"
        ) from error


def _told(traders: Sequence[Trader], digest: Digest, span_ns: int, elapsed_s: float) -> Json:
    """The numbers of all traders together; what is held, and what it is worth, is the last one's."""
    counters = [trader.counters for trader in traders]
    books = [trader.books.counters for trader in traders]
    last = traders[-1]
    frames = sum(each.frames for each in counters)
    return {
        "frames": frames,
        "events": sum(each.events for each in books),
        "malformed": sum(sum(each.malformed.values()) for each in counters),
        "assets": sum(1 + bool(market.no) for market in last.books.markets),
        "span_s": round(span_ns / NANOS_PER_SECOND, 3),
        "book_mismatches": sum(
            each.bbo_mismatches + each.snapshot_mismatches + each.hash_checked - each.hash_matches for each in books
        ),
        "resyncs": sum(sum(each.resyncs.values()) for each in books),
        "decisions": sum(each.decisions for each in counters),
        "orders_placed": sum(each.placed for each in counters),
        "orders_cancelled": sum(each.cancelled for each in counters),
        "fills": sum(each.fills for each in counters),
        "refusals": sum(each.refusals for each in counters),
        "pnl_pusd": str(cash_to_decimal(views.account_pnl(last).total)),
        "inventory": views.inventory(last),
        "digest": digest.hex(),
        "elapsed_s": round(elapsed_s, 3),
        "frames_per_s": round(frames / elapsed_s) if elapsed_s else 0,
    }
