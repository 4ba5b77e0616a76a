"""Django's command line, with a word for what stops every command: a database in the way, a profile nobody wrote.

Law: what somebody outside can change is one line on stderr and exit code 1; `--traceback` shows the whole story, and a
mistake of ours is never dressed up as the database's.
"""

import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence

from django.db import DataError, Error, IntegrityError

DEFAULT_PROFILE = "polyweb.settings.dev"
MIGRATE = "Run ./run manage migrate"
_NOT_SET_UP = ("no such table", "no such column", "has no column named", "does not exist", "django_migrations")
_LOCKED = ("is locked", "lock timeout", "lock_timeout")
_READ_ONLY = ("readonly database", "read-only transaction")
_UNREACHABLE = ("unable to open", "connection", "not a database")
# PostgreSQL's own codes: undefined table and column, lock not available, and the classes of a lost server.
_SET_UP_STATES = {"42P01", "42703"}
_LOCK_STATES = {"55P03"}
_GONE_CLASSES = {"08", "28", "3D", "57"}


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", DEFAULT_PROFILE)
    problem = missing_profile(_profile(argv))
    if problem:
        return _end(problem)
    if stops_everything(argv):
        from polyweb.operations import at_once

        at_once.first(os.environ["DJANGO_SETTINGS_MODULE"])
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(list(argv))
    except (IntegrityError, DataError):
        raise
    except Error as error:
        if "--traceback" in argv:
            raise
        return _end(told(error))
    return 0


def _end(line: str) -> int:
    sys.stderr.write(f"{line}\n")
    return 1


def _profile(argv: Sequence[str]) -> str:
    """What `--settings` says, else the environment; Django reads them in the same order."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == "--settings":
            return following
        if word.startswith("--settings="):
            return word.partition("=")[2]
    return os.environ["DJANGO_SETTINGS_MODULE"]


def missing_profile(name: str) -> str:
    """The line for a settings module that is not there; empty when it is."""
    try:
        if name and importlib.util.find_spec(name) is not None:
            return ""
    except (ImportError, ValueError):
        pass  # a parent package that is not there, or no name of a module at all
    from polyweb import settings

    ours = [f"polyweb.settings.{item.name}" for item in pkgutil.iter_modules(settings.__path__) if item.name != "base"]
    return f"DJANGO_SETTINGS_MODULE: there is no settings module {name!r}; the profiles are {', '.join(sorted(ours))}"


def told(error: Error) -> str:
    """One line about a database that is in the way, and what to do."""
    lines = str(error).strip().splitlines()
    reason = lines[0].strip() if lines else type(error).__name__
    state = str(getattr(error.__cause__, "sqlstate", None) or "")
    words = reason.lower()

    def says(phrases: Sequence[str]) -> bool:
        return any(phrase in words for phrase in phrases)

    if state in _LOCK_STATES or says(_LOCKED):
        return f"database is locked: {reason}. Another process is writing; try again when it is done"
    if says(_READ_ONLY):
        return f"database cannot be written: {reason}. Give this user the right to write it and its folder"
    if state in _SET_UP_STATES or (not state and says(_NOT_SET_UP)):
        return f"database is not set up, or is older than this program: {reason}. {MIGRATE}"
    if state[:2] in _GONE_CLASSES or (not state and says(_UNREACHABLE)):
        return f"cannot reach the database: {reason}. Check POLYWEB_DATABASE_URL (or POLYWEB_VAR_DIR) and the server"
    return f"database: {type(error).__name__}: {reason}. --traceback shows where"


def stops_everything(argv: Sequence[str]) -> bool:
    """Whether these words stop everything at a level that cancels, and the command cannot refuse any of them."""
    words = iter(argv[2:])
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--json":
            continue
        value = value if equals else next(words, "")
        takes = _TAKES.get(name)
        if takes is None or value.startswith("-") or not takes(value):
            return False
    return list(argv[1:2]) == ["stop"]


_TAKES: dict[str, Callable[[str], bool]] = {
    "--level": lambda value: value in ("cancel", "flatten"),
    "--reason": lambda value: 0 < len(value) <= 500,
    "--for": lambda value: value.isdecimal() and len(value) <= 5 and int(value) > 0,
}
