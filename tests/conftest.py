"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with outside data and reference numbers; tests that need it are skipped where it is absent."""
    folder = os.environ.get("OUTCOMES_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("outside data and reference numbers are absent (set OUTCOMES_SHARED to their folder)")
    return Path(folder)
