"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A kernel may be compiled inside the first example, so no example has a deadline.
settings.register_profile("tickwax", deadline=None)
settings.load_profile("tickwax")

ROOT = Path(__file__).parent.parent


def pytest_report_header() -> str:
    """Nothing is skipped for want of a broker; which one there is must be seen."""
    from tests.kafka.broker import header  # the client library takes a quarter of a second

    return header()


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of recorded market data; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("TICKWAX_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded market data in {folder}; name its folder with TICKWAX_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def cases(market_data: Path) -> Path:
    """Folder of small made-up captures that went wrong elsewhere; a test that needs them skips where it is absent."""
    folder = market_data.parent / "cases" / "venues"
    if not folder.is_dir():
        pytest.skip(f"no small captures in {folder}")
    return folder
