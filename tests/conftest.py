"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run of `make test`; `make slow` looks at others each time. No test is timed: a
# busy machine is no fault of the code.
_SHARED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
settings.register_profile("same", derandomize=True, database=None, **_SHARED)
settings.register_profile("new", print_blob=True, **_SHARED)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples of property tests."""
    settings.load_profile("new" if "hypothesis" in config.getoption("markexpr") else "same")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with outside data and reference numbers; tests that need it are skipped where it is absent."""
    folder = os.environ.get("OUTCOMES_SHARED")
    if not folder or not Path(folder).is_dir():
        pytest.skip("outside data and reference numbers are absent (set OUTCOMES_SHARED to their folder)")
    return Path(folder)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one the tests are skipped, or fail where they must run."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("OUTCOMES_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
