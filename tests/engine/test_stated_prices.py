"""What positions from before us cost: the venue's average where it tells one, else the mid, else nobody says."""

import time

import pytest

from execution.domain.ours import OurOrders
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.user_feed import CatchUp
from markets.domain.fees import NO_FEES
from polyweb.runtime.real_account import AVERAGE, MID, RealAccount
from polyweb.runtime.reconciler import Stated
from tests.clob_script import ADDRESS, CREDENTIALS, NO, YES, Asked, Say, ScriptedClob, serving

POSITIONS = "GET /v2/positions"


def row(token: str, price: object) -> dict[str, object]:
    return {"token_id": token, "avg_price": price, "current_size": 10.5}


def page(*rows: object, cursor: str = "") -> Say:
    return Say({"data": list(rows), "pagination": {"next_cursor": cursor}})


async def stated(clob: ScriptedClob, *assets: str, data: bool = True) -> dict[str, Stated]:
    async with serving(clob):
        orders = OurOrders()
        config = PolymarketConfig(clob.url, ADDRESS, CREDENTIALS, geoblock_url="", heartbeat=None)
        relayer = PolymarketRelayer(config, orders, assets=list, on_outcome=_ignore, on_alarm=_ignore)
        reading = CatchUp(relayer.reads, orders, fees=lambda _: NO_FEES, on_outcome=_ignore, since_ns=time.time_ns())
        account = RealAccount(relayer, orders, reading, ADDRESS, clob.url if data else "")
        try:
            return dict(await account.stated_prices(assets))
        finally:
            await relayer.close()


def _ignore(_: object) -> None:
    """Nothing is heard here."""


async def test_the_venues_average_is_taken_to_the_nearest_step_and_asked_for_our_wallet() -> None:
    clob = ScriptedClob()
    clob.routes[POSITIONS] = lambda _: page(row(YES, 0.41238))
    assert await stated(clob, YES) == {YES: Stated(4_124, AVERAGE)}
    assert clob.asked[0].query["user"] == ADDRESS
    assert clob.asked[0].query["filter_amount"] == "0"


async def test_every_page_of_averages_is_read() -> None:
    clob = ScriptedClob()

    def answer(asked: Asked) -> Say:
        return page(row(NO, "0.6")) if asked.query.get("cursor") == "next" else page(row(YES, 0.4), cursor="next")

    clob.routes[POSITIONS] = answer
    assert await stated(clob, YES, NO) == {YES: Stated(4_000, AVERAGE), NO: Stated(6_000, AVERAGE)}


@pytest.mark.parametrize("said", [page(), page(row(YES, None)), page(row(YES, 1.7)), Say({"error": "no"}, 500)])
async def test_without_an_average_it_is_the_mid_of_the_moment(said: Say) -> None:
    clob = ScriptedClob()
    clob.routes[POSITIONS] = lambda _: said
    clob.routes["GET /midpoint"] = lambda _: Say({"mid": "0.455"})
    assert await stated(clob, YES) == {YES: Stated(4_550, MID)}


async def test_where_nobody_tells_averages_nobody_is_asked() -> None:
    clob = ScriptedClob()
    clob.routes["GET /midpoint"] = lambda _: Say({"mid": "0.455"})
    assert await stated(clob, YES, data=False) == {YES: Stated(4_550, MID)}
    assert clob.paths() == ["GET /midpoint"]


@pytest.mark.parametrize("said", [Say({"error": "No orderbook exists"}, 404), Say({"mid": "soon"}), Say({"mid": "2"})])
async def test_a_price_nobody_states_is_left_out(said: Say) -> None:
    clob = ScriptedClob()
    clob.routes["GET /midpoint"] = lambda _: said
    assert await stated(clob, YES, data=False) == {}


async def test_a_mid_that_cannot_be_read_is_unavailable_and_never_a_price() -> None:
    clob = ScriptedClob()
    clob.routes["GET /midpoint"] = lambda _: Say({"mid": "0.5"}, drop=True)
    assert await stated(clob, YES, data=False) == {}
