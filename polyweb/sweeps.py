"""A parameter sweep: one recording replayed with every combination of some values, side by side.

Law: every run sees the same frames, markets and seed; only the named parameters differ. A file that would take more
runs than `MOST_RUNS` is refused before the first.
"""

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import reduce
from pathlib import Path
from typing import Any

from markets.feed.frames import Meter
from polyweb.profits import pusd
from polyweb.replays import Params, ParamsFileError, Request, markets_of, play
from polyweb.runtime.attribution import NOTHING, Attribution, Point, Split
from polyweb.runtime.rehearsal import Rehearsal
from polyweb.runtime.views import Json
from strategies.domain.definitions import ParamError
from strategies.domain.params import resolve

MOST_RUNS = 200
MARKOUT_S = 30

Values = Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: the values it differed by, its digest, and what came of it."""

    number: int
    values: dict[str, Decimal]
    split: Split
    markout: Json
    fills: int
    placed: int
    cancelled: int
    most_inventory: int
    digest: str
    points: tuple[Point, ...]


def read_sweep(path: Path) -> list[dict[str, Decimal]]:
    """Every combination of the lists under `[sweep]`. Raises ParamsFileError naming the entry."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParamsFileError(f"{path}: {reason}; give a TOML file with lists of values under [sweep]") from error
    unknown = set(document) - {"sweep"}
    if unknown or not isinstance(document.get("sweep"), dict) or not document["sweep"]:
        raise ParamsFileError(f"{path}: must hold one table [sweep] with a list of values for each parameter")
    axes = {name: _values(path, name, values) for name, values in document["sweep"].items()}
    runs = 1
    for values in axes.values():
        runs *= len(values)
    if runs > MOST_RUNS:
        raise ParamsFileError(f"{path}: would take {runs} runs, most are {MOST_RUNS}; name fewer values")
    return [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())]


def _values(path: Path, name: str, values: Any) -> list[Decimal]:
    if not isinstance(values, list) or not values:
        raise ParamsFileError(f"{path}: sweep.{name}: must be a list of values")
    read: list[Decimal] = []
    for value in values:
        try:
            read.append(Decimal(str(value)))
            resolve({name: read[-1]})
        except (InvalidOperation, ParamError) as error:
            problem = f"{value!r} is not a number" if isinstance(error, InvalidOperation) else str(error)
            raise ParamsFileError(f"{path}: sweep.{name}: {problem}") from error
    return read


def sweep(request: Request, combinations: Sequence[dict[str, Decimal]], meter: Meter) -> Iterator[Outcome]:
    """Replay once for each; what the request's own parameter file sets holds where a combination says nothing."""
    markets = markets_of(request)
    for number, values in enumerate(combinations, 1):
        rehearsal, accounts = play(replace(request, params=_over(request.params, values)), markets, meter)
        yield _outcome(number, values, rehearsal, accounts)


def _over(params: Params, values: Mapping[str, Decimal]) -> Params:
    """The combination wins over every scope of the file: it is what is being compared."""
    return Params(
        {**params.general, **values},
        {key: {**own, **values} for key, own in params.events.items()},
        {key: {**own, **values} for key, own in params.markets.items()},
    )


def _outcome(number: int, values: dict[str, Decimal], rehearsal: Rehearsal, accounts: Attribution) -> Outcome:
    counters = rehearsal.trader.counters
    marked = [account.markouts[MARKOUT_S] for account in accounts.accounts.values()]
    size = sum(each.size for each in marked)
    per_share = f"{sum(each.value for each in marked) / (20_000 * size):.4f}" if size else None
    return Outcome(
        number,
        values,
        reduce(Split.__add__, accounts.splits().values(), NOTHING),
        {"seconds": MARKOUT_S, "fills": sum(each.fills for each in marked), "pusd_per_share": per_share},
        counters.fills,
        counters.placed,
        counters.cancelled,
        max((point.inventory for point in accounts.points), default=0),
        rehearsal.digest.hex(),
        tuple(accounts.points),
    )


def told(outcome: Outcome) -> Json:
    """One run as plain JSON values; money in pUSD, sizes in shares."""
    split = outcome.split
    return {
        "run": outcome.number,
        "params": {name: f"{value.normalize():f}" for name, value in outcome.values.items()},
        "total": pusd(split.total),
        "spread": pusd(split.spread),
        "inventory": pusd(split.inventory),
        "fees": pusd(split.fees),
        "rounding": pusd(split.rounding),
        "rebates": pusd(split.rebates),
        "rewards": pusd(split.rewards),
        "with_incentives": pusd(split.with_incentives),
        "markout": outcome.markout,
        "fills": outcome.fills,
        "orders_placed": outcome.placed,
        "orders_cancelled": outcome.cancelled,
        "most_inventory": f"{outcome.most_inventory / 1_000_000:f}",
        "digest": outcome.digest,
    }
