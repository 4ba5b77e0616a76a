"""Deliveries: which tokens each socket brings, so that garbage on one costs no book of another.

Law: what is not known for certain is None, and then every book may have been meant.
"""

from collections.abc import Iterable

from markets.domain.units import AssetId


class Deliveries:
    """Connections are known by what came up on them; 0 is none in particular."""

    def __init__(self) -> None:
        self._by_connection: dict[int, dict[AssetId, None]] = {}

    def up(self, connection: int, assets: Iterable[AssetId]) -> None:
        if connection:
            self._by_connection.setdefault(connection, {}).update(dict.fromkeys(assets))

    def down(self, assets: Iterable[AssetId]) -> None:
        gone = frozenset(assets)
        for connection, delivered in list(self._by_connection.items()):
            left = {asset: None for asset in delivered if asset not in gone}
            if left:
                self._by_connection[connection] = left
            else:
                del self._by_connection[connection]

    def of(self, connection: int) -> tuple[AssetId, ...] | None:
        delivered = self._by_connection.get(connection)
        return None if delivered is None else tuple(delivered)
