"""The wallet of a key, as the venue's own client computes it."""

import pytest
from polymarket._internal import wallet as theirs
from polymarket.environments import PRODUCTION

from execution.signing import SignatureType, SigningKey
from execution.signing.wallets import proxy_wallet, safe_wallet, wallet_problem

KEYS = [SigningKey(bytes([number]) * 32).address for number in range(1, 20)]
SIGNER = KEYS[0]


@pytest.mark.parametrize("address", KEYS)
def test_both_wallets_are_where_the_venues_client_finds_them(address: str) -> None:
    config = PRODUCTION._config.wallet_derivation
    assert proxy_wallet(address) == theirs.derive_proxy_wallet_address(address, config)
    assert safe_wallet(address) == theirs.derive_safe_wallet_address(address, config)


def test_a_wallet_of_another_key_is_named_with_the_right_one() -> None:
    said = wallet_problem(SignatureType.POLY_GNOSIS_SAFE, KEYS[1], SIGNER, 137)
    assert (
        said
        == f"funder: {KEYS[1]} is not the POLY_GNOSIS_SAFE wallet of the key {SIGNER}, which is {safe_wallet(SIGNER)}"
    )


def test_the_right_wallet_and_what_cannot_be_told_offline_are_no_problem() -> None:
    assert wallet_problem(SignatureType.POLY_PROXY, proxy_wallet(SIGNER).lower(), SIGNER, 137) == ""
    assert wallet_problem(SignatureType.POLY_1271, KEYS[1], SIGNER, 137) == ""
    assert wallet_problem(SignatureType.POLY_PROXY, KEYS[1], SIGNER, 80002) == ""
