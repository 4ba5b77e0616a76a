"""System checks: an id and a hint that names the variable, for every wrong setting."""

from pathlib import Path
from typing import Any

import pytest

from polyweb.checks import env_messages, problem_messages, unknown_messages
from polyweb.env import Env, Problem, Profile

pytestmark = pytest.mark.usefixtures("bare_environment")

LIVE: dict[str, Any] = {
    "profile": Profile.LIVE,
    "secret_key": "k" * 50,
    "allowed_hosts": ("trade.example",),
    "database_url": "postgresql://u:pw@db/trade",
    "redis_url": "redis://cache:6379/0",
}
SANDBOX = {
    "feed_url": "ws://127.0.0.1:9/ws/market",
    "user_url": "ws://localhost:9/ws/user",
    "clob_url": "http://127.0.0.1:9",
}
SAFE = {"signature_type": "poly-gnosis-safe", "funder": "0x" + "ab" * 20}


def env(**values: Any) -> Env:
    return Env.model_validate({"profile": Profile.DEV, **values})


def ids(**values: Any) -> list[str]:
    return sorted(str(message.id).removeprefix("polyweb.") for message in env_messages(env(**values)))


def test_default_environment_has_nothing_to_say() -> None:
    assert ids() == []


def test_complete_live_environment_has_nothing_to_say() -> None:
    assert ids(**LIVE) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"relayer": "real"}, ["E002"]),
        ({"relayer": "real", "keystore": "run", "keystore_passphrase_file": "run"}, []),
        ({"relayer": "real", **SANDBOX}, []),
        ({"relayer": "real", **SANDBOX, "private_key": "0x11"}, []),
        ({"private_key": "0x11"}, ["E010"]),
        ({"profile": Profile.DEMO, "clob_url": "https://venue.example", "relayer": "paper"}, []),
        ({"relayer": "real", **SANDBOX, "user_url": "wss://venue.example/ws/user"}, ["E011"]),
        ({"relayer": "real", **SANDBOX, "signature_type": "poly-proxy"}, ["E012"]),
        ({"relayer": "real", **SANDBOX, "funder": "0x" + "ab" * 20}, ["E012"]),
        ({"relayer": "real", **SANDBOX, "signature_type": "poly-proxy", "funder": "0x" + "ab" * 20}, []),
        ({"relayer": "real", **SANDBOX, "chain": "relayer"}, ["E015"]),
        ({"relayer": "real", **SANDBOX, "chain": "relayer", **SAFE}, []),
        ({"relayer": "real", "chain": "relayer", **SAFE}, ["E002", "E016"]),
        ({"relayer": "real", "chain": "relayer", **SAFE, "relayer_api_key": "k"}, ["E002"]),
        ({"relayer_api_key_file": "/nowhere/key"}, ["E014"]),
        ({"redis_url": None}, ["E003", "E004"]),
        ({"secret_key": None}, ["E005"]),
        ({"secret_key": "short"}, ["E005"]),
        ({"keystore": "no/such/file", "keystore_passphrase_file": "run"}, ["E006"]),
        ({"keystore": "run"}, ["E007"]),
        ({"keystore_passphrase_file": "no/such/file"}, ["E008"]),
        ({"allowed_hosts": ()}, ["E009"]),
        ({"allowed_hosts": ("*",)}, ["E009"]),
        ({"database_url": None}, ["W002"]),
        ({"channel_layer": "memory"}, ["W003"]),
        ({"https": False}, ["W004"]),
    ],
)
def test_each_wrong_live_setting_has_its_id(changed: dict[str, Any], expected: list[str]) -> None:
    assert ids(**{**LIVE, **changed}) == expected


def test_the_demo_never_sends_orders_to_another_machine() -> None:
    away = {"feed_url": "wss://v.example", "user_url": "wss://v.example", "clob_url": "https://v.example"}
    assert ids(profile=Profile.DEMO) == []
    assert ids(profile=Profile.DEMO, keystore="run", keystore_passphrase_file="run", **away) == ["E013"]


def test_every_message_has_a_hint_naming_a_variable() -> None:
    wrong = env(**{**LIVE, "relayer": "real", "redis_url": None, "secret_key": None, "allowed_hosts": ()})
    assert [message for message in env_messages(wrong) if "POLYWEB_" not in (message.hint or "")] == []


def test_unreadable_variable_is_an_error_and_a_misspelt_one_a_warning() -> None:
    problem = Problem("POLYWEB_X", "is odd", "Set POLYWEB_X.")
    assert [m.id for m in problem_messages([problem])] == ["polyweb.E001"]
    assert [m.id for m in unknown_messages([problem])] == ["polyweb.W001"]


def test_paths_are_relative_to_the_project() -> None:
    assert env(keystore="keys/a.json").keystore == Path(__file__).resolve().parents[3] / "keys" / "a.json"


@pytest.mark.parametrize(
    ("values", "works"),
    [
        ({}, True),  # fake and paper put nothing at stake
        ({"chain": "off"}, False),
        ({"relayer": "real"}, False),
        ({"relayer": "real", **SAFE}, False),
        ({"relayer": "real", **SAFE, "chain": "relayer"}, True),
        ({"relayer": "real", **SANDBOX}, False),  # a plain key
        ({"relayer": "real", **SANDBOX, **SAFE}, True),
        ({"relayer": "real", **SANDBOX, **SAFE, "chain": "off"}, False),
    ],
)
def test_positions_are_moved_on_chain_where_nothing_is_at_stake_or_somebody_said_so(
    values: dict[str, Any], works: bool
) -> None:
    assert env(**values).on_chain is works


def test_a_sandbox_s_relayer_is_at_its_clob() -> None:
    assert env(**SANDBOX).gasless_url == "http://127.0.0.1:9"
    assert env().gasless_url == "https://relayer-v2.polymarket.com"
