"""The right to sign for a wallet: who has it, until when, and the token that proves it is the newest.

Law: the token only ever grows. Whoever holds an older one is refused by the signer and by the journal, so an engine
that was thought dead cannot trade beside its successor.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    name: str
    token: int
    holder: str
    expires_at: datetime


class LeaseHeld(Exception):
    """Somebody else trades for this wallet; wait for `expires_at` or stop them."""

    def __init__(self, name: str, holder: str, expires_at: datetime) -> None:
        super().__init__(f"lease {name} is held by {holder} until {expires_at:%F %T} UTC")
        self.name = name
        self.holder = holder
        self.expires_at = expires_at


class LeaseLost(Exception):
    """A newer token exists: whoever asked must stop trading at once."""

    def __init__(self, name: str, token: int) -> None:
        super().__init__(f"lease {name}: token {token} is no longer the newest")
        self.name = name
        self.token = token
