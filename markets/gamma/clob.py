"""What the CLOB itself says of a market's terms, to compare with Gamma: `GET /clob-markets/{condition}`.

Law: an answer that cannot be had is an error of its own kind, never "no difference"; a market the CLOB does not know
is `None`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
import stamina

from markets.gamma import fields
from markets.gamma.fields import Raw
from markets.gamma.values import GammaError

TIMEOUT_S = 10.0
AT_ONCE = 4
PAUSE_S = 0.05
ATTEMPTS = 3
MAX_BYTES = 1 << 20


class ClobUnavailable(Exception):
    """The CLOB did not say; the text says why."""


class _Again(Exception):
    """Worth another try."""


@dataclass(frozen=True, slots=True)
class ClobTerms:
    """`fee_rate` is None when the CLOB names no fee schedule."""

    condition_id: str
    tick_size: Decimal
    min_size: Decimal
    neg_risk: bool
    fee_rate: Decimal | None
    fee_exponent: int
    taker_only: bool
    assets: tuple[str, ...]
    delayed: bool = False


def parse_terms(raw: Any) -> ClobTerms:
    """Raises GammaError naming the field."""
    if not isinstance(raw, dict):
        raise GammaError("clob-market", "is not an object")
    tick, least = fields.price(raw, "mts"), fields.number(raw, "mos")
    if not tick or least is None:
        raise GammaError("mts" if not tick else "mos", "is missing")
    schedule = raw.get("fd")
    if schedule is not None and not isinstance(schedule, dict):
        raise GammaError("fd", f"{schedule!r} is not an object")
    rate, exponent = _fee(schedule)
    return ClobTerms(
        condition_id=fields.text(raw, "c", limit=80),
        tick_size=tick,
        min_size=fields.amount(raw, "mos"),
        neg_risk=fields.flag(raw, "nr"),
        fee_rate=rate,
        fee_exponent=exponent,
        taker_only=schedule is None or schedule.get("to") is not False,
        assets=tuple(str(token.get("t")) for token in fields.objects(raw, "t")),
        delayed=fields.flag(raw, "itode"),
    )


def _fee(schedule: Raw | None) -> tuple[Decimal | None, int]:
    if schedule is None or schedule.get("r") is None:
        return None, 1
    exponent = fields.number(schedule, "e")
    exponent = Decimal(1) if exponent is None else exponent
    if exponent != int(exponent) or not 0 <= exponent <= 4:
        raise GammaError("fd.e", f"{exponent} is not a whole number from 0 to 4")
    return fields.share(schedule, "r"), int(exponent)


async def terms_of(
    clob_url: str, condition_ids: Sequence[str], *, proxied: bool, attempts: int = ATTEMPTS, pause_s: float = PAUSE_S
) -> AsyncGenerator[tuple[str, ClobTerms | ClobUnavailable | None], None]:
    """Each market's terms, or None for one the CLOB does not know, or why they could not be had; a few at a time."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(trust_env=proxied, timeout=timeout) as session:
        for start in range(0, len(condition_ids), AT_ONCE):
            some = condition_ids[start : start + AT_ONCE]
            asked = (_terms(session, clob_url.rstrip("/"), condition_id, attempts) for condition_id in some)
            for condition_id, found in zip(some, await asyncio.gather(*asked), strict=True):
                yield condition_id, found
            await asyncio.sleep(pause_s)


async def _terms(
    session: aiohttp.ClientSession, url: str, condition_id: str, attempts: int
) -> ClobTerms | ClobUnavailable | None:
    try:
        async for attempt in stamina.retry_context(on=_Again, attempts=attempts, timeout=30, wait_max=5):
            with attempt:
                raw = await _get(session, f"{url}/clob-markets/{condition_id}")
        return None if raw is None else parse_terms(msgspec.json.decode(raw))
    except (_Again, ClobUnavailable) as error:
        return ClobUnavailable(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, GammaError) as error:
        return ClobUnavailable(f"unreadable: {error}")


async def _get(session: aiohttp.ClientSession, address: str) -> bytes | None:
    """The body; None when the CLOB does not know the market."""
    try:
        async with session.get(address) as answer:
            if answer.status == 404:
                return None
            if answer.status == 429 or answer.status >= 500:
                raise _Again(f"HTTP {answer.status}")
            if answer.status != 200:
                raise ClobUnavailable(f"HTTP {answer.status}")
            body = await answer.content.read(MAX_BYTES)
            while not answer.content.at_eof() and len(body) < MAX_BYTES:
                body += await answer.content.read(MAX_BYTES)
            return body
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _Again(f"{type(error).__name__}: {error}") from error
