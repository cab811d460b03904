"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run of `make test`; `make slow` looks at others each time.
settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("new", print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("new" if "hypothesis" in config.getoption("markexpr") else "same")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with outside data and reference numbers; tests that need it are skipped where it is absent."""
    folder = os.environ.get("OUTCOMES_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("outside data and reference numbers are absent (set OUTCOMES_SHARED to their folder)")
    return Path(folder)
