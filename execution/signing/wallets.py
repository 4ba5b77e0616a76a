"""Which wallet the venue makes for a key: the addresses of its proxy and Safe factories, computed.

Law: pure; CREATE2 over constants of the venue's own contracts on Polygon. A deposit wallet cannot be told offline: its
factory decides on chain which kind it makes.
"""

from collections.abc import Callable, Mapping

from execution.signing.eip712 import SignatureType, checksum_address, keccak256

CHAIN_ID = 137
PROXY_FACTORY = "aB45c5A4B0c941a2F231C04C3f49182e1A254052"
_PROXY_IMPLEMENTATION = "44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f"
SAFE_FACTORY = "aacFeEa03eb1561C4e67d661e40682Bd20E3541b"
_SAFE_CODE_HASH = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
# The factory clones its implementation and calls it with 32 empty bytes.
_PROXY_CODE = bytes.fromhex(
    f"3d3d606380380380913d393d73{PROXY_FACTORY}5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73"
    f"{_PROXY_IMPLEMENTATION}5af43d82803e903d91602b57fd5bf352e831dd{32:064x}{0:064x}"
)


def _create2(factory: str, salt: bytes, code_hash: bytes) -> str:
    raw = b"\xff" + bytes.fromhex(factory) + salt + code_hash
    return checksum_address("0x" + keccak256(raw)[12:].hex())


def proxy_wallet(signer: str) -> str:
    """The proxy wallet of a key's address, as email and Magic logins get one."""
    return _create2(PROXY_FACTORY, keccak256(bytes.fromhex(signer[2:])), keccak256(_PROXY_CODE))


def safe_wallet(signer: str) -> str:
    """The Safe of a key's address, as browser wallets get one."""
    return _create2(SAFE_FACTORY, keccak256(bytes.fromhex(signer[2:]).rjust(32, b"\0")), _SAFE_CODE_HASH)


_MADE: Mapping[SignatureType, Callable[[str], str]] = {
    SignatureType.POLY_PROXY: proxy_wallet,
    SignatureType.POLY_GNOSIS_SAFE: safe_wallet,
}


def wallet_problem(kind: SignatureType, funder: str, signer: str, chain_id: int) -> str:
    """Why this wallet cannot be the key's, or "". Nothing is known of other chains and of deposit wallets."""
    made = _MADE.get(kind)
    if made is None or chain_id != CHAIN_ID or made(signer).lower() == funder.lower():
        return ""
    return f"funder: {funder} is not the {kind.name} wallet of the key {signer}, which is {made(signer)}"
