"""Database URLs to Django settings: SQLite for the embedded profile, PostgreSQL for everything else.

One law: a URL that is not understood raises ValueError with a sentence that never repeats the URL, since it
may hold a password.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000; "
    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000"
)


@dataclass(frozen=True, slots=True)
class Database:
    vendor: Literal["sqlite", "postgresql"]
    name: str
    connection: dict[str, Any] = field(default_factory=dict, repr=False)
    options: dict[str, str] = field(default_factory=dict, repr=False)

    def settings(self, *, pool: bool) -> dict[str, Any]:
        """The entry for DATABASES."""
        if self.vendor == "sqlite":
            return _sqlite(self.name)
        options: dict[str, Any] = dict(self.options)
        if pool:
            # Threads of one process share connections; Django then requires CONN_MAX_AGE = 0.
            options["pool"] = {"min_size": 1, "max_size": 10, "timeout": 10}
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": self.name,
            **self.connection,
            "OPTIONS": options,
            "CONN_MAX_AGE": 0 if pool else 60,
            "CONN_HEALTH_CHECKS": not pool,
        }


def _sqlite(name: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "OPTIONS": {
            # IMMEDIATE takes the write lock at BEGIN and waits for it; DEFERRED fails half-way with
            # "database is locked" as soon as two processes write.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": SQLITE_PRAGMAS,
        },
    }


def sqlite_at(path: Path) -> Database:
    return Database("sqlite", str(path))


def parse(url: str, base_dir: Path) -> Database:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL: check the port and the brackets") from None
    if parts.scheme == "sqlite":
        path = unquote(parts.path).removeprefix("/")
        if parts.netloc or not path:
            raise ValueError("must look like sqlite:///relative/file or sqlite:////absolute/file")
        return sqlite_at(base_dir / path)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("must start with postgresql:// or sqlite:///")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ValueError("must name one database: postgresql://user:password@host:5432/name")
    options = dict(parse_qsl(parts.query))
    connection = {
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        # A folder given as ?host=/path is a Unix socket, as libpq writes it.
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": options.pop("port", str(port or "")),
    }
    return Database("postgresql", name, connection, options)
