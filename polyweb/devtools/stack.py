"""`./run up`: the full stack on this machine, one process per role, on PostgreSQL and Redis.

One law: the roles live and die together. A dead child ends them all, loudly; Ctrl-C stops each in order, the
engine first, because it cancels its orders on the way out.
"""

import argparse
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import NoReturn

from polyweb.devtools.machine import Missing, is_free, is_root, say
from polyweb.devtools.servers import postgres, redis_server, without_password

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 20.0
READY_TIMEOUT_S = 30.0
WEB_TIMEOUT_S = 60.0
ADMIN = "admin"


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; a BaseException so that nothing on the way swallows it."""


class Ended(Exception):
    """A role ended by itself; it has been said already."""


@dataclass(frozen=True, slots=True)
class Child:
    role: str
    process: subprocess.Popen[bytes]


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _manage(*words: str) -> list[str]:
    return [sys.executable, "manage.py", *words]


def _roles(port: int) -> dict[str, list[str]]:
    celery = [str(BIN / "celery"), "--quiet", "-A", "polyweb"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return {
        "web": [str(BIN / "uvicorn"), "polyweb.asgi:application", *address, "--no-access-log"],
        "worker": [*celery, "worker", "-P", "threads", "-c", "4", "--without-mingle"],
        "beat": [*celery, "beat"],
        "engine": _manage("run_engine"),
    }


def _kept(path: Path) -> tuple[str, bool]:
    """A secret made once and kept beside the data, readable by its owner only; True when it is new."""
    if path.exists():
        return path.read_text(encoding="ascii"), False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(value := secrets.token_urlsafe(48), encoding="ascii")
    return value, True


def environment(base: Mapping[str, str], var: Path, database: str, redis: str) -> dict[str, str]:
    """The live profile on this machine; whatever the caller has set already wins."""
    _kept(var / "secret_key")
    ours = {
        "DJANGO_SETTINGS_MODULE": "polyweb.settings.live",
        "POLYWEB_HTTPS": "false",
        "POLYWEB_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "POLYWEB_SECRET_KEY_FILE": str(var / "secret_key"),
        "POLYWEB_RELAYER": "paper",
    }
    return {**ours, **base, "POLYWEB_DATABASE_URL": database, "POLYWEB_REDIS_URL": redis}


def _step(words: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(_manage(*words), cwd=ROOT, env=env, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise Missing(f"manage.py {words[0]} failed with exit code {done.returncode}")


def _prepare(env: Mapping[str, str], var: Path) -> None:
    _step(["migrate", "--verbosity", "0"], env)
    _step(["collectstatic", "--noinput", "--verbosity", "0"], env)
    password, is_new = _kept(var / "admin_password")
    if is_new:
        command = _manage("createsuperuser", "--noinput", "--username", ADMIN, "--email", "admin@localhost")
        with_password = {**env, "DJANGO_SUPERUSER_PASSWORD": password}
        subprocess.run(command, cwd=ROOT, env=with_password, stdout=sys.stderr, check=False)


@contextmanager
def _started(role: str, command: list[str], env: Mapping[str, str], children: list[Child]) -> Iterator[Child]:
    # A session of its own: the terminal's Ctrl-C reaches only us, and we decide the order of the end.
    output = subprocess.PIPE if role == "sandbox" else None
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, start_new_session=True
    )
    child = Child(role, process)
    children.append(child)
    try:
        yield child
    finally:
        _stop(child)


def _stop(child: Child) -> None:
    if child.process.poll() is not None:
        return
    say(f"stopping {child.role}")
    child.process.send_signal(signal.SIGTERM)
    try:
        child.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        say(f"{child.role} did not stop after {STOP_TIMEOUT_S:.0f} s; killing it")
        os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


def _sandbox_line(child: Child) -> dict[str, str]:
    """The sandbox prints one JSON line once it listens."""
    stdout = child.process.stdout
    assert stdout is not None
    with selectors.DefaultSelector() as ready:
        ready.register(stdout, selectors.EVENT_READ)
        if not ready.select(READY_TIMEOUT_S):
            raise Missing(f"the sandbox did not listen within {READY_TIMEOUT_S:.0f} s")
    line = stdout.readline()
    if not line:
        raise Missing("the sandbox ended before it listened")
    found: dict[str, str] = json.loads(line)
    return found


def _check_alive(children: Sequence[Child]) -> None:
    for child in children:
        code = child.process.poll()
        if code is not None:
            say(f"FAILED: {child.role} ended with exit code {code}; stopping everything")
            raise Ended(child.role)


def _wait_for_web(port: int, children: Sequence[Child]) -> None:
    deadline = time.monotonic() + WEB_TIMEOUT_S
    while not _answers(port):
        _check_alive(children)
        if time.monotonic() > deadline:
            raise Missing(f"web did not answer within {WEB_TIMEOUT_S:.0f} s; stopping everything")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    link = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request("GET", "/health/live")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def _watch(children: Sequence[Child]) -> NoReturn:
    while True:
        _check_alive(children)
        time.sleep(0.2)


def up(port: int, feed: str | None) -> NoReturn:
    if not is_free(port):
        raise Missing(f"port {port} is taken: stop what uses it or choose another with --port")
    var = ROOT / "var" / "up"
    # PostgreSQL of root's checkout runs as another user, who may not look into this folder.
    data = Path("/var/lib/polyweb/postgres") if is_root() else var / "postgres"
    children: list[Child] = []
    with ExitStack() as stack:
        database = stack.enter_context(postgres(os.environ.get("POLYWEB_DATABASE_URL"), keep_in=data))
        redis = stack.enter_context(redis_server(os.environ.get("POLYWEB_REDIS_URL")))
        env = environment(os.environ, var, database.url, redis.url)
        if feed is None:
            sandbox = _manage("sandbox", "--port", "0")
            line = _sandbox_line(stack.enter_context(_started("sandbox", sandbox, env, children)))
            env = {**env, "POLYWEB_FEED_URL": line["ws"], "POLYWEB_GAMMA_URL": line["http"]}
            env["POLYWEB_CLOB_URL"] = line["http"]
        _prepare(env, var)
        for role, command in _roles(port).items():
            stack.enter_context(_started(role, command, env, children))
        say(f"database       {database.where}")
        say(f"broker, layer  {redis.where}: {without_password(redis.url)}")
        say(f"feed           {env.get('POLYWEB_FEED_URL')}{' (sandbox)' if feed is None else ''}")
        say(f"relayer        {env['POLYWEB_RELAYER']}")
        say(f"login          {ADMIN}, password in {(var / 'admin_password').relative_to(ROOT)}")
        _wait_for_web(port, children)
        say(f"open           http://127.0.0.1:{port}/    (Ctrl-C stops everything)")
        _watch(children)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run up", description="the full stack on this machine")
    parser.add_argument("--port", type=int, default=8000, help="port of the web process on 127.0.0.1")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, _interrupted)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        up(chosen.port, os.environ.get("POLYWEB_FEED_URL"))
    except Missing as missing:
        say(f"FAILED: {missing}")
        return 1
    except Ended:
        return 1
    except Interrupted:
        say("stopped")
        return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
