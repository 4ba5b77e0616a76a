"""One client of the market channel: what it subscribed to and what it is owed.

Its one law: sans I/O; text in, texts out, and `Refuse` when the venue would hang up.
"""

import json
from collections.abc import Iterable

from execution.sandbox.generator import Generator
from execution.sandbox.wire import Frame, compact

PING, PONG = "PING", "PONG"
POLICY_VIOLATION = 1008


class Refuse(Exception):
    """The venue closes the socket with this code and reason."""

    def __init__(self, reason: str = "invalid subscription payload") -> None:
        super().__init__(reason)
        self.code = POLICY_VIOLATION
        self.reason = reason


class MarketSession:
    """The subscriptions of one socket."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._custom: dict[str, bool] = {}
        self._greeted = False

    def receive(self, text: str) -> list[str]:
        """Take one text frame of the client; returns what to answer at once."""
        if text == PING:
            if not self._greeted:
                raise Refuse
            return [PONG]
        message = self._parsed(text)
        if not self._greeted:
            return self._greet(message)
        asset_ids, custom = self._wanted(message), message.get("custom_feature_enabled")
        match message.get("operation"):
            case "subscribe":
                return self._add(asset_ids, custom)
            case "unsubscribe":
                for asset_id in asset_ids:
                    self._custom.pop(asset_id, None)
        # Anything else, a second opening frame included, is ignored by the venue.
        return []

    def owed(self, frame: Frame) -> bool:
        """Does this client get the frame? A price change goes whole to subscribers of either token."""
        flags = [self._custom[asset_id] for asset_id in frame.asset_ids if asset_id in self._custom]
        return any(flags) if frame.custom else bool(flags)

    def _parsed(self, text: str) -> dict[str, object]:
        try:
            message = json.loads(text)
        except ValueError as error:
            raise Refuse from error
        if not isinstance(message, dict):
            raise Refuse
        return message

    def _wanted(self, message: dict[str, object]) -> list[str]:
        asset_ids = message.get("assets_ids", [])
        if not isinstance(asset_ids, list) or not all(isinstance(asset_id, str) for asset_id in asset_ids):
            raise Refuse
        return asset_ids

    def _greet(self, message: dict[str, object]) -> list[str]:
        if str(message.get("type", "")).lower() != "market" or "assets_ids" not in message:
            raise Refuse
        asset_ids = self._wanted(message)
        self._greeted = True
        self._subscribe(asset_ids, message.get("custom_feature_enabled") is True)
        if message.get("initial_dump", True) is False:
            return []
        # The venue ends the opening array with a line break.
        return [compact(self._generator.opening_books(dict.fromkeys(asset_ids))) + "\n"]

    def _add(self, asset_ids: list[str], custom: object) -> list[str]:
        new = [asset_id for asset_id in dict.fromkeys(asset_ids) if asset_id not in self._custom]
        self._subscribe(asset_ids, custom is True)
        return [compact(book) for book in self._generator.opening_books(new)]

    def _subscribe(self, asset_ids: Iterable[str], custom: bool) -> None:
        for asset_id in asset_ids:
            if self._generator.floor(asset_id) is not None:
                self._custom[asset_id] = custom
