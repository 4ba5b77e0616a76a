"""What the tests of the project's own environment ask for."""

import os
from pathlib import Path

import pytest

from tests.installation import DATABASE, Installation


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No POLYWEB_ variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("POLYWEB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy, for tests that start processes of their own."""
    place = Installation(tmp_path_factory.mktemp("migrated"))
    done = place.manage("migrate", "-v", "0")
    assert done.returncode == 0, done.stderr
    place.rows("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    return place.folder / DATABASE
