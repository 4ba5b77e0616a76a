"""What the machine offers: programs, Debian packages, free ports, a user to drop to.

One law: nothing is used silently. Whatever is found or installed is said on stderr, and what is missing is
one line that names the command that would provide it.
"""

import argparse
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVICE_USER = "polyweb-test"


class Missing(Exception):
    """Something needed is not on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user a server runs as; `None` fields mean the one who started us."""

    name: str
    uid: int
    gid: int


def say(text: str) -> None:
    print(f"run: {text}", file=sys.stderr, flush=True)  # noqa: T201


def is_root() -> bool:
    return os.geteuid() == 0


def find_program(names: Iterable[str], folders: Iterable[str] = ()) -> Path | None:
    """The first of `names` on the PATH, else in the folders (glob patterns, newest version last)."""
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    for pattern in folders:
        for folder in sorted(Path("/").glob(pattern.removeprefix("/")), key=_version, reverse=True):
            for name in names:
                if os.access(folder / name, os.X_OK):
                    return folder / name
    return None


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parts if part.isdigit())


def apt_install(*packages: str) -> bool:
    """Install Debian packages when we may; False when this is no Debian or we are not root."""
    if not is_root() or shutil.which("apt-get") is None:
        return False
    say(f"installing Debian packages: {' '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=quiet, stdout=sys.stderr, stderr=sys.stderr, check=False)
        if done.returncode != 0:
            say(f"{' '.join(command[:2])} failed with exit code {done.returncode}")
            return False
    return True


def port_number(text: str) -> int:
    """For argparse: a TCP port somebody can listen on."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port between 1 and 65535")
    return number


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def service_account(candidates: Sequence[str] = ("postgres", SERVICE_USER)) -> Account | None:
    """Whom to drop to. PostgreSQL refuses to run as root; anyone else simply runs it."""
    if not is_root():
        return None
    for name in candidates:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVICE_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Missing(f"PostgreSQL may not run as root and no user could be made: {' '.join(command)}") from None
    return service_account((SERVICE_USER,))
