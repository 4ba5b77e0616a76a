"""The venue's gasless relayer: splits, merges and conversions of a proxy wallet, a Safe or a deposit wallet.

Law: one nonce, one signed envelope, and the same bytes whenever it is said again, so that no job is ever done twice.
What was not answered whole is lost, never refused. Calls, signatures and envelopes are built by the venue's own client.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from eth_abi.abi import encode
from eth_account import Account
from polymarket._internal.actions.relayer.gasless import (
    build_deposit_wallet_payload,
    build_proxy_payload,
    build_safe_payload,
)
from polymarket._internal.actions.relayer.signing.deposit_wallet import sign_deposit_wallet_batch
from polymarket._internal.actions.relayer.signing.proxy import build_proxy_transaction_hash, sign_proxy_message
from polymarket._internal.actions.relayer.signing.safe import sign_safe_transaction
from polymarket._internal.environment import PRODUCTION_CONFIG as VENUE
from polymarket.calls import (
    TransactionCall,
    ctf_merge_positions_call,
    ctf_split_position_call,
    encode_proxy_call,
    router_merge_call,
    router_split_call,
)
from polymarket.types import EvmAddress, HexString

from execution.domain.chain import ChainState, ChainVerb, ChainWork
from execution.relayers.base import Absent, ChainAnswer, ChainLost, ChainRefused, Ok, Prepared, Receipt, Unavailable
from execution.relayers.errors import shortened
from execution.relayers.http import Answered, ClobHttp, Lost, Reply
from execution.signing import SignatureType, SigningKey
from execution.signing.eip712 import keccak256
from markets.domain.market import Generation, Market

FACTORIES = VENUE.wallet_derivation
TIMEOUT_S = 10.0
DEADLINE_S = 600
PROXY_GAS = "10000000"
SAID = 160
# What the relayer says while an earlier action of the wallet is under way, or when somebody else used the nonce.
BUSY: Final = re.compile(r"wallet busy|in-flight action|does not match on-chain nonce|rate limit", re.IGNORECASE)
KINDS: Final = {
    SignatureType.POLY_PROXY: "PROXY",
    SignatureType.POLY_GNOSIS_SAFE: "SAFE",
    SignatureType.POLY_1271: "WALLET",
}
STATES: Final = {
    "STATE_NEW": ChainState.SUBMITTED,
    "STATE_EXECUTED": ChainState.SUBMITTED,
    "STATE_MINED": ChainState.MINED,
    "STATE_CONFIRMED": ChainState.CONFIRMED,
    "STATE_INVALID": ChainState.FAILED,
    "STATE_FAILED": ChainState.FAILED,
}


# What is called ------------------------------------------------------------------------------------------------------


def call_of(work: ChainWork, markets: Sequence[Market]) -> TransactionCall:
    """The contract and the call data of a job. `markets` are those it names, in its order; raises ValueError."""
    first = markets[0]
    if first.generation is Generation.UNKNOWN:
        raise ValueError(f"generation: that of {first.condition_id} is not known, so neither is its contract")
    router = EvmAddress(VENUE.protocol_v2_router)
    adapter = VENUE.neg_risk_collateral_adapter if first.neg_risk else VENUE.collateral_adapter
    pair: dict[str, Any] = {"condition_id": first.condition_id, "amount": work.amount}
    target: dict[str, Any] = {"target": EvmAddress(adapter), "collateral": EvmAddress(VENUE.collateral_token)}
    v2 = first.generation is Generation.V2
    match work.verb:
        case ChainVerb.SPLIT:
            return router_split_call(router=router, **pair) if v2 else ctf_split_position_call(**target, **pair)
        case ChainVerb.MERGE:
            return router_merge_call(router=router, **pair) if v2 else ctf_merge_positions_call(**target, **pair)
        case ChainVerb.CONVERT:
            market_id, bits = _index_set(markets)
            types, values = ["bytes32", "uint256", "uint256"], [market_id, bits, work.amount]
            return _call(VENUE.neg_risk_collateral_adapter, "convertPositions", types, values)
        case ChainVerb.SPLIT_EVENT:
            event = _v2_condition(first)[:29]
            return _call(router, "horizontalSplit", ["bytes29", "uint256"], [event, work.amount])
        case ChainVerb.CONVERT_ONE:
            condition = _v2_condition(first)
            index = int.from_bytes(condition[29:31], "big")
            types, given = ["bytes29", "uint16", "uint256"], [condition[:29], index, work.amount]
            return _call(router, "convert", types, given)


def _call(contract: str, name: str, types: Sequence[str], values: Sequence[object]) -> TransactionCall:
    """Calls the client has no builder for."""
    selector = keccak256(f"{name}({','.join(types)})".encode())[:4]
    return TransactionCall(to=EvmAddress(contract), data=HexString("0x" + (selector + encode(types, values)).hex()))


def _index_set(markets: Sequence[Market]) -> tuple[bytes, int]:
    """The neg-risk market's id and one bit per question: the last byte of a question's id is its index."""
    for market in markets:
        if not market.question_id:
            raise ValueError(f"question_id: that of {market.condition_id} is not known; refresh the listing")
    ids = [bytes.fromhex(market.question_id[2:]) for market in markets]
    if len({each[:31] for each in ids}) != 1 or len({each[31] for each in ids}) != len(ids):
        raise ValueError("question_id: the markets are not different questions of one event")
    return ids[0][:31] + b"\0", sum(1 << each[31] for each in ids)


def _v2_condition(market: Market) -> bytes:
    """Event 29 bytes, index 2, and one of padding."""
    if market.generation is not Generation.V2:
        raise ValueError(f"generation: {market.condition_id} is of protocol {market.generation.value}, not v2")
    return bytes.fromhex(market.condition_id[2:].ljust(64, "0"))


# Who carries it ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class GaslessAccess:
    """Where the relayer is, whose wallet it moves, and the key it knows us by."""

    url: str
    wallet: str
    kind: SignatureType
    chain_id: int
    api_key: str

    def __repr__(self) -> str:
        return f"GaslessAccess({self.url}, {self.wallet}, {self.kind.name})"


class GaslessRelayer:
    """Raises ValueError for a plain EOA, which pays its own gas and has no relayer."""

    name = "relayer"

    def __init__(
        self,
        access: GaslessAccess,
        key: SigningKey,
        *,
        on_confirmed: Callable[[ChainWork], Any] | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        if access.kind not in KINDS:
            raise ValueError(
                "signature_type: eoa has no gasless relayer; set POLYWEB_SIGNATURE_TYPE and POLYWEB_FUNDER"
            )
        self.access = access
        self._kind = KINDS[access.kind]
        self._signer = Account.from_key(key.reveal())
        self._http = ClobHttp(access.url, key.address, None, timeout_s=TIMEOUT_S)
        self._on_confirmed = on_confirmed
        self._now_s = now_s
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "RELAYER_API_KEY": access.api_key,
            "RELAYER_API_KEY_ADDRESS": key.address,
        }

    async def prepare(self, work: ChainWork, markets: Sequence[Market]) -> Ok[Prepared] | Unavailable:
        call = call_of(work, markets)
        found = await self._params()
        if isinstance(found, Unavailable):
            return found
        relay, nonce = found.value
        payload = await asyncio.to_thread(self._envelope, call, relay, nonce, work.job_id)
        return Ok(Prepared(nonce, json.dumps(payload, separators=(",", ":")).encode()))

    async def _params(self) -> Ok[tuple[str, str]] | Unavailable:
        """Who relays, and the nonce of the next transaction."""
        proxy = self._kind == "PROXY"
        path = "/relay-payload" if proxy else "/v1/account/transactions/params"
        reply = await self._get(path, address=self._signer.address, type=self._kind)
        body = reply.body if isinstance(reply, Reply) and reply.ok else None
        nonce = body.get("nonce") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(nonce, str) or not nonce.isdigit():
            return _unavailable(reply)
        return Ok((str(body.get("address", "")), nonce))

    def _envelope(self, call: TransactionCall, relay: str, nonce: str, metadata: str) -> dict[str, object]:
        signer, wallet = self._signer, EvmAddress(self.access.wallet)
        match self._kind:
            case "SAFE":
                signature = sign_safe_transaction(
                    signer, safe_address=wallet, to=call.to, data=call.data, value=0, operation=0, nonce=nonce,
                    chain_id=self.access.chain_id,
                )  # fmt: skip
                return build_safe_payload(
                    signer_address=signer.address, wallet=wallet, target=call.to, data=call.data, value=0, operation=0,
                    nonce=nonce, signature=signature, metadata=metadata,
                )  # fmt: skip
            case "WALLET":
                deadline = str(int(self._now_s()) + DEADLINE_S)
                signature = sign_deposit_wallet_batch(
                    signer, wallet=wallet, calls=[call], nonce=nonce, deadline=deadline, chain_id=self.access.chain_id
                )
                return build_deposit_wallet_payload(
                    signer_address=signer.address, deposit_wallet_factory=FACTORIES.deposit_wallet_factory,
                    wallet=wallet, calls=[call], nonce=nonce, deadline=deadline, signature=signature, metadata=metadata,
                )  # fmt: skip
        return self._proxy_envelope(call, relay, nonce, metadata)

    def _proxy_envelope(self, call: TransactionCall, relay: str, nonce: str, metadata: str) -> dict[str, object]:
        signer, data = self._signer, encode_proxy_call([call])
        factory, hub = FACTORIES.proxy_factory, EvmAddress(VENUE.relay_hub)
        digest = build_proxy_transaction_hash(
            from_address=signer.address, to=EvmAddress(factory), data=data, relayer_fee="0", gas_price="0",
            gas_limit=PROXY_GAS, nonce=nonce, relay_hub=hub, relay=EvmAddress(relay),
        )  # fmt: skip
        return build_proxy_payload(
            signer_address=signer.address, proxy_factory=factory, wallet=EvmAddress(self.access.wallet), data=data,
            nonce=nonce, signature=sign_proxy_message(signer, digest), gas_limit=PROXY_GAS, relay=EvmAddress(relay),
            relay_hub=hub, metadata=metadata,
        )  # fmt: skip

    async def submit(self, work: ChainWork, prepared: Prepared) -> ChainAnswer:
        url = f"{self._http.url}/submit"
        reply = await self._http.fetch("POST", url, prepared.body, self._headers)
        if isinstance(reply, Lost):
            return ChainLost(reply.detail) if reply.sent else ChainRefused(reply.detail, again=True)
        said = f"HTTP {reply.status}: {shortened(reply.said, SAID)}"
        if not reply.ok:
            if reply.status >= 500:
                return ChainLost(said)
            if reply.status in (401, 403):
                said += "; see POLYWEB_RELAYER_API_KEY_FILE"
            return ChainRefused(said, again=reply.status == 429 or bool(BUSY.search(reply.said)))
        taken = _receipt(reply.body)
        return taken if taken is not None else ChainLost(f"no transaction in the answer: {shortened(reply.text, SAID)}")

    async def transaction(self, transaction_id: str) -> Ok[Receipt] | Unavailable:
        reply = await self._get("/transaction", id=transaction_id)
        rows = reply.body if isinstance(reply, Reply) and reply.ok else None
        row = rows[0] if isinstance(rows, list) and rows else rows
        found = _receipt(row)
        return Ok(found) if found is not None else _unavailable(reply)

    async def find(self, work: ChainWork, prepared: Prepared) -> Ok[Receipt | Absent] | Unavailable:
        """By the job's id, which stands in the metadata, else by our signature; then by what became of the nonce."""
        params = await self._params()  # first: what is executed between the two reads is then in the list
        if isinstance(params, Unavailable):
            return params
        reply = await self._get("/transactions")
        rows = reply.body if isinstance(reply, Reply) and reply.ok else None
        if not isinstance(rows, list):
            return _unavailable(reply)
        signature = json.loads(prepared.body)["signature"]
        for row in rows:
            if isinstance(row, dict) and _is_of(row, work, signature):
                found = _receipt(row)
                if found is not None:
                    return Ok(found)
        return Ok(Absent(spent=int(params.value[1]) > int(prepared.nonce)))

    async def ready(self) -> Ok[str] | Unavailable:
        """The nonce is told to anybody; the account's transactions only to whom the key belongs."""
        params, reply = await self._params(), await self._get("/transactions")
        if isinstance(params, Unavailable):
            return params
        if not isinstance(reply, Reply) or not reply.ok:
            return _unavailable(reply)
        return Ok(f"{self._kind} wallet {self.access.wallet}, nonce {params.value[1]}")

    async def settle(self, work: ChainWork) -> None:
        if self._on_confirmed is not None:
            await self._on_confirmed(work)

    async def _get(self, path: str, **query: str) -> Answered:
        url = f"{self._http.url}{path}"
        return await self._http.fetch("GET", f"{url}?{urlencode(query)}" if query else url, b"", self._headers)

    async def close(self) -> None:
        await self._http.close()


def _is_of(row: dict[str, object], work: ChainWork, signature: str) -> bool:
    """Another job of the same call and nonce has the same signature, so that counts only where no id is told."""
    told = row.get("metadata")
    return told == work.job_id if told else row.get("signature") == signature


def _receipt(row: object) -> Receipt | None:
    if not isinstance(row, dict):
        return None
    number, state = row.get("transactionID"), STATES.get(str(row.get("state")))
    if not isinstance(number, str) or not number or state is None:
        return None
    detail = str(row.get("errorMsg") or row.get("error_msg") or "")
    if state is ChainState.FAILED:
        detail = detail or f"the relayer says {row.get('state')}"
    return Receipt(number, state, str(row.get("transactionHash") or ""), detail)


def _unavailable(reply: Answered) -> Unavailable:
    if isinstance(reply, Lost):
        return Unavailable(reply.detail)
    return Unavailable(f"HTTP {reply.status}: {shortened(reply.said, SAID)}")
