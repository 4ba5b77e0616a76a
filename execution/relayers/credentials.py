"""API credentials from a signing key: made once, found again ever after.

Law: the key signs that it controls the wallet and never leaves this machine; the same nonce gives the same credentials.
"""

import time
from collections.abc import Callable

from execution.relayers.errors import shortened
from execution.relayers.http import Answered, ClobHttp, Lost
from execution.signing import ApiCredentials, SigningKey, l1_headers
from markets.domain.units import NANOS_PER_SECOND, Nanos


class NoCredentials(Exception):
    """The venue gave none; the text says what it said instead."""


async def api_credentials(
    clob_url: str,
    key: SigningKey,
    chain_id: int,
    *,
    nonce: int = 0,
    now_ns: Callable[[], Nanos] = time.time_ns,
) -> ApiCredentials:
    """Find those of this nonce again, or make them. Raises NoCredentials."""
    http = ClobHttp(clob_url, key.address, None, now_ns=now_ns)
    try:
        refusals = []
        for method, path in (("GET", "/auth/derive-api-key"), ("POST", "/auth/api-key")):
            headers = l1_headers(key, chain_id, now_ns() // NANOS_PER_SECOND, nonce)
            reply = await http.fetch(method, http.url + path, b"", headers)
            found = _read(reply)
            if found is not None:
                return found
            refusals.append(f"{method} {path}: {_why(reply)}")
        raise NoCredentials("; ".join(refusals))
    finally:
        await http.close()


def _read(reply: Answered) -> ApiCredentials | None:
    if isinstance(reply, Lost) or not reply.ok or not isinstance(reply.body, dict):
        return None
    parts = [reply.body.get(name) for name in ("apiKey", "secret", "passphrase")]
    if not all(isinstance(part, str) and part for part in parts):
        return None
    try:
        return ApiCredentials(*(str(part) for part in parts))
    except ValueError:
        return None


def _why(reply: Answered) -> str:
    return reply.detail if isinstance(reply, Lost) else f"HTTP {reply.status}: {shortened(reply.said, 120)}"
