"""The engine's link to its account at a venue: what must run beside the trader, and what it tells.

Law: the trader hears of the venue through the inbox alone; a link pushes, it never decides.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from execution.domain.commands import Outcome
from execution.domain.doubts import Look
from execution.engine import Trouble
from execution.relayers.base import ChainRelayer, Ok, Relayer, Unavailable
from execution.signing import Signer
from execution.user_feed import CaughtUp
from markets.domain.market import Market
from markets.domain.units import Cash, ConditionId, Nanos
from polyweb.runtime.inbox import Item
from polyweb.runtime.reconciler import Account
from polyweb.runtime.views import Json


class RelayerUnavailable(Exception):
    """This relayer cannot be used; the text says why and what can."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what the venue says, and which markets are known. None of them blocks."""

    outcome: Callable[[Outcome], None]
    push: Callable[[Item], None]
    trouble: Callable[[Trouble], None]
    hold: Callable[[str], None]
    market: Callable[[ConditionId], Market | None]
    markets: Callable[[], Iterable[Market]]


class AccountLink(Account, Protocol):
    """An account outside this process: read by reconciliation, and looked at for lost orders."""

    async def look(self) -> Ok[Look] | Unavailable: ...


def deaf() -> Ears:
    """For whoever only asks whether a venue can be traded at."""
    return Ears(
        outcome=lambda _: None,
        push=lambda _: None,
        trouble=lambda _: None,
        hold=lambda _: None,
        market=lambda _: None,
        markets=tuple,
    )


class VenueLink(Protocol):
    @property
    def account(self) -> AccountLink | None:
        """What there is to reconcile with; None where the venue lives inside the engine or nothing is sent."""

    def when_caught_up(self, hear: Callable[[CaughtUp], Awaitable[object]]) -> None:
        """Who wants to hear what each reading of the account has found."""

    def begin(self) -> None:
        """Tell the trader where it stands before its first decision."""

    def duties(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What runs as long as the engine does, by the name its task gets."""

    def let_lapse(self, on: bool) -> bool:
        """Stop telling the venue that we live, so that it takes everything down; False where it has no such switch."""

    async def finish(self) -> None:
        """After everything was cancelled: hear the last of our orders, in bounded time."""

    def summary(self, *, written: bool) -> Json | None:
        """For screens and the next start; None without a venue outside this process.

        `written`: everything heard so far is in the journal.
        """


class InProcess:
    """The link to a venue that lives inside the engine: nothing can be missed and nothing must be watched."""

    account = None

    def when_caught_up(self, hear: Callable[[CaughtUp], Awaitable[object]]) -> None:
        """Nothing is ever read again here."""

    def begin(self) -> None:
        """It is open and known, as the trader assumes."""

    def duties(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        return {}

    def let_lapse(self, on: bool) -> bool:
        return False

    async def finish(self) -> None:
        """Its last answers have been given."""

    def summary(self, *, written: bool) -> Json | None:
        return None


@dataclass(frozen=True, slots=True)
class Opening:
    """What a ledger begins with: so much cash (1e-6 pUSD) at a moment before which nothing of this account counts."""

    cash: Cash
    since_ns: Nanos = 0


@dataclass(frozen=True, slots=True)
class Access:
    """A venue to trade at: who carries orders there, who signs them, what must run meanwhile.

    `recall` reads what the journal knows of the account, once the lease is ours. `wallet` is its address, for stops of
    one wallet. `chain` carries splits, merges and conversions, where there are any.
    """

    relayer: Relayer
    link: VenueLink
    signer: Signer
    recall: Callable[[], Awaitable[Opening]]
    wallet: str = ""
    chain: ChainRelayer | None = None
