"""`./run manage` on a machine that has never used it: the development database is made before the command needs it.

Law: only SQLite, only when the file is not there yet; an existing database is migrated by people.
"""

import os
import sys
from pathlib import Path

from polyweb.command_line import DEFAULT_PROFILE
from polyweb.command_line import main as run


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", DEFAULT_PROFILE)
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return 0
    file = Path(database["NAME"])
    if file.exists() and file.stat().st_size:
        return 0
    sys.stderr.write(f"run: making the database {file.name}\n")
    # The command that follows says what is wrong with these settings; here they would only be said twice.
    return run(["manage.py", "migrate", "--verbosity", "0"])


if __name__ == "__main__":
    raise SystemExit(main())
