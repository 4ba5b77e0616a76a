"""HTTP to the venue's CLOB: signed requests out, whole answers in.

Law: the bytes signed are the bytes sent, once. Whatever does not come back as a whole answer is `Lost`, which says if
the request can have left this machine. Nothing here ever sends an order again.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import aiohttp

from execution.domain.decode import MalformedAccount, read_json
from execution.signing import ApiCredentials, l2_headers
from markets.domain.units import NANOS_PER_SECOND, Nanos

MAX_ANSWER = 16 << 20
_CONNECTIONS = 32
_CONNECT_S = 3.0
_CHUNK = 1 << 16
_LOCAL = ("127.0.0.1", "localhost", "::1")
_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived whole. `body` is the parsed JSON, None where it is none."""

    status: int
    text: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def said(self) -> str:
        """What it says went wrong, in the venue's words; the whole text where it is no JSON."""
        if not isinstance(self.body, dict):
            return self.text
        words = [self.body.get(key) for key in ("error", "errorMsg", "error_msg", "message", "code")]
        return " ".join(word for word in words if isinstance(word, str) and word)

    @property
    def retry_after_ns(self) -> Nanos:
        """How long it asks us to wait; 0 when it does not say."""
        said = [self.headers.get("retry-after")]
        if isinstance(self.body, dict):
            said.append(self.body.get("retry_after_seconds"))
        if self.status == 429:
            said.append(self.headers.get("poly-ratelimit-reset"))
        for each in said:
            seconds = _seconds(each)
            if seconds:
                return int(seconds * NANOS_PER_SECOND)
        return 0


@dataclass(frozen=True, slots=True)
class Lost:
    """No whole answer. Not `sent` is proof that the venue never saw the request."""

    detail: str
    sent: bool


Answered: TypeAlias = Reply | Lost


def _seconds(value: object) -> float:
    """Up to an hour; a point in time or nonsense is not said."""
    try:
        seconds = float(str(value))
    except ValueError:
        return 0.0
    return seconds if 0 < seconds <= 3600 else 0.0


class Transport(Protocol):
    """How requests reach the venue: our own HTTP, or somebody else's client. `owner` is the API key of the account."""

    url: str
    skew_s: int

    @property
    def owner(self) -> str: ...

    async def call(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", timeout_s: float | None = None
    ) -> Answered: ...

    async def fetch(self, method: str, url: str) -> Answered:
        """A plain GET of another host, without our credentials."""

    async def close(self) -> None: ...


def headers_of(
    credentials: ApiCredentials, address: str, timestamp_s: int, method: str, path: str, body: bytes
) -> dict[str, str]:
    """Every header we set ourselves."""
    return {**_HEADERS, **l2_headers(credentials, address, timestamp_s, method, path, body)}


class ClobHttp:
    """One session to one CLOB for one signer. `address` is the signing key's own."""

    def __init__(
        self,
        url: str,
        address: str,
        credentials: ApiCredentials | None,
        *,
        timeout_s: float = 5.0,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"CLOB URL {url!r} must begin with http:// or https:// and name a host")
        self.url = url.rstrip("/")
        self.address = address
        self.timeout_s = timeout_s
        self.skew_s = 0  # the venue's clock minus ours, for the headers
        self._credentials = credentials
        self._now_ns = now_ns
        self._local = parts.hostname in _LOCAL
        self._session: aiohttp.ClientSession | None = None

    @property
    def owner(self) -> str:
        """The API key that owns what we place."""
        return self._credentials.key if self._credentials else ""

    async def call(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", timeout_s: float | None = None
    ) -> Answered:
        """A request with L2 headers, or without when there are no credentials."""
        headers = dict(_HEADERS)
        if self._credentials is not None:
            timestamp_s = self._now_ns() // NANOS_PER_SECOND + self.skew_s
            headers = headers_of(self._credentials, self.address, timestamp_s, method, path, body)
        url = f"{self.url}{path}?{query}" if query else self.url + path
        return await self.fetch(method, url, body, headers, timeout_s=timeout_s)

    async def fetch(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] = _HEADERS,
        *,
        timeout_s: float | None = None,
    ) -> Answered:
        """A request as it stands, to any host."""
        limit = aiohttp.ClientTimeout(total=timeout_s or self.timeout_s, sock_connect=_CONNECT_S)
        try:
            async with self._open().request(
                method, url, data=body or None, headers=headers, timeout=limit, allow_redirects=False
            ) as response:
                data = await _whole(response)
                heard = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, data.decode("utf-8", "replace"), _parsed(data), heard)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Lost(f"not connected: {error}", sent=False)
        except TimeoutError:
            return Lost(f"no answer in {timeout_s or self.timeout_s:g} s", sent=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Lost(f"{type(error).__name__}: {error}", sent=True)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=60.0, ttl_dns_cache=300),
                auto_decompress=True,
                trust_env=not self._local,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # the connector closes its transports in the next turn of the loop


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > MAX_ANSWER:
            raise ValueError(f"an answer of more than {MAX_ANSWER} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _parsed(data: bytes) -> object:
    try:
        return read_json(data)
    except MalformedAccount:
        return None
