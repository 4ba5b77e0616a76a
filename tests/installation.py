"""An installation of its own for tests of whole processes: a folder, a migrated SQLite, an environment, children.

Law: nothing of whoever runs the tests is used, and every child is stopped by the test that started it.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "polyweb.sqlite3"
PATIENCE_S = 60.0


class Installation:
    def __init__(self, folder: Path, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("POLYWEB_", "DJANGO_"))}
        self.env = {
            **kept,
            "DJANGO_SETTINGS_MODULE": "polyweb.settings.dev",
            "POLYWEB_VAR_DIR": str(folder),
            "POLYWEB_RELAYER": "paper",
            "POLYWEB_METRICS_PORT": "0",
            "POLYWEB_LOG_FORMAT": "json",
            "POLYWEB_FEED_URL": "ws://127.0.0.1:9/ws/market",
            "POLYWEB_GAMMA_URL": "http://127.0.0.1:9",
            "POLYWEB_CLOB_URL": "http://127.0.0.1:9",
            **variables,
        }

    def copied_from(self, template: Path) -> "Installation":
        """With the tables of a database that was migrated before."""
        shutil.copy(template, self.folder / DATABASE)
        return self

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=self.env, capture_output=True, text=True, check=False, timeout=PATIENCE_S * 2,
        )  # fmt: skip

    @contextmanager
    def started(self, *command: str) -> Iterator[subprocess.Popen[str]]:
        """A child whose stderr goes to a file (`log`), ended at the latest with the block."""
        with self.log.open("a", encoding="utf-8") as log:
            child = subprocess.Popen(
                command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        try:
            yield child
        finally:
            finish(child, signal.SIGTERM)
            if child.stdout is not None:
                child.stdout.close()

    @property
    def log(self) -> Path:
        return self.folder / "children.log"

    def rows(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.folder / DATABASE, timeout=20)) as link:
            found = link.execute(query, values).fetchall()
            link.commit()
            return found

    def one(self, query: str, *values: object) -> Any:
        (row,) = self.rows(query, *values)
        return row[0]


def finish(child: subprocess.Popen[str], number: signal.Signals) -> int:
    """Send a signal, wait for the end, kill what does not listen; the exit code."""
    if child.poll() is None:
        child.send_signal(number)
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return child.returncode


def eventually(is_so: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


@contextmanager
def sandbox(folder: Path, markets: int = 4, shares: int = 0) -> Iterator[dict[str, str]]:
    """The local exchange as a process, where every wallet starts with so many shares of each token; its addresses."""
    place = Installation(folder)
    words = ("sandbox", "--markets", str(markets), "--pace", "3", "--shares", str(shares))
    with place.started(sys.executable, "manage.py", *words) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line, place.log.read_text(encoding="utf-8")
        yield json.loads(line)


@contextmanager
def at_sandbox(
    folder: Path, migrated: Path, markets: int = 4, shares: int = 0, **settings: str
) -> Iterator[Installation]:
    """An installation with a sandbox of its own, whose markets trade for real money that is worth nothing."""
    with sandbox(folder / "sandbox", markets, shares) as venue:
        where = {
            "POLYWEB_RELAYER": "real",
            "POLYWEB_DRY_RUN": "false",
            "POLYWEB_FEED_URL": venue["ws"],
            "POLYWEB_USER_URL": venue["user_ws"],
            "POLYWEB_GAMMA_URL": venue["http"],
            "POLYWEB_CLOB_URL": venue["http"],
        }
        place = Installation(folder / "var", **where, **settings).copied_from(migrated)
        done = place.manage("shell", "-c", f"from polyweb.demo import stage; stage.stage_sandbox({venue['http']!r})")
        assert done.returncode == 0, done.stderr
        yield place
