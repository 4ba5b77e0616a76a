"""The check that asks for TimescaleDB's extension only when it is wanted."""

from dataclasses import dataclass

import pytest
from django.test import override_settings

from polyweb.checks import check_timescale, timescale_messages


@dataclass
class Wanting:
    timescale: bool = True


def test_nothing_is_said_when_nobody_wants_it() -> None:
    assert check_timescale(databases=["default"]) == []


@pytest.mark.sqlite
@pytest.mark.django_db
def test_a_wish_the_database_cannot_grant_is_a_warning_with_a_hint() -> None:
    with override_settings(POLYWEB=Wanting()):
        [message] = check_timescale(databases=["default"])
    assert (message.id, message.is_serious()) == ("polyweb.W005", False)
    assert "POLYWEB_TIMESCALE" in message.msg


def test_an_extension_that_is_there_is_well() -> None:
    assert timescale_messages("2.17.0") == []
