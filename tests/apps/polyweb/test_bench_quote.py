"""`bench quote` decides what it says it decides: every market quotes, and both kinds of commands come of it."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

QUICK = ("--rounds", "1", "--decisions", "300", "--markets", "10")


def output(*arguments: str) -> str:
    out = StringIO()
    call_command("bench", "quote", *arguments, stdout=out)
    return out.getvalue()


def test_every_market_is_quoted_and_the_figures_are_one_document() -> None:
    found = json.loads(output("--json", *QUICK))
    assert found["markets_quoting"] == found["markets"] == 10
    assert found["decisions"] >= 300
    assert min(found["places"], found["cancels"]) > 0
    assert 0 < found["p50_us"] <= found["p99_us"] <= found["max_us"]
    assert 0 < found["turn_p50_us"] <= found["turn_p99_us"]
    assert all(us > 0 for us in found["p50_us_by_outcome"].values())
    assert found["operations"] > 0
    assert found["p50_in_bare_decodes"] == pytest.approx(found["p50_us"] / found["bare_decode_us"], rel=0.05)


def test_more_layers_place_more_orders() -> None:
    one, three = (json.loads(output("--json", *QUICK, "--layers", layers))["places"] for layers in ("1", "3"))
    assert three > one


@pytest.mark.parametrize("wrong", [("--layers", "11"), ("--markets", "0"), ("--decisions", "0")])
def test_a_wish_that_cannot_be_measured_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=wrong[0]):
        output(*QUICK, *wrong)
