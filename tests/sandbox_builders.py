"""Users of the sandbox for tests that need no sockets: keys, signed orders and calls, made with eth-account alone."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from eth_account import Account

from execution.sandbox.chain import Chain
from execution.sandbox.crowd import Mood
from execution.sandbox.desk import Call, Desk, Reply
from execution.sandbox.doors import TIERS, Turnstile
from execution.sandbox.generator import Generator
from execution.sandbox.keys import ApiKey, KeyRing
from execution.sandbox.listing import Generation, MarketSpec
from execution.sandbox.mischief import Mischief
from execution.sandbox.reading import Reader
from execution.sandbox.signatures import ATTESTATION, exchange_of
from execution.sandbox.venue import Terms, Venue

SHARE = 1_000_000
START_MS = 1_795_305_600_000
ZERO32 = "0x" + "00" * 32
ORDER_FIELDS = (
    ("salt", "uint256"), ("maker", "address"), ("signer", "address"), ("tokenId", "uint256"),
    ("makerAmount", "uint256"), ("takerAmount", "uint256"), ("side", "uint8"), ("signatureType", "uint8"),
    ("timestamp", "uint256"), ("metadata", "bytes32"), ("builder", "bytes32"),
)  # fmt: skip
AUTH_FIELDS = (("address", "address"), ("timestamp", "string"), ("nonce", "uint256"), ("message", "string"))
_SALTS = itertools.count(1_000)


def described(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


def signed(private: str, domain: dict[str, Any], name: str, fields: Any, message: dict[str, Any]) -> str:
    done = Account.sign_typed_data(private, domain, {name: described(fields)}, message)
    return f"0x{done.signature.hex()}"


def exchange_domain(market: MarketSpec, version: str = "") -> dict[str, Any]:
    generation = "3" if market.generation is Generation.V2 else "2"
    return {
        "name": "Polymarket CTF Exchange",
        "version": version or generation,
        "chainId": 137,
        "verifyingContract": exchange_of(market),
    }


def l1_headers(private: str, nonce: int = 0) -> dict[str, str]:
    address = Account.from_key(private).address
    message = {"address": address, "timestamp": "1795305600", "nonce": nonce, "message": ATTESTATION}
    domain = {"name": "ClobAuthDomain", "version": "1", "chainId": 137}
    return {
        "POLY_ADDRESS": address,
        "POLY_TIMESTAMP": "1795305600",
        "POLY_NONCE": str(nonce),
        "POLY_SIGNATURE": signed(private, domain, "ClobAuth", AUTH_FIELDS, message),
    }


def order_payload(
    private: str, owner: str, market: MarketSpec, outcome: int, side: str, price: str, size: str, **changes: Any
) -> dict[str, Any]:
    """One order as posted; `changes` are made before signing, but for those that are not signed."""
    address = Account.from_key(private).address
    shares = int(Decimal(size) * SHARE)
    cash = int(Decimal(price) * Decimal(size) * SHARE)
    message: dict[str, Any] = {
        "salt": next(_SALTS),
        "maker": changes.pop("maker", address),
        "signer": changes.pop("signer", address),
        "tokenId": int(market.asset_ids[outcome]),
        "makerAmount": changes.pop("cash", cash) if side == "BUY" else shares,
        "takerAmount": shares if side == "BUY" else cash,
        "side": ("BUY", "SELL").index(side),
        "signatureType": changes.pop("signature_type", 0),
        "timestamp": START_MS,
        "metadata": bytes(32),
        "builder": bytes(32),
    }
    domain = exchange_domain(market, changes.pop("version", "")) | changes.pop("domain", {})
    signature = signed(private, domain, "Order", ORDER_FIELDS, message)
    order = message | {
        "tokenId": str(message["tokenId"]),
        "makerAmount": str(message["makerAmount"]),
        "takerAmount": str(message["takerAmount"]),
        "side": side,
        "timestamp": str(START_MS),
        "metadata": ZERO32,
        "builder": ZERO32,
        "expiration": changes.pop("expiration", "0"),
        "signature": changes.pop("signature", signature),
    }
    kind = changes.pop("kind", "GTC")
    post_only = changes.pop("post_only", False)
    return {"order": order | changes, "owner": owner, "orderType": kind, "deferExec": False, "postOnly": post_only}


@dataclass
class Exchange:
    """A venue without sockets, whose simulated traders hold still until time passes."""

    seed: int = 7
    markets: int = 4
    pace: float = 0.0001
    terms: Terms = field(default_factory=lambda: Terms(cash=1_000 * SHARE, shares=100 * SHARE))
    tier: str = "Elite"
    now_ms: int = START_MS

    def __post_init__(self) -> None:
        self.generator = Generator(
            seed=self.seed, markets=self.markets, start_ms=self.now_ms, pace=self.pace, mood=Mood.QUIET
        )
        self.mischief = Mischief(self.seed)
        self.venue = Venue(self.generator, seed=self.seed, terms=self.terms, mischief=self.mischief)
        self.keys = KeyRing(self.seed)
        turnstile, terms = Turnstile(TIERS[self.tier]), self.terms
        self.chain = Chain(
            self.venue.ledger, self.generator.events, self.mischief,
            seed=self.seed, mine_ms=terms.mine_ms, confirm_ms=terms.confirm_ms,
        )  # fmt: skip
        reader = Reader(self.generator, self.now_ms)
        self.desk = Desk(self.venue, self.keys, reader, turnstile, self.mischief, self.chain)

    def trader(self, number: int = 1) -> "Trader":
        private = "0x" + f"{number:02x}" * 32
        return Trader(self, private, self.keys.create(l1_headers(private)))

    def pass_time(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)
        self.venue.advance(self.now_ms)
        self.chain.advance(self.now_ms)

    def ask(self, method: str, path: str, **query: str) -> Reply:
        """A public read."""
        return self.desk.answer(Call(method, path, query, {}, b""), self.now_ms)

    def heard(self, address: str) -> list[dict[str, Any]]:
        """The news of one address, which is taken away."""
        news, self.venue.news[:] = list(self.venue.news), []
        return [item.document for item in news if item.address == address]


@dataclass
class Trader:
    """Somebody with a key."""

    exchange: Exchange
    private: str
    key: ApiKey

    @property
    def address(self) -> str:
        return self.key.address

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        secret = base64.urlsafe_b64decode(self.key.secret)
        digest = hmac.new(secret, f"1795305600{method}{path}".encode() + body, hashlib.sha256).digest()
        return {
            "POLY_ADDRESS": self.address,
            "POLY_API_KEY": self.key.key,
            "POLY_PASSPHRASE": self.key.passphrase,
            "POLY_TIMESTAMP": "1795305600",
            "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
        }

    def call(self, method: str, path: str, document: object = None, query: Mapping[str, str] | None = None) -> Reply:
        body = b"" if document is None else json.dumps(document, separators=(",", ":")).encode()
        call = Call(method, path, query or {}, self.headers(method, path, body), body)
        return self.exchange.desk.answer(call, self.exchange.now_ms)

    def payload(self, side: str, price: str, size: str, *, outcome: int = 0, market: int = 0, **changes: Any) -> Any:
        spec = changes.pop("spec", None) or self.exchange.generator.markets[market]
        owner = changes.pop("owner", self.key.key)
        return order_payload(self.private, owner, spec, outcome, side, price, size, **changes)

    def order(self, side: str, price: str, size: str, **changes: Any) -> Reply:
        return self.call("POST", "/order", self.payload(side, price, size, **changes))

    def placed(self, side: str, price: str, size: str, **changes: Any) -> dict[str, Any]:
        """An order that has to be accepted."""
        reply = self.order(side, price, size, **changes)
        assert reply.status == 200, reply.document
        assert isinstance(reply.document, dict)
        return reply.document

    def refused(self, side: str, price: str, size: str, **changes: Any) -> tuple[int, object]:
        reply = self.order(side, price, size, **changes)
        assert isinstance(reply.document, dict)
        return reply.status, reply.document.get("error")

    def owned(self, asset: str = "cash") -> int:
        return self.exchange.venue.ledger.owned_by(self.address, 0, asset)

    def free(self, asset: str = "cash") -> int:
        return self.exchange.venue.ledger.of(self.address).free(asset)
