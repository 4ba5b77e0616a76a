"""Asking the running demo the way a stranger would: a page, the API, the live socket.

Law: a probe goes through the network stack of this machine and believes only what came back.
"""

import asyncio
import json
import re
from dataclasses import dataclass

import aiohttp

from polyweb.demo.prepare import Login

PATIENCE_S = 5.0
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Verdict:
    url_ok: bool
    api_ok: bool
    socket_ok: bool


async def probe(base: str, login: Login) -> Verdict:
    """Log in, open the overview, read the market list from the API, wait for one live message."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S * 3)
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address
    async with aiohttp.ClientSession(base, timeout=timeout, cookie_jar=jar) as session:
        url_ok = await _page(session, login)
        api_ok = await _api(session)
        socket_ok = await _socket(session, base)
    return Verdict(url_ok, api_ok, socket_ok)


async def _page(session: aiohttp.ClientSession, login: Login) -> bool:
    try:
        async with session.get("/login/") as answer:
            found = _TOKEN.search(await answer.text())
        if found is None:
            return False
        form = {"csrfmiddlewaretoken": found[1], "username": login.name, "password": login.password}
        async with session.post("/login/", data=form, headers={"Referer": str(answer.url)}) as answer:
            await answer.read()
        async with session.get("/") as answer:
            return answer.status == 200 and "/login/" not in str(answer.url)
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _api(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/api/v1/markets/", params={"limit": 1}) as answer:
            return answer.status == 200 and bool((await answer.json())["results"])
    except (aiohttp.ClientError, TimeoutError, KeyError, json.JSONDecodeError):
        return False


async def _socket(session: aiohttp.ClientSession, base: str) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            async with session.ws_connect("/ws/dashboard/", headers={"Origin": base}) as socket:
                message = await socket.receive()
                return message.type is aiohttp.WSMsgType.TEXT and bool(json.loads(message.data))
    except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
        return False
