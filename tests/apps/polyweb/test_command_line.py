"""A database in the way and a profile nobody wrote are one line; the first command finds a database."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, ProgrammingError

from polyweb.command_line import told
from tests.installation import DATABASE, ROOT, Installation


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as link:
        link.execute("BEGIN EXCLUSIVE")
        yield


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("words", [("orders",), ("stop",), ("params", "export", "-"), ("status",)])
def test_a_database_without_tables_is_one_line_that_says_migrate(tmp_path: Path, words: tuple[str, ...]) -> None:
    line = one_line(Installation(tmp_path / "var").manage(*words))
    assert "no such table" in line
    assert line.endswith("Run ./run manage migrate")


def test_a_database_older_than_the_program_is_one_line_that_says_migrate(tmp_path: Path, migrated: Path) -> None:
    place = Installation(tmp_path / "var").copied_from(migrated)
    place.rows("ALTER TABLE execution_order RENAME COLUMN detail TO gone")
    line = one_line(place.manage("orders"))
    assert "no such column" in line
    assert line.endswith("Run ./run manage migrate")


def test_traceback_still_shows_the_whole_story(tmp_path: Path) -> None:
    done = Installation(tmp_path / "var").manage("orders", "--traceback")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_migrate_into_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = one_line(Installation(tmp_path / "other", POLYWEB_VAR_DIR=str(tmp_path / "file" / "var")).manage("migrate"))
    assert line.startswith("cannot reach the database: unable to open database file")
    assert "POLYWEB_VAR_DIR" in line


def test_a_profile_nobody_wrote_is_one_line_naming_those_there_are(tmp_path: Path) -> None:
    place = Installation(tmp_path / "var", DJANGO_SETTINGS_MODULE="polyweb.settings.nope")
    line = one_line(place.manage("status"))
    assert "'polyweb.settings.nope'" in line
    assert "polyweb.settings.demo, polyweb.settings.dev, polyweb.settings.live, polyweb.settings.test" in line
    assert "'nowhere'" in one_line(Installation(tmp_path / "var").manage("status", "--settings", "nowhere"))


def test_a_stop_on_a_locked_database_gives_up_soon_and_names_the_other_way(tmp_path: Path, migrated: Path) -> None:
    place = Installation(tmp_path / "var").copied_from(migrated)
    place.rows("PRAGMA journal_mode=WAL")
    started = time.monotonic()
    with locked(place.folder / DATABASE):
        line = one_line(place.manage("stop"))
    assert time.monotonic() - started < 15  # 4 s of waiting and Python starting; others wait for 20 s
    assert line == (
        "CommandError: NOT stopped: database is locked. SIGTERM to the engine cancels its orders without the database"
    )


def test_the_first_command_makes_the_development_database(tmp_path: Path) -> None:
    # A copy of the script beside links: ./run keeps its environment in the folder it stands in.
    house = tmp_path / "house"
    house.mkdir()
    for name in ("manage.py", "polyweb", "markets", "strategies", "risk", "execution", "requirements.txt", "static"):
        (house / name).symlink_to(ROOT / name)
    (house / "templates").symlink_to(ROOT / "templates")
    (house / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "requirements.txt", house / ".venv" / "requirements.txt")
    python = house / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    shutil.copy(ROOT / "run", house / "run")
    place = Installation(tmp_path / "var")
    for said in ("run: making the database polyweb.sqlite3", ""):
        done = subprocess.run(
            ["sh", str(house / "run"), "manage", "params", "export", "-"],
            env=place.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr.strip()) == (0, said)
        assert done.stdout.startswith("{")


class Undefined(Exception):
    sqlstate = "42P01"


class Refused(Exception):
    sqlstate = None


def caused(error: ProgrammingError | OperationalError, cause: Exception) -> ProgrammingError | OperationalError:
    error.__cause__ = cause
    return error


def test_postgresql_is_understood_by_its_codes() -> None:
    missing = caused(ProgrammingError('relation "x" does not exist\nLINE 1: ...'), Undefined())
    assert told(missing).endswith('relation "x" does not exist. Run ./run manage migrate')
    refused = caused(OperationalError("connection failed: Connection refused\nIs the server running?"), Refused())
    assert told(refused).startswith("cannot reach the database: connection failed: Connection refused. Check")


def test_an_error_nobody_foresaw_is_named_and_not_explained_away() -> None:
    assert told(OperationalError("disk I/O error")) == (
        "database: OperationalError: disk I/O error. --traceback shows where"
    )
