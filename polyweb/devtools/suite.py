"""`./run test` and `./run check`: the steps, in order, each one shown, none skipped in silence.

One law: every step runs even when an earlier one failed, so that one run tells everything; the exit code is 0
only when all of them passed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from polyweb.devtools.machine import Missing, apt_install, find_program, say
from polyweb.devtools.servers import postgres, redis_server

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
BROWSER_TESTS = "tests/browser"
NO_TESTS = 5  # pytest's exit code when nothing was collected
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FOLDERS = (
    "/Applications/Chromium.app/Contents/MacOS",
    "/Applications/Google Chrome.app/Contents/MacOS",
)


@dataclass(slots=True)
class Report:
    """What failed and what was found, for the closing lines."""

    failed: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    ran: int = 0


def _run(report: Report, title: str, command: Sequence[str], env: dict[str, str], *, may_be_empty: bool) -> None:
    say(f"--- {title}: {' '.join(command)}")
    started = time.monotonic()
    code = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, env=env, check=False).returncode
    if code == NO_TESTS and command[0] == "pytest" and may_be_empty:
        report.empty.append(title)
        say(f"--- {title}: no test matched")
        return
    report.ran += 1
    verdict = "passed" if code == 0 else f"FAILED with exit code {code}"
    say(f"--- {title}: {verdict} after {time.monotonic() - started:.1f} s")
    if code != 0:
        report.failed.append(title)


def check(report: Report, env: dict[str, str]) -> None:
    _run(report, "lint", ["ruff", "check", "."], env, may_be_empty=False)
    _run(report, "types", ["mypy", "."], env, may_be_empty=False)
    _run(report, "import contracts", ["lint-imports"], env, may_be_empty=False)


def chromium() -> str:
    """The browser for the browser tests: configured, found, or installed from Debian when root."""
    if configured := os.environ.get("POLYWEB_TEST_CHROMIUM"):
        return configured
    found = find_program(CHROMIUM_NAMES, CHROMIUM_FOLDERS)
    if found is None and apt_install("chromium"):
        found = find_program(CHROMIUM_NAMES)
    if found is None:
        for pattern in (".cache/ms-playwright/chromium-*/chrome-linux*/chrome",):
            found = next(iter(sorted(Path.home().glob(pattern), reverse=True)), None)
    if found is None:
        raise Missing(
            "no Chromium: set POLYWEB_TEST_CHROMIUM, or `sudo apt-get install chromium`, "
            "or `.venv/bin/playwright install chromium`"
        )
    return str(found)


@dataclass(frozen=True, slots=True)
class Selection:
    """pytest's arguments, split by the call they belong to: browser tests need a process of their own."""

    options: tuple[str, ...]
    paths: tuple[str, ...]
    browser_paths: tuple[str, ...]

    @classmethod
    def of(cls, arguments: Sequence[str]) -> "Selection":
        options, paths, browser = [], [], []
        for before, word in zip(("", *arguments), arguments, strict=False):
            is_value = before in ("-k", "-m", "-n", "-p")
            if is_value or word.startswith("-") or not (ROOT / word.split("::")[0]).exists():
                options.append(word)
            elif word.startswith(BROWSER_TESTS):
                browser.append(word)
            else:
                paths.append(word)
        return cls(tuple(options), tuple(paths), tuple(browser))

    @property
    def everything(self) -> bool:
        return not (self.options or self.paths or self.browser_paths)

    @property
    def wants_main(self) -> bool:
        return bool(self.paths) or not self.browser_paths

    @property
    def wants_browser(self) -> bool:
        return bool(self.browser_paths) or not self.paths


def test(report: Report, selection: Selection, env: dict[str, str]) -> None:
    with ExitStack() as servers:
        database = servers.enter_context(postgres(os.environ.get("POLYWEB_TEST_DATABASE_URL")))
        say(database.where)
        cache = servers.enter_context(redis_server(os.environ.get("POLYWEB_TEST_REDIS_URL")))
        say(cache.where)
        on_sqlite = {**env, "POLYWEB_TEST_REDIS_URL": cache.url}
        on_sqlite.pop("POLYWEB_TEST_DATABASE_URL", None)
        on_postgres = {**on_sqlite, "POLYWEB_TEST_DATABASE_URL": database.url}
        if selection.everything:
            check(report, env)
        partial = not selection.everything
        if selection.wants_main:
            # Two processes pay off for the whole suite only; a handful of tests starts faster in one. Tests are dealt
            # out one by one and not by file: pytest-django puts those that empty the tables last, and it must stay so.
            spread = ["-n", "2", "--dist", "worksteal"] if selection.everything else []
            main = ["pytest", *spread, *selection.options, *selection.paths]
            _run(report, "tests on PostgreSQL", main, on_postgres, may_be_empty=partial)
            marked = ["pytest", "-m", "sqlite", *selection.options, *selection.paths]
            _run(report, "tests on SQLite", marked, on_sqlite, may_be_empty=partial)
        if selection.wants_browser:
            browser = {**on_postgres, "POLYWEB_TEST_CHROMIUM": chromium()}
            say(f"Chromium: {browser['POLYWEB_TEST_CHROMIUM']}")
            paths = selection.browser_paths or (BROWSER_TESTS,)
            _run(report, "browser tests", ["pytest", *selection.options, *paths], browser, may_be_empty=partial)


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, _interrupted)
    report, env = Report(), {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    try:
        if arguments[0] == "check":
            check(report, env)
        else:
            test(report, Selection.of(arguments[1:]), env)
    except Missing as missing:
        say(f"FAILED: {missing}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    if report.failed or report.ran == 0:
        say(f"FAILED: {', '.join(report.failed) or 'no test matched'}")
        return 1
    say("all passed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
