"""Which routes can be traded here, and why not the others: in words, over REST, and on the page."""

from pathlib import Path
from typing import Any

import pytest

from polyweb.env import Env, Profile
from polyweb.on_chain import ONE_BOOK, chain_off, routes
from strategies.domain.intents import Route
from strategies.domain.routes import OF_ONE_MARKET
from tests.control_builders import a_caller, an_administrator

SANDBOX = {
    "feed_url": "ws://127.0.0.1:9/ws/market",
    "user_url": "ws://127.0.0.1:9/ws/user",
    "clob_url": "http://127.0.0.1:9",
}
SAFE = {"relayer": "real", "signature_type": "poly-gnosis-safe", "funder": "0x" + "ab" * 20}
ON_CHAIN = [Route.BUY_ALL_NO_AND_CONVERT, Route.SPLIT_AND_SELL_ALL_YES]


@pytest.mark.usefixtures("bare_environment")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ""),
        ({"relayer": "paper"}, ""),
        ({"relayer": "paper", "chain": "off"}, "POLYWEB_CHAIN is off"),
        ({"relayer": "real", **SANDBOX}, "no gasless relayer"),
        ({**SAFE, **SANDBOX}, ""),
        ({**SAFE}, "off until POLYWEB_CHAIN says relayer"),
        ({**SAFE, "chain": "relayer"}, "API key is not named"),
        ({**SAFE, "chain": "relayer", "relayer_api_key": "k"}, ""),
        ({**SAFE, "chain": "relayer", "relayer_api_key_file": Path("key")}, ""),
    ],
)
def test_why_the_chain_is_off_names_what_to_set(values: dict[str, Any], said: str) -> None:
    env = Env.model_validate({"profile": Profile.DEV, **values})
    assert said in chain_off(env)
    assert bool(said) is bool(chain_off(env))
    left = {route for route, why_not in routes(env) if why_not}
    assert left == {route.value for route in (*OF_ONE_MARKET, *(ON_CHAIN if said else ()))}


@pytest.mark.django_db
@pytest.mark.sqlite
def test_the_api_and_the_page_tell_every_route(settings: Any) -> None:
    settings.POLYWEB = Env.model_validate({"profile": Profile.DEV, "chain": "off"})
    told = a_caller("strategies.view_arbsettings").get("/api/v1/arb/routes/").json()
    assert [each["route"] for each in told] == [route.value for route in Route]
    assert {each["why_not"] for each in told if not each["tradable"]} == {"POLYWEB_CHAIN is off", ONE_BOOK}
    page = an_administrator().get("/arbitrage/").content.decode()
    assert page.count('<dd class="why muted">POLYWEB_CHAIN is off</dd>') == len(ON_CHAIN)
    assert page.count(f'<dd class="why muted">{ONE_BOOK}</dd>') == len(OF_ONE_MARKET)
