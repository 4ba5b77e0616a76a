"""One client of the user channel: whose it is and which markets it hears about.

Its one law: sans I/O, like the market session; nothing that happened before it came is told.
"""

import json

from execution.sandbox.keys import ApiKey, KeyRing
from execution.sandbox.session import PING, PONG, Refuse


class UserSession:
    """The subscription of one socket."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._key: ApiKey | None = None
        # None is everything.
        self._markets: set[str] | None = None

    @property
    def is_open(self) -> bool:
        return self._key is not None

    def receive(self, text: str) -> list[str]:
        """Take one text frame of the client; returns what to answer at once."""
        if text == PING:
            if self._key is None:
                raise Refuse
            return [PONG]
        message = self._parsed(text)
        markets = message.get("markets") or []
        if not isinstance(markets, list) or not all(isinstance(market, str) for market in markets):
            raise Refuse
        if self._key is None:
            self._open(message, markets)
        elif message.get("operation") == "subscribe":
            self._markets = (self._markets or set()) | set(markets)
        elif message.get("operation") == "unsubscribe" and self._markets is not None:
            self._markets -= set(markets)
        return []

    def owed(self, address: str, market: str) -> bool:
        if self._key is None or self._key.address != address:
            return False
        return self._markets is None or market in self._markets

    def _open(self, message: dict[str, object], markets: list[str]) -> None:
        if str(message.get("type", "")).lower() != "user":
            raise Refuse
        key = self._keys.listener(message.get("auth"))
        if key is None:
            raise Refuse("invalid auth")
        self._key, self._markets = key, set(markets) or None

    def _parsed(self, text: str) -> dict[str, object]:
        try:
            message = json.loads(text)
        except ValueError as error:
            raise Refuse from error
        if not isinstance(message, dict):
            raise Refuse
        return message
