"""What ./run stands on: selection of tests, servers of our own, the environment of the local stack."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import redis

from polyweb.devtools import machine, stack
from polyweb.devtools.children import ROOT
from polyweb.devtools.machine import Missing
from polyweb.devtools.servers import postgres, redis_server, without_password
from polyweb.devtools.suite import Selection


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can walk to, which pytest's are not when root runs the tests."""
    with TemporaryDirectory(prefix="polyweb-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_no_arguments_mean_everything() -> None:
    chosen = Selection.of([])
    assert (chosen.everything, chosen.wants_main, chosen.wants_browser) == (True, True, True)


def test_keyword_goes_to_every_call() -> None:
    chosen = Selection.of(["-k", "tests"])
    assert (chosen.options, chosen.wants_main, chosen.wants_browser) == (("-k", "tests"), True, True)


def test_path_goes_to_the_call_it_belongs_to() -> None:
    main, browser = Selection.of(["tests/test_docker.py", "-x"]), Selection.of(["tests/browser", "-x"])
    assert (main.paths, main.wants_browser, main.options) == (("tests/test_docker.py",), False, ("-x",))
    if (ROOT / "tests" / "browser").exists():
        assert (browser.browser_paths, browser.wants_main) == (("tests/browser",), False)


def test_own_postgresql_is_there_for_its_owner_only_and_then_gone() -> None:
    with postgres(None) as server:
        with psycopg.connect(server.url) as link:
            assert link.execute("SHOW fsync").fetchone() == ("off",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace("polyweb:", "polyweb:x", 1), connect_timeout=2)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url, connect_timeout=2)


def test_kept_postgresql_still_has_its_rows(open_folder: Path) -> None:
    with postgres(None, keep_in=open_folder / "data") as server, psycopg.connect(server.url) as link:
        link.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    with postgres(None, keep_in=open_folder / "data") as server, psycopg.connect(server.url) as link:
        assert link.execute("SELECT seven FROM kept").fetchone() == (7,)


def test_own_redis_answers_to_its_password_only() -> None:
    with redis_server(None) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()
        stranger = redis.Redis.from_url(server.url.replace("//:", "//:x", 1))
        with pytest.raises(redis.AuthenticationError), stranger:
            stranger.ping()


def test_configured_server_is_used_and_never_started() -> None:
    with postgres("postgresql://u:hunter2@db.example/x") as server:
        assert server.url == "postgresql://u:hunter2@db.example/x"
        assert "hunter2" not in server.where


def test_password_never_reaches_the_screen() -> None:
    assert without_password("redis://:hunter2@cache:6379/0") == "redis://cache:6379/0"


def test_local_stack_is_live_and_the_caller_wins(tmp_path: Path) -> None:
    env = stack.environment({"POLYWEB_RELAYER": "fake"}, tmp_path, "postgresql://h/d", "redis://h")
    assert env["DJANGO_SETTINGS_MODULE"] == "polyweb.settings.live"
    assert env["POLYWEB_RELAYER"] == "fake"
    assert len((tmp_path / "secret_key").read_text()) >= 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_newest_version_folder_wins(tmp_path: Path) -> None:
    for version in ("9", "15", "14"):
        program = tmp_path / version / "bin" / "unheard-of-program"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755)
    found = machine.find_program(["unheard-of-program"], [f"{tmp_path}/*/bin"])
    assert found == tmp_path / "15" / "bin" / "unheard-of-program"


def test_server_that_does_not_start_is_one_line_with_its_reason(open_folder: Path) -> None:
    (open_folder / "data").mkdir()
    (open_folder / "data" / "PG_VERSION").write_text("3\n")
    (open_folder / "data.password").write_text("x")
    with pytest.raises(Missing, match="PostgreSQL did not start"), postgres(None, keep_in=open_folder / "data"):
        pass
