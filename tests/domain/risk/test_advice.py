"""What an incident means and what to do: for every kind that the source ever reports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from risk.domain import advice
from risk.domain.advice import BREAKERS, SELF_CLOSING, TROUBLES
from risk.domain.breakers import BreakerKind

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("markets", "strategies", "risk", "execution", "polyweb")
REPORTS = {"Trouble", "trouble", "Alarm"}


def reported_kinds() -> Iterator[str]:
    """The kinds that stand as words where something is reported; those in a name are found by the name's value."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            names = {
                target.id: node.value.value
                for node in tree.body
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
                name = getattr(call.func, "id", getattr(call.func, "attr", ""))
                given = call.args[:1] if name in REPORTS else []
                given += [word.value for word in call.keywords if word.arg == "kind" and name == "open_incident"]
                for kind in given:
                    value = kind.value if isinstance(kind, ast.Constant) else names.get(getattr(kind, "id", ""))
                    if isinstance(value, str):
                        yield value


def test_every_breaker_says_what_it_means_and_what_to_do() -> None:
    assert set(BREAKERS) == set(BreakerKind)


def test_every_trouble_that_is_reported_says_what_it_means_and_what_to_do() -> None:
    found = set(reported_kinds()) - {"breaker"} - {kind.value for kind in BreakerKind}
    assert found == set(TROUBLES)


@pytest.mark.parametrize("key", ["breaker failures", "breaker rejects 0x1", "breaker feed_silence markets"])
def test_the_words_for_a_breaker_are_found_by_its_key(key: str) -> None:
    assert advice.of("breaker", key) is BREAKERS[BreakerKind(key.split()[1])]


def test_the_watchdogs_incident_has_the_words_of_its_breaker() -> None:
    assert advice.of("engine_silence", "engine silence") is BREAKERS[BreakerKind.ENGINE_SILENCE]


def test_an_incident_of_another_version_has_no_words() -> None:
    assert advice.of("cosmic_rays", "cosmic_rays:1") is None
    assert advice.of("breaker", "breaker") is None


def test_what_closes_by_itself_never_asks_to_be_closed_by_hand() -> None:
    asked = {kind for kind, words in TROUBLES.items() if "close this" in words.do.lower()}
    assert asked & SELF_CLOSING == set()
