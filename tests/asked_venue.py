"""The sandbox of an installation, asked from outside: what rests there for its key, and faults on demand.

Law: nothing here goes through the engine or its rows: it is what anybody with the key would be told.
"""

import asyncio
import json
from collections import Counter
from urllib.request import Request, urlopen

from execution.domain.ours import OurOrders
from execution.domain.reconcile import VenueOrder
from execution.relayers.base import Ok
from execution.relayers.credentials import api_credentials
from execution.relayers.http import ClobHttp
from execution.relayers.reads import ClobReads
from execution.signing import SignatureType, sandbox_key
from tests.installation import Installation


def resting_orders(place: Installation) -> tuple[VenueOrder, ...]:
    """What rests for the sandbox's key."""

    async def ask() -> tuple[VenueOrder, ...]:
        url, key = place.env["POLYWEB_CLOB_URL"], sandbox_key()
        http = ClobHttp(url, key.address, await api_credentials(url, key, 137))
        try:
            found = await ClobReads(http, OurOrders(), SignatureType.EOA).open_orders()
        finally:
            await http.close()
        assert isinstance(found, Ok), found
        return found.value

    return asyncio.run(ask())


def resting(place: Installation) -> Counter[str]:
    """How many orders of the sandbox's key rest in each market, by condition id."""
    return Counter(order.condition_id for order in resting_orders(place))


def fault(place: Installation, rule: dict[str, object]) -> None:
    _faults(place, "POST", json.dumps(rule).encode())


def no_faults(place: Installation) -> None:
    _faults(place, "DELETE", None)


def _faults(place: Installation, method: str, body: bytes | None) -> None:
    wanted = Request(f"{place.env['POLYWEB_CLOB_URL']}/sandbox/faults", data=body, method=method)
    with urlopen(wanted, timeout=10) as answer:
        assert answer.status == 200
