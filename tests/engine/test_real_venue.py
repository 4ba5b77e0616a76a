"""The link to a real account: what the trader is told, from the first word to the last, on a sandbox over sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from execution.domain.commands import Outcome
from execution.domain.venue import VenueMode
from execution.engine import Trouble
from execution.relayers.polymarket import Alarm
from execution.sandbox.crowd import Mood
from execution.sandbox.server import Running, Sandbox, SandboxConfig, serving
from execution.signing import make_passphrase, sandbox_key, save_key
from polyweb.env import Env, Profile
from polyweb.runtime.inbox import Item, VenueTold
from polyweb.runtime.real_venue import Past, RealVenue, open_venue
from polyweb.runtime.venue_link import Ears, RelayerUnavailable

NOTHING = Past((), (), (), (), 0)


@dataclass
class Desk:
    """Who hears what the link says."""

    running: Running
    env: Env
    items: list[Item] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)

    def ears(self) -> Ears:
        return Ears(
            self.outcomes.append, self.items.append, self.troubles.append, self.holds.append, lambda _: None, tuple
        )

    @property
    def told(self) -> list[VenueTold]:
        return [item for item in self.items if isinstance(item, VenueTold)]

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - a socket is between us
                await asyncio.sleep(0.02)

    async def fault(self, **rule: object) -> None:
        url = f"{self.running.http}/sandbox/faults"
        async with aiohttp.ClientSession() as session, session.post(url, json=rule) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def desk(**settings: Any) -> AsyncIterator[Desk]:
    sandbox = Sandbox(SandboxConfig(seed=11, markets=3, pace=0.0001, mood=Mood.QUIET))
    async with serving(sandbox) as running:
        values = {"relayer": "real", "dry_run": False, "clob_url": running.http, "user_url": running.user_ws}
        yield Desk(running, Env.model_validate({"profile": Profile.TEST, **values, **settings}))


@asynccontextmanager
async def linked(at: Desk) -> AsyncIterator[RealVenue]:
    """A link that runs, until the block ends."""
    venue = await open_venue(at.env, at.ears())
    try:
        venue.remember(NOTHING)
        venue.begin()
        async with asyncio.TaskGroup() as tasks:
            jobs = [tasks.create_task(duty, name=name) for name, duty in venue.duties().items()]
            await at.until(lambda: at.told[-1].trusted)
            yield venue
            for job in jobs:
                job.cancel()
    finally:
        await venue.relayer.close()


async def test_nothing_is_trusted_until_orders_were_read_and_a_heartbeat_was_answered() -> None:
    async with desk() as at, linked(at) as venue:
        assert (at.told[0].trusted, at.told[0].reason) == (False, "user channel down: not connected yet")
        assert (at.told[-1].trusted, at.told[-1].reason, at.told[-1].mode) == (True, "", VenueMode.OPEN)
        assert venue.relayer.chain.holds
        assert venue.wallet == sandbox_key().address
        assert await venue.cash() == 10_000_000_000


async def test_a_broken_user_channel_costs_trust_and_gets_it_back_by_reading_again() -> None:
    async with desk() as at, linked(at) as venue:
        heard = len(at.told)
        await at.fault(kind="disconnect", channel="user")
        await at.until(lambda: any(not each.trusted for each in at.told[heard:]) and at.told[-1].trusted)
        lost = next(each for each in at.told[heard:] if not each.trusted)
        assert lost.reason.startswith("user channel down: closed")
        summary = venue.summary(written=True)
        assert summary["user_feed"]["connections"] == 2
        assert summary["state"] == "open"


async def test_what_is_known_ends_where_trust_or_the_journal_does() -> None:
    async with desk() as at, linked(at) as venue:
        behind = venue.summary(written=False)["known_ms"]
        assert venue.summary(written=True)["known_ms"] >= behind
        later = venue.summary(written=True)["known_ms"]
        await asyncio.sleep(0.01)
        assert venue.summary(written=False)["known_ms"] == later


async def test_a_dry_run_sends_no_heartbeat_and_is_trusted_without() -> None:
    async with desk(dry_run=True) as at, linked(at) as venue:
        assert venue.summary(written=True)["heartbeat"] is None
        assert not venue.relayer.chain.armed


async def test_a_closed_only_account_starts_and_says_so() -> None:
    async with desk() as at:
        await at.fault(kind="close_only", target=sandbox_key().address)
        async with linked(at):
            assert (at.told[-1].mode, at.told[-1].reason) == (VenueMode.CLOSED_ONLY, "venue closed-only")


async def test_an_alarm_that_halts_holds_the_engine_and_opens_an_incident() -> None:
    async with desk() as at, linked(at) as venue:
        venue.relayer.watch.alarm(Alarm("venue_halt", "banned", "banned", halt=True))
        assert at.holds == ["venue_halt: banned; restart the engine when the cause is gone"]
        assert [(each.kind, each.text) for each in at.troubles] == [("venue_halt", "banned")]
        assert venue.summary(written=True)["state"] == "halted"


async def test_after_the_last_look_nothing_more_is_told() -> None:
    async with desk() as at, linked(at) as venue:
        await venue.finish()
        heard = len(at.told)
        venue.feed.distrust("too late")
        assert len(at.told) == heard


async def test_a_wallet_that_is_not_the_keys_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    keystore, passphrase = tmp_path / "key.json", tmp_path / "passphrase"
    make_passphrase(passphrase)
    save_key(sandbox_key(), keystore, passphrase)
    async with desk(keystore=keystore, keystore_passphrase_file=passphrase) as at:
        stranger = {"signature_type": "poly-proxy", "funder": "0x" + "ab" * 20}
        away = at.env.model_copy(update={"clob_url": "https://venue.example", **stranger})
        with pytest.raises(RelayerUnavailable, match="is not the POLY_PROXY wallet of the key .* see POLYWEB_FUNDER"):
            await open_venue(away, at.ears(), tries=1)


async def test_without_a_keystore_no_other_machine_is_asked() -> None:
    async with desk() as at:
        away = at.env.model_copy(update={"clob_url": "https://venue.example"})
        with pytest.raises(RelayerUnavailable, match="no keystore is named"):
            await open_venue(away, at.ears(), tries=1)


async def test_a_venue_that_is_not_there_is_said_in_one_line() -> None:
    async with desk() as at:
        gone = at.env.model_copy(update={"clob_url": "http://127.0.0.1:9"})
        with pytest.raises(RelayerUnavailable, match="GET /auth/derive-api-key"):
            await open_venue(gone, at.ears(), tries=1)
