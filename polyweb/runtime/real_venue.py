"""The real venue: key, credentials, relayer and user channel of one account, put together and watched over.

Law: nothing is quoted until the account was found fit to trade, orders and trades were read, and the heartbeat holds;
whatever of that ends is told to the trader at once. The key is opened here and goes no further than the signer.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from execution.domain.blotter import OrderRecord
from execution.domain.chain import ChainWork
from execution.domain.commands import Fill
from execution.domain.ours import OurOrders
from execution.domain.venue import VenueMode
from execution.engine import Trouble
from execution.relayers.base import ChainRelayer, Ok, Unavailable
from execution.relayers.credentials import NoCredentials, api_credentials
from execution.relayers.heartbeat import Beats, HeartbeatChain
from execution.relayers.polymarket import REDUCE_ONLY, REGION_BLOCKED, Alarm, PolymarketConfig, PolymarketRelayer
from execution.relayers.pyclob import PyClobRelayer
from execution.signing import (
    ApiCredentials,
    KeyUnavailable,
    LocalSigner,
    SigningKey,
)
from execution.signing.wallets import wallet_problem
from execution.user_feed import CatchUp, CaughtUp, UserFeed, UserFeedState
from markets.domain.fees import FeeSchedule
from markets.domain.market import Generation, Market
from markets.domain.units import NANOS_PER_MILLI, AssetId, Cash, ConditionId, Nanos
from polyweb.env import Env
from polyweb.runtime.account_key import relayer_api_key, signature_type, signing_key
from polyweb.runtime.inbox import VenueTold
from polyweb.runtime.real_account import RealAccount
from polyweb.runtime.venue_link import Ears, RelayerUnavailable
from polyweb.runtime.views import Json

log = structlog.get_logger(__name__)

T = TypeVar("T")
TRIES = 5
WATCH_S = 0.1
FINISH_S = 3.0
GEOBLOCK_URL = "https://polymarket.com/api/geoblock"
# Modes the venue tells again and again: an engine starts in them, shows them and waits.
_MODES = frozenset({REGION_BLOCKED, REDUCE_ONLY})


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal knows of this account: open orders, those that ended lately, fills, and their markets.

    `known_ns` is until when everything the venue said is among it, 0 when nobody can say.
    """

    open: tuple[OrderRecord, ...]
    ended: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]
    markets: tuple[Market, ...]
    known_ns: Nanos


def signer_of(env: Env, key: SigningKey) -> LocalSigner:
    """Signs for the wallet the environment names. Raises ValueError where key, wallet and type do not go together."""
    return LocalSigner(key, env.funder or key.address, signature_type(env), env.chain_id)


class RealVenue:
    """One account. Built by `open_venue`; told what the journal knows by `remember` before it runs."""

    def __init__(self, env: Env, key: SigningKey, credentials: ApiCredentials, ears: Ears) -> None:
        kind = signature_type(env)
        self.wallet = env.funder or key.address
        self.signer = signer_of(env, key)
        self._ears = ears
        self._user_url = env.user_url
        self._credentials = credentials
        self._config = PolymarketConfig(
            env.clob_url,
            key.address,
            credentials,
            kind,
            env.chain_id,
            geoblock_url="" if env.at_sandbox else GEOBLOCK_URL,
            # A dry run has nothing to lose there, and must not arm the switch over what a person left resting.
            heartbeat=None if env.dry_run else Beats(),
        )
        self.orders = OurOrders()
        self.relayer = self._relayer(env, key)
        self.chain = self._chain(env, key) if env.on_chain else None
        self._data_url = "" if env.at_sandbox else env.data_url
        self._dry_run = env.dry_run
        self._hear: Callable[[CaughtUp], Awaitable[object]] | None = None
        self._before: dict[ConditionId, Market] = {}
        self._told: VenueTold | None = None
        self._finished = False
        self._known_ns: Nanos = 0
        self.feed, self._catch_up = self._feed(0)

    def _relayer(self, env: Env, key: SigningKey) -> PolymarketRelayer:
        wires: dict[str, Any] = {
            "assets": self._assets,
            "on_outcome": self._ears.outcome,
            "on_alarm": self._alarm,
            "on_venue": lambda _: self._tell(),
            "on_orders_gone": lambda reason: self._doubt(f"heartbeat lapsed: {reason}"),
            "on_chain_kept": lambda: self._doubt("a new chain of heartbeats holds"),
        }
        if env.client == "polymarket-client":
            return PolymarketRelayer(self._config, self.orders, **wires)
        client = _pyclob_client(env, key, self._credentials, self.wallet)
        return PyClobRelayer(client, self._config, self.orders, chain_id=env.chain_id, **wires)

    def _chain(self, env: Env, key: SigningKey) -> ChainRelayer:
        """Raises ValueError for a wallet without a relayer, KeyUnavailable without an API key that can be read."""
        from execution.relayers.chain import GaslessAccess, GaslessRelayer  # a second to import, and often not needed

        access = GaslessAccess(env.gasless_url, self.wallet, signature_type(env), env.chain_id, relayer_api_key(env))
        return GaslessRelayer(access, key, on_confirmed=self._balances_moved)

    async def _balances_moved(self, work: ChainWork) -> None:
        """The CLOB remembers balances: without a word it would refuse to sell what has just been split."""
        moved = dict.fromkeys(leg.asset for leg in work.effects.legs if leg.asset)
        generations = {asset: generation for asset, generation in self._assets() if asset in moved}
        await self.relayer.reads.look_again(generations.items())

    def _feed(self, since_ns: Nanos) -> tuple[UserFeed, CatchUp]:
        catch_up = CatchUp(
            self.relayer.reads, self.orders, fees=self._fees, on_outcome=self._ears.outcome, since_ns=since_ns
        )
        feed = UserFeed(
            self._user_url,
            self._credentials,
            self.orders,
            fees=self._fees,
            catch_up=self._read_again,
            on_outcome=self._ears.outcome,
            on_state=self._heard_state,
            rng=random.Random(),
        )
        return feed, catch_up

    # Before the engine runs

    async def fit(self) -> tuple[str, ...]:
        """What stands against trading; modes that end by themselves, or that a person may change, do not."""
        return tuple(problem for problem in await self.relayer.preflight() if problem not in _MODES)

    async def cash(self) -> Cash:
        """What the venue says the wallet has, 1e-6 pUSD. Raises RelayerUnavailable."""
        held = await _again(lambda: self.relayer.reads.balances(()), lambda found: isinstance(found, Ok))
        if isinstance(held, Unavailable):
            raise RelayerUnavailable(f"the wallet's balance could not be read: {held.reason}")
        return held.value.cash

    def remember(self, past: Past) -> None:
        """Words about these orders are understood from now on, and what was missed since is read first."""
        self._before = {market.condition_id: market for market in past.markets}
        self.orders.restore((*past.open, *past.ended), past.fills)
        # Without a journal there are no orders of ours, so there is nothing before now to read.
        self._known_ns = past.known_ns if past.open or past.ended or past.fills else time.time_ns()
        self.feed, self._catch_up = self._feed(self._known_ns)

    # As the engine's link

    @property
    def account(self) -> RealAccount | None:
        if self._dry_run:
            return None
        return RealAccount(self.relayer, self.orders, self._catch_up, self.wallet, self._data_url)

    def when_caught_up(self, hear: Callable[[CaughtUp], Awaitable[object]]) -> None:
        self._hear = hear

    async def _read_again(self) -> Ok[CaughtUp] | Unavailable:
        found = await self._catch_up()
        if isinstance(found, Ok) and self._hear is not None:
            await self._hear(found.value)
        return found

    def begin(self) -> None:
        self._tell()

    def duties(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        return {"relayer": self.relayer.run(), "user feed": self.feed.run(), "venue": self._watch()}

    def let_lapse(self, on: bool) -> bool:
        if self._config.heartbeat is None:
            return False
        self.relayer.chain.let_lapse(on)
        return True

    async def finish(self) -> None:
        """A match may have won the race with the last cancel: read orders and trades once more, or leave it to the
        next start.
        """
        self._finished = True
        try:
            async with asyncio.timeout(FINISH_S):
                found = await self._catch_up()
        except TimeoutError:
            found = Unavailable(f"not read in {FINISH_S:g} s")
        if isinstance(found, Unavailable):
            log.warning("last_look_failed", reason=found.reason)

    def summary(self, *, written: bool) -> Json:
        told, feed, chain = self._told or self._now(), self.feed, self.relayer.chain
        if written and told.trusted:
            self._known_ns = time.time_ns()
        venue, tokens = self.relayer.venue, self.relayer.budget.tokens(time.time_ns())
        halted = bool(self.relayer.watch.halted)
        return {
            "state": "halted" if halted else venue.mode.value if told.trusted else "not trusted",
            "mode": venue.mode.value,
            "until_ms": venue.until_ns // NANOS_PER_MILLI or None,
            "trusted": told.trusted,
            "reason": self.relayer.watch.halted or told.reason,
            "halted": halted,
            "wallet": self.wallet,
            "known_ms": self._known_ns // NANOS_PER_MILLI,
            "user_feed": {
                "trust": feed.state.trust.value,
                "reason": feed.state.reason,
                "since_ms": feed.state.at_ns // NANOS_PER_MILLI,
                "connections": feed.state.connection,
                "faults": feed.faults,
                "strangers": feed.strangers,
            },
            "heartbeat": None if self._config.heartbeat is None else _chain_state(chain),
            "budget": {
                "tier": tokens.tier.value,
                "orders": tokens.orders,
                "order_burst": tokens.order_burst,
                "cancels": tokens.cancels,
                "cancel_burst": tokens.cancel_burst,
            },
        }

    # Inside

    async def _watch(self) -> None:
        """Modes end by time alone and a first heartbeat tells nobody: look."""
        while True:
            self._tell()
            await asyncio.sleep(WATCH_S)

    def _now(self) -> VenueTold:
        mode, feed = self.relayer.venue.mode, self.feed
        holds = self._config.heartbeat is None or self.relayer.chain.holds
        reasons = [] if mode is VenueMode.OPEN else [f"venue {mode.value}"]
        if not feed.trusted:
            reasons.append(f"user channel {feed.state.trust.value}: {feed.state.reason}")
        elif not holds:
            reasons.append("no chain of heartbeats holds")
        return VenueTold(time.time_ns(), mode, feed.trusted and holds, "; ".join(reasons))

    def _tell(self) -> None:
        now, before = self._now(), self._told
        if self._finished:
            return
        if before is not None and (now.mode, now.trusted, now.reason) == (before.mode, before.trusted, before.reason):
            return
        self._told = now
        worse = before is not None and before.trusted and bool(now.reason)
        (log.warning if worse else log.info)("venue_told", mode=now.mode.value, trusted=now.trusted, reason=now.reason)
        self._ears.push(now)

    def _heard_state(self, _: UserFeedState) -> None:
        self._tell()

    def _doubt(self, reason: str) -> None:
        self.feed.distrust(reason)
        self._tell()

    def _alarm(self, alarm: Alarm) -> None:
        self._ears.trouble(Trouble(alarm.kind, f"{alarm.kind}:{alarm.key}", alarm.text))
        if alarm.halt:
            self._ears.hold(f"{alarm.kind}: {alarm.text}; restart the engine when the cause is gone")

    def _markets(self) -> Iterable[Market]:
        return ({market.condition_id: market for market in self._ears.markets()} | self._before).values()

    def _assets(self) -> Iterator[tuple[AssetId, Generation]]:
        for market in self._markets():
            yield market.yes, market.generation
            yield market.no, market.generation

    def _fees(self, condition_id: ConditionId) -> FeeSchedule:
        market = self._ears.market(condition_id) or self._before.get(condition_id)
        return market.fees if market is not None else FeeSchedule()


def _chain_state(chain: HeartbeatChain) -> str:
    if not chain.armed:
        return "not begun"
    return "holds" if chain.holds else "lapsed"


async def open_venue(env: Env, ears: Ears, tries: int = TRIES) -> RealVenue:
    """Key, credentials and everything that must be true before trading. Raises RelayerUnavailable."""
    try:
        key = await asyncio.to_thread(signing_key, env)
        _check_wallet(env, key)
        credentials = await _credentials(env, key, tries)
        venue = RealVenue(env, key, credentials, ears)
    except (KeyUnavailable, NoCredentials, ValueError) as error:
        raise RelayerUnavailable(str(error)) from error
    fit = False
    try:
        problems = await _again(venue.fit, lambda found: not found, tries)
        fit = not problems
    finally:
        if not fit:
            await venue.relayer.close()
    if problems:
        raise RelayerUnavailable("; ".join(problems))
    return venue


def _check_wallet(env: Env, key: SigningKey) -> None:
    """The sandbox takes any wallet for any key; the venue's factories make one per key and kind."""
    if env.funder is None or env.at_sandbox:
        return
    problem = wallet_problem(signature_type(env), env.funder, key.address, env.chain_id)
    if problem:
        raise RelayerUnavailable(f"{problem}; see POLYWEB_FUNDER and POLYWEB_SIGNATURE_TYPE")


async def _credentials(env: Env, key: SigningKey, tries: int) -> ApiCredentials:
    async def ask() -> ApiCredentials | NoCredentials:
        try:
            return await api_credentials(env.clob_url, key, env.chain_id)
        except NoCredentials as error:
            return error

    found = await _again(ask, lambda found: isinstance(found, ApiCredentials), tries)
    if isinstance(found, NoCredentials):
        raise found
    return found


async def _again(ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], tries: int = TRIES) -> T:
    """The first good answer, or the last of a few: a venue that restarts is worth some seconds."""
    for attempt in range(1, tries):
        found = await ask()
        if good(found):
            return found
        log.warning("venue_start_waits", attempt=attempt, said=str(found)[:300])
        await asyncio.sleep(attempt)
    return await ask()


def _pyclob_client(env: Env, key: SigningKey, credentials: ApiCredentials, wallet: str) -> Any:
    """The venue's other client. It is given the key, because it insists on holding one; orders are signed by us."""
    from py_clob_client_v2.client import ClobClient  # heavy to import, and needed only here
    from py_clob_client_v2.clob_types import ApiCreds

    creds = ApiCreds(credentials.key, credentials.secret, credentials.passphrase)
    kind = signature_type(env).value
    return ClobClient(env.clob_url, env.chain_id, key.reveal(), creds, kind, wallet)
