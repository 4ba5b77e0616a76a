"""What every test may ask for. Builders live beside the tests that use them; fixtures are few on purpose."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real captures beside the checkout, not part of the project; tests that want them skip without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no captures of the venue beside this checkout")
    return folder
