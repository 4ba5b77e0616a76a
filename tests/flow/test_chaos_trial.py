"""A small chaos trial, whole: the command, its private servers, an engine that is killed and cut off."""

import json
from io import StringIO

from django.core.management import call_command


def test_no_order_is_lost_when_the_engine_is_killed_lied_to_and_cut_off() -> None:
    out = StringIO()
    words = ("--kills", "2", "--orders", "150", "--drop-rate", "0.2", "--outage", "8", "--json")
    call_command("chaos", *words, stdout=out)
    found = json.loads(out.getvalue())
    assert found["problems"] == []
    assert (found["duplicates"], found["forgotten"], found["ledger_mismatches"]) == (0, 0, 0)
    assert found["kills"] == 2
    assert found["orders"] >= 150
    assert found["drops_injected"] > 0
    assert found["unknown_resolved"] > 0
    assert found["failed_settlements"] > 0
    assert [(outage["what"], outage["placed"]) for outage in found["outages"]] == [("database", 0), ("redis", 0)]
