"""A recipe of book hashes that stops reproducing is one open incident until it does again."""

import pytest

from execution.engine import Trouble
from markets.domain.recipe_watch import RecipeState
from polyweb.runtime.recipe_alarm import KEY, RecipeAlarm
from risk.models import Incident
from risk.services import close_incident_by_key, open_incident

pytestmark = pytest.mark.django_db
FINE, DOUBTED, ABANDONED = RecipeState.REPRODUCES, RecipeState.DOUBTED, RecipeState.ABANDONED


def an_alarm() -> RecipeAlarm:
    def opened(trouble: Trouble) -> None:
        open_incident(kind=trouble.kind, key=trouble.key, text=trouble.text)

    def settled(key: str) -> None:
        close_incident_by_key(key=key)

    return RecipeAlarm(opened, settled)


def open_texts() -> list[tuple[int, str]]:
    return list(Incident.objects.filter(key=KEY, closed_at=None).values_list("times", "text"))


def test_doubt_opens_an_incident_giving_up_says_more_and_the_next_match_closes_it() -> None:
    alarm = an_alarm()
    alarm.look(FINE, matched=True)
    assert open_texts() == []
    for _ in range(3):
        alarm.look(DOUBTED, matched=True)
    ((times, text),) = open_texts()
    assert (times, "stopped coming out in several markets" in text) == (1, True)
    for _ in range(3):
        alarm.look(ABANDONED, matched=True)
    ((times, text),) = open_texts()
    assert (times, "hardly tried" in text) == (2, True)
    alarm.look(FINE, matched=True)
    assert open_texts() == []
    alarm.look(DOUBTED, matched=True)
    assert len(open_texts()) == 1
    assert Incident.objects.count() == 2


def test_what_an_earlier_engine_left_open_waits_for_the_first_match() -> None:
    an_alarm().look(DOUBTED, matched=True)
    later = an_alarm()
    later.look(FINE, matched=False)
    assert len(open_texts()) == 1
    later.look(FINE, matched=True)
    assert open_texts() == []
