"""A running engine and somebody else on its account: strangers' orders are left, money that moves trips the breaker."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import pytest

from execution.domain.commands import NewOrder
from execution.domain.ours import OurOrders
from execution.relayers.base import Ok, Submission
from execution.relayers.credentials import api_credentials
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.signing import LocalSigner, OrderToSign, SignatureType, sandbox_key
from markets.domain.events import Side
from markets.domain.units import SIZE_ONE
from strategies.domain.intents import OrderType
from tests.asked_venue import resting
from tests.installation import Installation, at_sandbox, eventually, finish

TRADED = (
    "SELECT m.condition_id, o.asset_id, m.generation, m.neg_risk, m.tick_size FROM markets_market m"
    " JOIN markets_outcome o ON o.market_id = m.id WHERE m.trading AND m.generation = 'v1' AND o.\"index\" = 0 LIMIT 1"
)


def installed(tmp_path: Path, migrated: Path, shares: int = 0) -> AbstractContextManager[Installation]:
    return at_sandbox(tmp_path, migrated, shares=shares, POLYWEB_RECONCILE_S="5")


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Iterator[Installation]:
    with installed(tmp_path, migrated) as place:
        yield place


async def somebody_else(place: Installation, price: int, order_type: OrderType) -> tuple[str, set[str]]:
    """Places an order on the engine's account without it; returns its id and what rests afterwards."""
    key, url = sandbox_key(), place.env["POLYWEB_CLOB_URL"]
    condition_id, asset, generation, neg_risk, tick = place.rows(TRADED)[0]
    grid = round(float(tick) * 10_000)
    credentials = await api_credentials(url, key, 137)
    relayer = PolymarketRelayer(
        PolymarketConfig(url, key.address, credentials, geoblock_url="", heartbeat=None),
        OurOrders(),
        assets=list,
        on_outcome=lambda _: None,
        on_alarm=lambda _: None,
    )
    number, size, post_only = time.time_ns() % 2**52, 60 * SIZE_ONE, order_type is OrderType.GTC
    wanted = OrderToSign(
        number, asset, Side.BUY, price, size, grid, bool(neg_risk), generation, time.time_ns() // 1_000_000,
        order_type=order_type, post_only=post_only,
    )  # fmt: skip
    (signed,) = await LocalSigner(key, key.address, SignatureType.EOA, 137).sign([wanted], 1)
    order = NewOrder(number, condition_id, asset, Side.BUY, price, size, grid, order_type, post_only)
    try:
        await relayer.submit([Submission(order, signed.order_id, signed.body)])
        listed = await relayer.open_orders()
    finally:
        await relayer.close()
    assert isinstance(listed, Ok)
    return signed.order_id, {each.order_id for each in listed.value}


def differences(place: Installation, *words: str) -> set[str]:
    """What `manage.py reconcile` finds at the venue, in the words of its kinds."""
    done = place.manage("reconcile", "--json", *words)
    told = json.loads(done.stdout)
    assert told["available"], told["reason"]
    assert done.returncode == (1 if told["corrections"] else 0)
    return {row["kind"] for row in told["corrections"]}


def test_a_strangers_order_is_told_and_left_and_a_strangers_trade_takes_every_quote_down(place: Installation) -> None:
    stranger, _ = asyncio.run(somebody_else(place, 100, OrderType.GTC))
    with place.started(sys.executable, "manage.py", "run_engine") as child:
        live = "SELECT count(*) FROM execution_order WHERE state = 'live'"
        eventually(lambda: child.poll() is not None or place.one(live) >= 2, "quotes rest at the venue")
        foreign = "SELECT count(*) FROM risk_incident WHERE kind = 'foreign_orders' AND closed_at IS NULL"
        eventually(lambda: place.one(foreign) == 1, "the stranger's order is told")
        assert differences(place) == {"not ours"}
        _, listed = asyncio.run(somebody_else(place, 9_900, OrderType.FAK))
        assert stranger in listed
        tripped = "SELECT count(*) FROM risk_breaker WHERE kind = 'drift' AND state = 'open'"
        eventually(lambda: place.one(tripped) == 1, "the breaker trips", 60)
        eventually(lambda: resting(place).total() == 1, "at the venue only the stranger's is left", 5)
        (reason,) = place.rows("SELECT reason FROM risk_breaker WHERE kind = 'drift'")[0]
        assert " there, " in reason
        assert "position differs" in differences(place)
        newest = place.one("SELECT max(client_order_id) FROM execution_order")
        account_for(place)
        time.sleep(12)  # longer than a comparison and a hold: that nothing differs any more is not enough
        assert place.one(tripped) == 1
        assert place.one("SELECT max(client_order_id) FROM execution_order") == newest
        assert place.manage("breakers", "--release", "drift", "--reason", "booked by the test").returncode == 0
        eventually(lambda: place.one("SELECT max(client_order_id) FROM execution_order") > newest, "quotes again", 30)
        incident = "SELECT count(*) FROM risk_incident WHERE kind = 'breaker' AND closed_at IS NULL"
        eventually(lambda: (place.one(tripped), place.one(incident)) == (0, 0), "rows say that it is over", 10)
        assert finish(child, signal.SIGTERM) == 0

    def taken_down() -> bool:  # again where the venue was faster: nobody's heart beats there any more
        asyncio.run(somebody_else(place, 100, OrderType.GTC))
        return "not ours, cancelled on request" in differences(place, "--cancel-foreign")

    eventually(taken_down, "the stranger's order is cancelled on request", 60)
    assert "not ours" not in differences(place)


def account_for(place: Installation) -> None:
    """Book what the stranger's trade moved, as an operator would who knows of it."""
    told = json.loads(place.manage("reconcile", "--json").stdout)["corrections"]
    condition_id = place.rows(TRADED)[0][0]
    for row in told:
        if row["kind"] not in ("position differs", "cash differs"):
            continue
        there, here = (Decimal(words.split()[0]) for words in row["detail"].split(", "))
        shares = ("--market", condition_id, "--outcome", "YES", "--shares", f"{there - here}", "--price", "0.5")
        words = ("--cash", f"{there - here}") if "pUSD" in row["detail"] else shares
        done = place.manage("book", "adjust", *words, "--reason", "somebody else's trade")
        assert done.returncode == 0, done.stderr


def test_the_wallets_approvals_are_read_from_the_venue(place: Installation) -> None:
    told = json.loads(place.manage("allowances", "--json").stdout)
    assert (told["available"], told["missing"], told["wallet"]) == (True, 0, sandbox_key().address)
    trading = {(row["token_name"], row["status"]) for row in told["rows"] if row["goal"] == "trade"}
    assert trading == {("pUSD", "ok"), ("ConditionalTokens", "ok")}


def test_a_wallet_that_held_shares_before_us_is_adopted_whole_before_the_first_order(
    tmp_path: Path, migrated: Path
) -> None:
    with installed(tmp_path, migrated, shares=500) as place:
        with place.started(sys.executable, "manage.py", "run_engine") as child:
            orders = "SELECT count(*) FROM execution_order"
            eventually(lambda: child.poll() is not None or place.one(orders) >= 2, "it quotes")
            assert finish(child, signal.SIGTERM) == 0
        adopted = place.rows("SELECT DISTINCT kind, shares FROM execution_posting WHERE asset_id <> ''")
        assert [(kind, float(shares)) for kind, shares in adopted] == [("adopted position", 500.0)]
        tokens = place.one("SELECT count(*) FROM markets_outcome")
        assert place.one("SELECT count(DISTINCT asset_id) FROM execution_posting WHERE asset_id <> ''") == tokens
        first = place.one("SELECT min(created_at) FROM execution_order")
        assert place.one("SELECT max(at) FROM execution_posting") < first
        assert "position differs" not in differences(place)
