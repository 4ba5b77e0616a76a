"""Whose account the environment names: the key that signs, and how its wallet checks a signature.

Law: no Django and nothing of the venue's clients is imported here: what takes orders down in a hurry starts with it.
"""

from collections.abc import Mapping

from execution.signing import KeyUnavailable, SignatureType, SigningKey, load_key, read_key, sandbox_key
from polyweb.env import Env

_TYPES: Mapping[str, SignatureType] = {
    "eoa": SignatureType.EOA,
    "poly-proxy": SignatureType.POLY_PROXY,
    "poly-gnosis-safe": SignatureType.POLY_GNOSIS_SAFE,
    "poly-1271": SignatureType.POLY_1271,
}


def signature_type(env: Env) -> SignatureType:
    return _TYPES[env.signature_type]


def signing_key(env: Env) -> SigningKey:
    """The key to trade with. Raises KeyUnavailable; takes half a second where it opens a keystore."""
    if env.keystore is not None and env.keystore_passphrase_file is not None:
        return load_key(env.keystore, env.keystore_passphrase_file)
    if not env.at_sandbox:
        raise KeyUnavailable("no keystore is named: set POLYWEB_KEYSTORE and POLYWEB_KEYSTORE_PASSPHRASE_FILE")
    return sandbox_key() if env.private_key is None else read_key(env.private_key.get_secret_value())
