"""The gasless relayer and the chain behind it: users' splits, merges and conversions.

Its one law: a transaction changes balances once, when it is mined, and only if they cover it then; a nonce is used
up by what was executed, whatever came of it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from execution.sandbox.accounts import CASH, FEES, VAULT, Ledger, Posting, outgoing
from execution.sandbox.contracts import (
    CTF_ADAPTER,
    NEG_RISK_ADAPTER,
    RELAY,
    ROUTER,
    Envelope,
    Verb,
    Wanted,
    read_envelope,
    signer_of,
    wanted_of,
)
from execution.sandbox.keys import uuid_from
from execution.sandbox.listing import EventSpec, Generation, MarketSpec
from execution.sandbox.mischief import Fault, Mischief
from execution.sandbox.refusal import TOO_MANY, Refused

KINDS = {"PROXY": 1, "SAFE": 2, "WALLET": 3}  # and the signature type of the wallet's orders
SUBMITS_A_MINUTE = 25
EXECUTE_MS = 300
BPS_ONE = 10_000
Document = dict[str, object]


class State(StrEnum):
    NEW = "STATE_NEW"
    EXECUTED = "STATE_EXECUTED"
    MINED = "STATE_MINED"
    CONFIRMED = "STATE_CONFIRMED"
    INVALID = "STATE_INVALID"
    FAILED = "STATE_FAILED"


UNDER_WAY = (State.NEW, State.EXECUTED)


@dataclass(slots=True)
class Transaction:
    """One submitted call and what became of it."""

    transaction_id: str
    envelope: Envelope
    wanted: Wanted
    at_ms: int
    due_ms: int
    state: State = State.NEW
    hash: str = ""
    error: str = ""
    updated_ms: int = 0

    @property
    def document(self) -> Document:
        envelope = self.envelope
        return {
            "transactionID": self.transaction_id,
            "transactionHash": self.hash,
            "from": envelope.owner.lower(),
            "to": envelope.to.lower(),
            "proxyAddress": envelope.wallet.lower(),
            "data": "0x" + envelope.data.hex(),
            "nonce": str(envelope.nonce),
            "value": "",
            "signature": envelope.signature,
            "state": self.state.value,
            "type": envelope.kind,
            "owner": envelope.owner.lower(),
            "metadata": envelope.metadata,
            "errorMsg": self.error,
            "createdAt": _iso(self.at_ms),
            "updatedAt": _iso(self.updated_ms or self.at_ms),
        }


@dataclass(slots=True)
class Owner:
    """Nonces and submissions of one signing key."""

    nonces: dict[str, int] = field(default_factory=dict)
    submitted_ms: deque[int] = field(default_factory=deque)


class Chain:
    """All transactions of one sandbox."""

    def __init__(
        self, ledger: Ledger, events: Iterable[EventSpec], mischief: Mischief, *, seed: int, mine_ms: int,
        confirm_ms: int,
    ) -> None:  # fmt: skip
        self._ledger, self._mischief, self._seed = ledger, mischief, seed
        self._mine_ms, self._confirm_ms = mine_ms, confirm_ms
        self._events = {market.condition_id: event for event in events for market in event.markets}
        self._owners: dict[str, Owner] = {}
        self.transactions: dict[str, Transaction] = {}
        self._open: dict[str, Transaction] = {}

    # -- what users ask ------------------------------------------------------------------------------------------

    def submit(self, headers: Mapping[str, str], payload: object, now_ms: int) -> Document:
        """Take one call; raises Refused, and nothing happens then."""
        envelope = read_envelope(payload)
        if self._asker(headers) != envelope.owner.lower():
            raise Refused(401, "the key does not belong to the signer")
        owner = self._owners.setdefault(envelope.owner.lower(), Owner())
        self._admit(owner, now_ms)
        self._judge(owner, envelope)
        wanted = wanted_of(envelope)
        self._markets(wanted)
        number = f"transaction:{self._seed}:{len(self.transactions)}"
        slow = self._mischief.strikes(Fault.SLOW_CHAIN)
        due_ms = now_ms + EXECUTE_MS + (int(slow.seconds * 1000) if slow else 0)
        made = Transaction(uuid_from(number), envelope, wanted, now_ms, due_ms)
        self.transactions[made.transaction_id] = self._open[made.transaction_id] = made
        return {"transactionID": made.transaction_id, "state": State.NEW.value}

    def _asker(self, headers: Mapping[str, str]) -> str:
        """Keys are given out elsewhere: any will do, for the address it is said to belong to."""
        if not headers.get("RELAYER_API_KEY"):
            raise Refused(401, "invalid authorization")
        return headers.get("RELAYER_API_KEY_ADDRESS", "").lower()

    def _admit(self, owner: Owner, now_ms: int) -> None:
        while owner.submitted_ms and owner.submitted_ms[0] <= now_ms - 60_000:
            owner.submitted_ms.popleft()
        if len(owner.submitted_ms) >= SUBMITS_A_MINUTE:
            raise Refused(
                429, TOO_MANY, {}, {"Retry-After": str(1 + (owner.submitted_ms[0] + 60_000 - now_ms) // 1000)}
            )
        owner.submitted_ms.append(now_ms)

    def _judge(self, owner: Owner, envelope: Envelope) -> None:
        if signer_of(envelope) != envelope.owner:
            raise Refused(400, "invalid signature")
        if self._ledger.open(envelope.wallet, envelope.owner, KINDS[envelope.kind]) is None:
            raise Refused(400, "the wallet is not the signer's")
        if any(each.envelope.wallet == envelope.wallet and each.state in UNDER_WAY for each in self._open.values()):
            raise Refused(400, "wallet has in-flight action")
        expected = owner.nonces.get(envelope.kind, 0)
        if envelope.nonce != expected:
            raise Refused(400, f"batch nonce {envelope.nonce} does not match on-chain nonce {expected}")

    def params(self, address: str, kind: str) -> Document:
        """The nonce of the next transaction, and for a proxy wallet who relays it."""
        if kind not in KINDS:
            raise Refused(400, "invalid type")
        owner = self._owners.get(address.lower(), Owner())
        return {"address": RELAY if kind == "PROXY" else address, "nonce": str(owner.nonces.get(kind, 0))}

    def transaction(self, transaction_id: str) -> list[Document]:
        found = self.transactions.get(transaction_id)
        if found is None:
            raise Refused(404, "transaction not found")
        return [found.document]

    def recent(self, headers: Mapping[str, str]) -> list[Document]:
        """Everything the asker submitted, latest first."""
        asker = self._asker(headers)
        mine = [each for each in self.transactions.values() if each.envelope.owner.lower() == asker]
        return [each.document for each in reversed(mine)]

    # -- what time brings ----------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Let every transaction that is due go one step, and another, until none is."""
        while due := [each for each in self._open.values() if each.due_ms <= now_ms]:
            first = min(due, key=lambda each: each.due_ms)
            self._step(first)
            if first.state in _DONE:
                del self._open[first.transaction_id]

    def _step(self, each: Transaction) -> None:
        each.updated_ms = each.due_ms
        match each.state:
            case State.NEW:
                if self._mischief.strikes(Fault.INVALID_CHAIN) or 0 < each.envelope.deadline_s * 1000 < each.due_ms:
                    each.state, each.error = State.INVALID, "the transaction is not valid any more"
                    return
                owner = self._owners[each.envelope.owner.lower()]
                owner.nonces[each.envelope.kind] = each.envelope.nonce + 1
                each.hash = "0x" + uuid_from(f"hash:{each.transaction_id}").replace("-", "") * 2
                each.state, each.due_ms = State.EXECUTED, each.due_ms + self._mine_ms
            case State.EXECUTED:
                each.error = self._execute(each)
                each.state = State.FAILED if each.error else State.MINED
                each.due_ms += self._confirm_ms
            case _:
                each.state = State.CONFIRMED

    def _execute(self, each: Transaction) -> str:
        """Move the balances, or say why the call reverts."""
        if self._mischief.strikes(Fault.FAIL_CHAIN):
            return "execution reverted"
        wallet = each.envelope.wallet
        postings = [posting for posting in self._postings(wallet, each.wanted) if posting.amount]
        for (payer, asset), amount in outgoing(postings).items():
            if payer == wallet and self._ledger.of(wallet).free(asset) < amount:
                return "execution reverted: transfer amount exceeds balance"
        self._ledger.settle(postings)
        return ""

    # -- what calls do -------------------------------------------------------------------------------------------

    def _markets(self, wanted: Wanted) -> tuple[EventSpec, tuple[MarketSpec, ...]]:
        """The event and the markets that are named; raises Refused when the contract does not know them."""
        for event in dict.fromkeys(self._events.values()):
            named = tuple(market for at, market in enumerate(event.markets) if _names(wanted, event, market, at))
            if named:
                return event, named
        raise Refused(400, "condition not prepared")

    def _postings(self, wallet: str, wanted: Wanted) -> list[Posting]:
        event, named = self._markets(wanted)
        amount = wanted.amount
        match wanted.verb:
            case Verb.SPLIT | Verb.MERGE:
                pairs = amount if wanted.verb is Verb.SPLIT else -amount
                tokens = [Posting(wallet, asset, pairs) for asset in named[0].asset_ids]
                return [*tokens, *_paid(wallet, pairs)]
            case Verb.SPLIT_EVENT:
                yes = [market.asset_ids[0] for market in event.markets]
                return [*(Posting(wallet, asset, amount) for asset in (*yes, _other(event))), *_paid(wallet, amount)]
            case Verb.CONVERT_ONE:
                others = [market.asset_ids[0] for market in event.markets if market not in named]
                gained = [Posting(wallet, asset, amount) for asset in (*others, _other(event))]
                return [Posting(wallet, named[0].asset_ids[1], -amount), *gained]
        return _converted(wallet, event, named, amount)


_DONE = (State.CONFIRMED, State.FAILED, State.INVALID)


def _names(wanted: Wanted, event: EventSpec, market: MarketSpec, at: int) -> bool:
    if wanted.verb is Verb.CONVERT:
        return event.neg_risk_id == f"0x{wanted.subject}" and bool(wanted.which >> at & 1)
    if wanted.verb in (Verb.SPLIT_EVENT, Verb.CONVERT_ONE):
        ours = event.onchain_id[:60] == f"0x{wanted.subject}"
        return ours and (wanted.verb is Verb.SPLIT_EVENT or at == wanted.which)
    if market.generation is Generation.V2:
        return wanted.contract == ROUTER and market.gamma_condition_id == f"0x{wanted.subject}"
    adapter = NEG_RISK_ADAPTER if market.neg_risk else CTF_ADAPTER
    return wanted.contract == adapter and market.condition_id == f"0x{wanted.subject}"


def _paid(wallet: str, amount: int) -> list[Posting]:
    return [Posting(wallet, CASH, -amount), Posting(VAULT, CASH, amount)]


def _other(event: EventSpec) -> str:
    """The outcome the protocol adds to a v2 event: its index is the arity."""
    first = int(event.markets[0].asset_ids[0])
    return str(first | (first >> 104 & 0xFFFF) << 8)


def _converted(wallet: str, event: EventSpec, named: tuple[MarketSpec, ...], amount: int) -> list[Posting]:
    """All NO of the named become pUSD for all but one of them and YES of the others; the adapter keeps its fee."""
    fee = amount * event.fee_bips // BPS_ONE
    cash = (len(named) - 1) * amount
    kept = (len(named) - 1) * fee
    moved = [Posting(wallet, market.asset_ids[1], -amount) for market in named]
    moved += [Posting(wallet, CASH, cash - kept), Posting(FEES, CASH, kept), Posting(VAULT, CASH, -cash)]
    for market in event.markets:
        if market not in named:
            moved += [Posting(wallet, market.asset_ids[0], amount - fee), Posting(FEES, market.asset_ids[0], fee)]
    return moved


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
