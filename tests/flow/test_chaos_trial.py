"""A small chaos trial, whole: the command, its private servers, an engine that is killed in the middle and cut off."""

import json
from io import StringIO

from django.core.management import call_command


def test_no_order_and_no_job_is_lost_when_the_engine_is_killed_lied_to_and_cut_off() -> None:
    out = StringIO()
    words = ("--kills", "2", "--orders", "150", "--drop-rate", "0.2", "--outage", "8", "--jobs", "2", "--json")
    call_command("chaos", *words, stdout=out)
    found = json.loads(out.getvalue())
    assert found["problems"] == []
    assert (found["duplicates"], found["forgotten"], found["ledger_mismatches"]) == (0, 0, 0)
    assert found["kills"] == 2
    assert found["orders"] >= 150
    assert found["drops_injected"] > 0
    assert found["unknown_resolved"] > 0
    assert found["failed_settlements"] > 0
    assert found["jobs"] >= 2
    assert found["kills_with_a_job_under_way"] > 0
    assert [(outage["what"], outage["placed"]) for outage in found["outages"]] == [("database", 0), ("redis", 0)]
