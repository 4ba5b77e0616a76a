"""Whether full sets may go over the chain here, and in the operator's words why not.

Law: says what the settings say; whether the relayer answers is the engine's to find out.
"""

from polyweb.env import Env
from strategies.domain.intents import Route
from strategies.domain.routes import OF_ONE_MARKET, ON_CHAIN

ONE_BOOK = "YES and NO are one book: it pays only where bids cross offers, and such a book is not believed"


def chain_off(env: Env) -> str:
    """Why nothing can be split, merged or converted; "" when it can."""
    if env.chain == "off":
        return "POLYWEB_CHAIN is off"
    if env.relayer != "real":
        return ""
    if env.signature_type == "eoa":
        return "a plain key's own address has no gasless relayer: name another wallet (POLYWEB_SIGNATURE_TYPE)"
    if not env.on_chain:
        return "with real money the chain is off until POLYWEB_CHAIN says relayer"
    if not env.at_sandbox and not (env.relayer_api_key or env.relayer_api_key_file):
        return "the gasless relayer's API key is not named (POLYWEB_RELAYER_API_KEY_FILE)"
    return ""


def routes(env: Env) -> list[tuple[str, str]]:
    """Every route with why it cannot be traded here, "" when it can."""
    off = chain_off(env)
    return [(route.value, ONE_BOOK if route in OF_ONE_MARKET else off if route in ON_CHAIN else "") for route in Route]
