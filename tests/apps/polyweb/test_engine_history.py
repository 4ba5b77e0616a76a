"""A recording through trader, loop and writer: what happened in it is in the tables afterwards."""

import asyncio
from pathlib import Path

import pytest

from execution.domain.commands import Cancel, Place, Resync
from markets import selectors, services
from markets.domain import market as domain
from markets.domain.events import LastTrade, MarketEvent
from markets.domain.units import Nanos
from markets.feed.frames import read_frames
from markets.feed.resync import ResyncRequest
from markets.gamma import read_documents
from markets.models import BookEvent, Market, ResyncEvent, TradePrint, TrustChange
from markets.store import EventWriter
from polyweb.runtime.history import History
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.loop import Turns
from polyweb.runtime.trader import Trader
from tests.builders import PUSD, a_control

AT_NS = 1_800_000_000_000_000_000
RECORDING = Path(__file__).resolve().parents[2] / "data" / "quiet_4_markets.jsonl.gz"


class Nobody:
    """Hands and feed that do nothing."""

    def take(self, command: Place | Cancel) -> None:
        """Nothing is sent."""

    def resync(self, command: Resync) -> None:
        """A recording cannot be asked."""


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_what_a_recording_shows_is_stored() -> None:
    services.store_documents(read_documents(RECORDING.with_name(RECORDING.name + ".metadata.json")))
    Market.objects.update(watched=True)
    followed = selectors.subscribed_markets()
    trades = asyncio.run(played(followed))

    markets = Market.objects.count()
    assert markets == len(followed) == 4
    assert BookEvent.objects.values("market").distinct().count() == markets
    assert TrustChange.objects.filter(trust="verified").values("market").distinct().count() == markets
    assert TradePrint.objects.count() == trades > 0
    first = BookEvent.objects.order_by("pk")[0]
    assert first.bid is not None
    assert first.ask is not None
    assert first.bid < first.ask


async def played(followed: list[domain.Market]) -> int:
    """Number of trades in the recording."""
    writer = EventWriter()
    heard = 0

    def tap(event: MarketEvent, at_ns: Nanos) -> None:
        nonlocal heard
        heard += isinstance(event, LastTrade)
        history.heard(event, at_ns)

    trader = Trader(TraderConfig(first_id=1, starting_cash=1_000 * PUSD), heard=tap)
    history = History(trader, writer)
    nobody, now = Nobody(), 0
    turns = Turns(
        trader=trader, hands=nobody, feed=nobody, log=None, on_facts=lambda _: None, on_turn=lambda _: None,
        on_decided=history.decided, now_ns=lambda: now,
    )  # fmt: skip
    turns.push(a_control(followed, 0, trading=frozenset()))
    for frame in read_frames(RECORDING):
        now = frame.received_ns
        turns.push(frame)
        turns.turn()
    await history.close()
    return heard


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_request_for_a_snapshot_is_stored_when_it_is_sent() -> None:
    services.store_documents(read_documents(RECORDING.with_name(RECORDING.name + ".metadata.json")))
    Market.objects.update(watched=True)
    [market, *_] = selectors.subscribed_markets()
    history = History(Trader(TraderConfig(first_id=1, starting_cash=0)), EventWriter())
    tokens = (market.yes, market.no)
    history.resynced(ResyncRequest("41", market.condition_id, tokens, "tops", AT_NS))
    history.resynced(ResyncRequest("42", market.condition_id, tokens, "quiet", AT_NS))
    history.decided([], AT_NS)
    asyncio.run(history.close())
    [row] = ResyncEvent.objects.all()
    assert (row.market.condition_id, row.reason, row.request_id) == (market.condition_id, "tops", 41)
