"""What `manage.py stop` does first when everything is to come down: cancel at the venue, before Django is imported.

Law: it reads the environment and the key, cancels, and imports no Django. It acts only on words that surely mean
everything; whatever keeps it from acting is left to the command itself, which follows, writes the stop and looks at
the venue again.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from execution.domain.reconcile import VenueOrder
from execution.relayers.cancel_only import CancelOnly, TakenDown, everything
from execution.relayers.credentials import NoCredentials, api_credentials
from execution.relayers.http import ClobHttp
from execution.signing import KeyUnavailable
from markets.domain.units import Nanos
from polyweb.env import BASE_DIR, Env, profile_of, read_env
from polyweb.runtime.account_key import signature_type, signing_key

WITHIN_S = 2.0  # a living engine waits for the row meanwhile
Wanted = Callable[[VenueOrder], bool]


@dataclass(frozen=True, slots=True)
class Early:
    """What was cancelled before the command began, in how long, and when (epoch ns) that was over."""

    found: TakenDown
    seconds: float
    at_ns: Nanos


_done: list[Early] = []


def earlier() -> Early | None:
    """What this process already did at the venue."""
    return _done[-1] if _done else None


def possible(env: Env) -> str:
    """Why nothing of ours can rest outside the engine; empty when it can."""
    if env.relayer != "real":
        return f"the {env.relayer} venue lives and dies with the engine: nothing of it rests anywhere else"
    return "a dry run sends nothing, so nothing rests" if env.dry_run else ""


async def at_venue(env: Env, wanted: Wanted, within_s: float) -> TakenDown:
    """Raises KeyUnavailable, NoCredentials, ValueError, OSError."""
    key = signing_key(env)
    credentials = await api_credentials(env.clob_url, key, env.chain_id)
    http = ClobHttp(env.clob_url, key.address, credentials)
    try:
        return await CancelOnly(http, signature_type(env)).take_down(wanted, within_s=within_s)
    finally:
        await http.close()


def first(settings_module: str) -> None:
    """Cancel everything, if the environment is one of ours and reads without a problem."""
    if not settings_module.startswith("polyweb.settings."):
        return  # a site's own module may name another venue
    reading = read_env(profile_of(settings_module), env_file=BASE_DIR / ".env")
    if not reading.problems and not possible(reading.env):
        cancel_everything(reading.env)


def cancel_everything(env: Env, within_s: float = WITHIN_S) -> None:
    started = time.monotonic()
    try:
        found = asyncio.run(asyncio.wait_for(at_venue(env, everything, within_s / 2), within_s))
    except (KeyUnavailable, NoCredentials, ValueError, OSError):
        return  # the command meets the same trouble, and says it
    _done.append(Early(found, round(time.monotonic() - started, 3), time.time_ns()))
