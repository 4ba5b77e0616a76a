"""Who owns how much: pUSD and tokens per wallet, and what open orders and unsettled trades have claim to.

Its one law: value is moved, never made. Every trade is a list of postings that adds up to nothing, the vault
included that stands behind complete sets. Cash in 1/1 000 000 pUSD, tokens in 1/1 000 000 share.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

CASH = "cash"
# Not wallets of anybody: the simulated traders, the venue's fees, and the collateral of complete sets.
HOUSE, FEES, VAULT = "house", "fees", "vault"


@dataclass(frozen=True, slots=True)
class Posting:
    """So much more (or less) of an asset (a token id, or cash) in a wallet."""

    wallet: str
    asset: str
    amount: int


@dataclass(slots=True)
class Account:
    """One wallet: what it has, and what of it is spoken for."""

    signer: str
    owned: defaultdict[str, int]
    held: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def free(self, asset: str) -> int:
        return self.owned[asset] - self.held[asset]


class Ledger:
    """All wallets of a sandbox; a user's is opened at first sight with the stated balance."""

    def __init__(self, *, cash: int, shares: int) -> None:
        self._cash, self._shares = cash, shares
        self._accounts: dict[str, Account] = {name: Account(name, defaultdict(int)) for name in (HOUSE, FEES, VAULT)}
        self._wallets: dict[tuple[str, int], str] = {}

    def open(self, wallet: str, signer: str, signature_type: int) -> Account | None:
        """The wallet's account; None when somebody else's key stands behind it."""
        account = self._accounts.get(wallet)
        if account is None:
            account = self._accounts[wallet] = Account(signer, self._endowment())
            self._wallets.setdefault((signer, signature_type), wallet)
        return account if account.signer == signer else None

    def _endowment(self) -> defaultdict[str, int]:
        shares = self._shares
        owned = defaultdict(lambda: shares)
        owned[CASH] = self._cash
        return owned

    def of(self, wallet: str) -> Account:
        return self._accounts[wallet]

    def owned_by(self, signer: str, signature_type: int, asset: str) -> int:
        """What a signer's wallet of that type has; the starting balance before its first order."""
        wallet = self._wallets.get((signer, signature_type))
        owned = self._endowment() if wallet is None else self._accounts[wallet].owned
        return owned[asset]

    def wallets(self) -> dict[str, Account]:
        """Users' wallets only."""
        return {name: account for name, account in self._accounts.items() if name not in (HOUSE, FEES, VAULT)}

    def hold(self, wallet: str, asset: str, amount: int) -> None:
        """Speak for an amount (or, when negative, give it free again)."""
        if wallet != HOUSE:
            self._accounts[wallet].held[asset] += amount

    def settle(self, postings: Iterable[Posting]) -> None:
        for posting in postings:
            self._accounts[posting.wallet].owned[posting.asset] += posting.amount

    def total(self, asset: str) -> int:
        """Everything there is of an asset; constant but for endowments (and complete sets, for tokens)."""
        return sum(account.owned[asset] for account in self._accounts.values())


def outgoing(postings: Iterable[Posting]) -> dict[tuple[str, str], int]:
    """Net amounts that wallets give away in a trade."""
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for posting in postings:
        sums[posting.wallet, posting.asset] += posting.amount
    return {key: -amount for key, amount in sums.items() if amount < 0}
