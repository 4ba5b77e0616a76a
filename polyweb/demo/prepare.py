"""Before the demo starts: a free port, no second instance, a database, an operator, static files.

Law: what is in the way gets one clear line naming it and the way out; nothing that is not the demo's own is removed.
"""

import fcntl
import os
import secrets
import shutil
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError, OutputWrapper

OPERATOR = "admin"


@dataclass(frozen=True, slots=True)
class Login:
    name: str
    password: str


def require_free_port(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CommandError(f"port {port} on 127.0.0.1 is taken: free it or give another one with --port") from None


def hold_lock(var: Path) -> TextIO:
    """One demo per folder. The returned file is the lock: keep it open."""
    var.mkdir(parents=True, exist_ok=True)
    lock = (var / "demo.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise CommandError(f"another demo is running in {var.name}/ (process {owner}): stop it first") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def forget(var: Path) -> None:
    """Remove what earlier demos left, and only that: the lock stays held."""
    for name in ("polyweb.sqlite3", "polyweb.sqlite3-wal", "polyweb.sqlite3-shm", "admin-password"):
        (var / name).unlink(missing_ok=True)
    for name in ("broker", "recordings"):
        shutil.rmtree(var / name, ignore_errors=True)
    for name in ("queue", "control"):
        (var / "broker" / name).mkdir(parents=True, exist_ok=True)


def database(out: OutputWrapper) -> None:
    call_command("migrate", verbosity=0, interactive=False, stdout=out)
    call_command("collectstatic", verbosity=0, interactive=False, stdout=out)


def operator(var: Path) -> Login:
    """The demo's superuser; its password is made once and kept in a file only its owner can read."""
    kept = var / "admin-password"
    user_model = get_user_model()
    user = user_model.objects.filter(username=OPERATOR).first()
    if user is not None and kept.exists():
        return Login(OPERATOR, kept.read_text(encoding="ascii").strip())
    password = secrets.token_urlsafe(9)
    if user is None:
        user_model.objects.create_superuser(OPERATOR, "", password)
    else:
        user.set_password(password)
        user.save(update_fields=["password"])
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(password + "\n")
    return Login(OPERATOR, password)
