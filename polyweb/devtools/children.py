"""Child processes that live and die with their parent.

Law: every child is stopped by whoever started it: asked first, killed when it does not listen.
"""

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyweb.devtools.machine import Missing, say

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
STOP_TIMEOUT_S = 20.0
READY_TIMEOUT_S = 20.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    role: str
    process: subprocess.Popen[bytes]


def _die_with_parent() -> None:
    """In the child, before it becomes its command: a parent that is killed outright takes it along (Linux only)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def manage(*words: str) -> list[str]:
    return [sys.executable, "manage.py", *words]


@contextmanager
def started(
    role: str, command: Sequence[str], env: Mapping[str, str], *, speaks: bool = False, log: Path | None = None
) -> Iterator[Child]:
    """Run a child for the length of the block.

    `speaks`: its stdout is ours to read. With `log` everything it says is appended there, else it goes to our stderr.
    """
    with ExitStack() as stack:
        said = sys.stderr if log is None else stack.enter_context(log.open("ab"))
        # A session of its own: the terminal's Ctrl-C reaches only us, and we decide the order of the end.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if speaks else said,
            stderr=None if log is None else said,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    child = Child(role, process)
    try:
        yield child
    finally:
        stop(child)


def stop(child: Child) -> None:
    if child.process.poll() is None:
        child.process.send_signal(signal.SIGTERM)
        try:
            child.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            say(f"{child.role} did not stop after {STOP_TIMEOUT_S:.0f} s; killing it")
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
    if child.process.stdout is not None:
        child.process.stdout.close()


def first_line(child: Child, within_s: float = READY_TIMEOUT_S) -> dict[str, Any]:
    """The one JSON line a child prints once it listens. Raises Missing when it does not."""
    stdout = child.process.stdout
    assert stdout is not None, "started without speaks=True"
    with selectors.DefaultSelector() as ready:
        ready.register(stdout, selectors.EVENT_READ)
        if not ready.select(within_s):
            raise Missing(f"the {child.role} did not listen within {within_s:.0f} s")
    line = stdout.readline()
    if not line:
        raise Missing(f"the {child.role} ended before it listened")
    found: dict[str, Any] = json.loads(line)
    return found
