"""The private ground a trial stands on: a database server, a Redis, a folder, and the environment that names them.

Law: nothing of the operator's is touched. Every server is started here, on a free port, and stopped at the end.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from polyweb.devtools.servers import postgres, redis_server


@dataclass(frozen=True, slots=True)
class Ground:
    database_url: str
    redis_url: str
    folder: Path

    def environment(self) -> dict[str, str]:
        """What the trial's own process runs in: no variable of the operator's reaches it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYWEB_")}
        return kept | {
            "DJANGO_SETTINGS_MODULE": "polyweb.settings.dev",
            "POLYWEB_DATABASE_URL": self.database_url,
            "POLYWEB_REDIS_URL": self.redis_url,
            "POLYWEB_CHANNEL_LAYER": "redis",
            "POLYWEB_BROKER": "redis",
            "POLYWEB_VAR_DIR": str(self.folder),
            "POLYWEB_METRICS_PORT": "0",
            "POLYWEB_LOG_LEVEL": "WARNING",
            "POLYWEB_LOG_FORMAT": "json",
        }


@contextmanager
def private_ground() -> Iterator[Ground]:
    """Raises Missing when no PostgreSQL or Redis can be had on this machine."""
    with (
        TemporaryDirectory(prefix="polyweb-chaos-") as folder,
        postgres(None) as database,
        redis_server(None) as cache,
    ):
        yield Ground(database.url, cache.url, Path(folder))
