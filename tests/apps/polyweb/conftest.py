"""What the tests of the project's own environment ask for."""

import os

import pytest


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No POLYWEB_ variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("POLYWEB_")]:
        monkeypatch.delenv(name)
