"""A stop of everything cancels at the venue before Django is there, and the command then tells both as one."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from execution.models import ExecAudit
from polyweb.command_line import stops_everything
from polyweb.operations import at_once, takedown
from tests.apps.polyweb.test_takedown import NO, YES, Venue, an_env, at
from tests.clob_script import order_id
from tests.installation import Installation


@pytest.mark.parametrize(
    "words",
    ["", "--json", "--level cancel", "--level=flatten --json", "--reason lunch --for 30"],
)
def test_a_stop_of_everything_that_cancels_is_known_by_its_words(words: str) -> None:
    assert stops_everything(["manage.py", "stop", *words.split()])


@pytest.mark.parametrize(
    "words",
    [
        "stop --market m", "stop --mark m", "stop --event 1", "stop --strategy spread", "stop --wallet 0x0",
        "stop --level pause", "stop --level reduce", "stop --lev cancel", "stop --level", "stop --help", "stop --for 0",
        "stop --for soon", "stop --reason --market m", "stop --slippage 1", "stop more", "resume", "resume --json", "",
    ],
)  # fmt: skip
def test_words_that_mean_less_or_might_be_refused_cancel_nothing_ahead(words: str) -> None:
    assert not stops_everything(["manage.py", *words.split()])


def test_nothing_of_django_is_imported_before_the_first_cancel() -> None:
    code = "import sys, polyweb.operations.at_once; sys.exit('django.apps' in sys.modules or 'psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


SET_UP = """
import sys
sys.argv = ["manage.py", "stop"]
import django
django.setup()
import markets.services, risk.services
sys.exit(", ".join({"celery", "rest_framework", "redis", "django.contrib.admin"} & sys.modules.keys()) or 0)
"""


def test_the_stop_itself_waits_for_no_page_and_no_task(tmp_path: Path) -> None:
    words, env = [sys.executable, "-c", SET_UP], Installation(tmp_path).env
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr.strip(), done.returncode) == ("", 0)


def real(folder: Path, url: str, **more: str) -> Installation:
    return Installation(folder, POLYWEB_RELAYER="real", POLYWEB_DRY_RUN="false", POLYWEB_CLOB_URL=url, **more)


def test_a_database_that_was_never_set_up_does_not_keep_orders_resting(tmp_path: Path) -> None:
    venue = Venue({order_id(1): YES, order_id(2): NO})
    with at(venue) as url:
        done = real(tmp_path / "var", url).manage("stop")
    assert done.returncode == 1
    assert "no such table" in done.stderr
    assert venue.resting == {}


def test_the_command_tells_what_both_cancelled_and_when_nothing_rested(tmp_path: Path, migrated: Path) -> None:
    venue = Venue({order_id(1): YES, order_id(2): NO})
    with at(venue) as url:
        place = real(tmp_path / "var", url).copied_from(migrated)
        done = place.manage("stop", "--level", "cancel", "--json")
    told = json.loads(done.stdout)["venue"]
    assert (told["cancelled"], told["left"], told["error"]) == (2, 0, "")
    assert told["gone_ns"] > 0
    assert place.one("SELECT orders FROM execution_execaudit WHERE action = 'takedown'") == 2
    assert place.one("SELECT count(*) FROM risk_stop WHERE released_at IS NULL") == 1


@pytest.mark.parametrize("variables", [{"POLYWEB_DRY_RUN": "true"}, {"POLYWEB_RELAYER": "paper"}])
def test_a_dry_run_and_paper_leave_the_venue_alone(tmp_path: Path, variables: dict[str, str]) -> None:
    venue = Venue({order_id(1): YES})
    with at(venue) as url:
        place = real(tmp_path / "var", url)
        place.env |= variables
        place.manage("stop")
    assert list(venue.resting) == [order_id(1)]


@pytest.mark.django_db
@pytest.mark.sqlite
def test_an_order_placed_after_the_first_look_moves_the_moment_nothing_rests() -> None:
    venue = Venue({order_id(1): YES})
    with at(venue) as url:
        env = an_env(url)
        at_once.cancel_everything(env)
        early = at_once.earlier()
        assert early is not None
        assert early.found.done
        quiet = takedown.take_down(env, reason="quiet", early=early)
        venue.resting[order_id(2)] = NO
        late = takedown.take_down(env, reason="late", early=early)
        unproved = replace(early, found=replace(early.found, left=None))
        doubted = takedown.take_down(env, reason="doubted", early=unproved)
    assert (quiet.cancelled, quiet.gone_ns) == (1, early.at_ns)
    assert late.cancelled == 2
    assert late.gone_ns is not None
    assert doubted.gone_ns is not None
    assert min(late.gone_ns, doubted.gone_ns) > early.at_ns
    assert list(ExecAudit.objects.order_by("pk").values_list("orders", flat=True)) == [1, 2, 1]
