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


def relayer_api_key(env: Env) -> str:
    """What the gasless relayer knows us by; a sandbox takes any. Raises KeyUnavailable for a file that is not read."""
    if env.relayer_api_key_file is not None:
        try:
            return env.relayer_api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise KeyUnavailable(f"relayer API key file {env.relayer_api_key_file}: {reason}") from None
    if env.relayer_api_key is not None:
        return env.relayer_api_key.get_secret_value()
    return "sandbox" if env.at_sandbox else ""
