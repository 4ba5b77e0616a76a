"""How long this thread's connection waits for a lock: seconds for a person at the keyboard or an engine's heartbeat.

Law: the wait of other threads and processes stays as the settings say.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


def be_impatient(seconds: float) -> None:
    """For the life of this thread. PostgreSQL's waits are bounded by whoever waits, so only SQLite is told."""
    if connection.vendor != "sqlite":
        return
    options = connection.settings_dict["OPTIONS"]
    brief = _busy_timeout(seconds)
    # A copy: the dictionary itself is shared by the connections of every thread.
    own = {**options, "timeout": seconds, "init_command": f"{options.get('init_command', '')}; {brief}"}
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": own}
    if connection.connection is not None:
        connection.connection.execute(brief)


def settle_in(seconds: float) -> None:
    """`be_impatient`, for a thread that writes as long as its process lives; and no log of what it has asked.

    With DEBUG Django keeps the last 9 000 statements of a connection until a request ends. Here none ever does, and a
    statement may be a whole second's rows: gigabytes, in the end.
    """
    be_impatient(seconds)
    connection.queries_log = deque(maxlen=0)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Inside, a lock held by somebody else is an OperationalError after `seconds`."""
    if connection.vendor == "sqlite":
        before: dict[str, Any] = connection.settings_dict
        be_impatient(seconds)
        try:
            yield
        finally:
            connection.settings_dict = before
            if connection.connection is not None:
                connection.connection.execute(_busy_timeout(before["OPTIONS"].get("timeout", 5)))
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(seconds * 1_000)}ms"])
        yield


def _busy_timeout(seconds: float) -> str:
    return f"PRAGMA busy_timeout={round(seconds * 1_000)}"
