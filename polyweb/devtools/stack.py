"""`./run up`: the full stack on this machine, one process per role, on PostgreSQL and Redis.

One law: the roles live and die together. A dead child ends them all, loudly; Ctrl-C stops each in order, the engine
first, because it cancels its orders on the way out.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import NoReturn

from polyweb.devtools.children import BIN, ROOT, Child, first_line, manage, started
from polyweb.devtools.machine import Missing, is_free, is_root, port_number, say
from polyweb.devtools.servers import postgres, redis_server, without_password

WEB_TIMEOUT_S = 60.0
ADMIN = "admin"
DEFAULT_STATE = ROOT / "var" / "up"

# The sandbox's markets trade from the start; those of the venue wait for a person to switch them on.
STAGE = "from polyweb.demo.stage import stage_sandbox; stage_sandbox({url!r})"


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; a BaseException so that nothing on the way swallows it."""


class Ended(Exception):
    """A role ended by itself; it has been said already."""


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _roles(port: int, var: Path) -> dict[str, list[str]]:
    celery = [str(BIN / "celery"), "--quiet", "-A", "polyweb"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return {
        "web": [str(BIN / "uvicorn"), "polyweb.asgi:application", *address, "--no-access-log"],
        "worker": [*celery, "worker", "-P", "threads", "-c", "4", "--without-mingle", "-l", "WARNING"],
        "beat": [*celery, "beat", "-l", "WARNING", "--schedule", str(var / "celerybeat-schedule")],
        "engine": manage("run_engine"),
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
        # A line per request would bury the greeting, and so would Celery's page about running as root.
        "POLYWEB_LOG_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }
    fixed = {"POLYWEB_VAR_DIR": str(var), "POLYWEB_DATABASE_URL": database, "POLYWEB_REDIS_URL": redis}
    return {**ours, **base, **fixed}


def _step(words: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(manage(*words), cwd=ROOT, env=env, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise Missing(f"manage.py {words[0]} failed with exit code {done.returncode}")


def _prepare(env: Mapping[str, str], var: Path, data: Path) -> Path:
    """Tables, static files and an operator. Returns the file that holds the operator's password."""
    _step(["migrate", "--verbosity", "0"], env)
    _step(["collectstatic", "--noinput", "--verbosity", "0"], env)
    # Beside the database it belongs to: another database has another operator.
    kept = var / f"{ADMIN}-password-{data.name}"
    password, is_new = _kept(kept)
    if is_new:
        command = ["createsuperuser", "--noinput", "--username", ADMIN, "--email", "admin@localhost"]
        with_password = {**env, "DJANGO_SUPERUSER_PASSWORD": password}
        subprocess.run(manage(*command), cwd=ROOT, env=with_password, stdout=sys.stderr, check=False)
    return kept


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


def state_folder(base: Mapping[str, str]) -> Path:
    """Where secrets, recordings and rows are kept from one start to the next."""
    chosen = base.get("POLYWEB_VAR_DIR")
    return (ROOT / chosen).resolve() if chosen else DEFAULT_STATE


def data_folder(var: Path) -> Path:
    """Where PostgreSQL keeps its rows. As root it runs as another user, who may not look into our folder."""
    if not is_root():
        return var / "postgres"
    # One for each state folder: the operator's password is kept there, and must be that of these rows.
    own = "" if var == DEFAULT_STATE else f"-{sha256(bytes(var)).hexdigest()[:8]}"
    return Path(f"/var/lib/polyweb/postgres{own}")


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def up(port: int, feed: str | None) -> NoReturn:
    if not is_free(port):
        raise Missing(f"port {port} is taken: stop what uses it or choose another with --port")
    var = state_folder(os.environ)
    data = data_folder(var)
    children: list[Child] = []
    with ExitStack() as stack:
        database = stack.enter_context(postgres(os.environ.get("POLYWEB_DATABASE_URL"), keep_in=data))
        redis = stack.enter_context(redis_server(os.environ.get("POLYWEB_REDIS_URL")))
        env = environment(os.environ, var, database.url, redis.url)
        if feed is None:
            sandbox = stack.enter_context(started("sandbox", manage("sandbox", "--port", "0"), env, speaks=True))
            children.append(sandbox)
            line = first_line(sandbox)
            env |= {"POLYWEB_FEED_URL": line["ws"], "POLYWEB_GAMMA_URL": line["http"], "POLYWEB_CLOB_URL": line["http"]}
        password = _prepare(env, var, data)
        if feed is None:
            _step(["shell", "--no-imports", "-c", STAGE.format(url=env["POLYWEB_GAMMA_URL"])], env)
        for role, command in _roles(port, var).items():
            children.append(stack.enter_context(started(role, command, env)))
        _wait_for_web(port, children)
        say(f"database       {database.where}")
        say(f"broker, layer  {redis.where}: {without_password(redis.url)}")
        say(f"feed           {env['POLYWEB_FEED_URL']}{' (sandbox)' if feed is None else ''}")
        say(f"relayer        {env['POLYWEB_RELAYER']}")
        say(f"state          {_shown(var)}/")
        say(f"login          {ADMIN}, password in {_shown(password)}")
        say(f"open           http://127.0.0.1:{port}/    (Ctrl-C stops everything)")
        _watch(children)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run up", description="the full stack on this machine")
    parser.add_argument("--port", type=port_number, default=8000, help="port of the web process on 127.0.0.1")
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
