"""The explore notebook in a real JupyterLab: run all, choose, and see the answer change."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from outcomes import write_clinic

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "explore.ipynb"
_WAIT_MS = 120_000


@pytest.fixture(scope="module")
def chromium() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("OUTCOMES_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a project with a small made-up clinic; yields the address of the explore notebook."""
    project = tmp_path_factory.mktemp("project")
    write_clinic(project / "data" / "raw" / "made-up-clinic", n_episodes=400, seed=3)
    (project / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, project / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {name: str(project / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--allow-root", "--IdentityProvider.token=explore", f"--ServerApp.root_dir={project}",
    ]  # fmt: skip
    with (project / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **folders}, cwd=project, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        _await_server(f"{base}/api?token=explore")
        yield f"{base}/lab/tree/notebooks/explore.ipynb?token=explore"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await_server(address: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail("JupyterLab did not start within two minutes")


def _run_all(page) -> None:
    """Run all cells.

    Asked before the kernel is ready, JupyterLab does nothing; it may ask at any moment which kernel to take:
    the offered one is accepted, and the run asked for again until the first cell has its number.
    """
    from playwright.sync_api import TimeoutError as Late

    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=_WAIT_MS)
    for _ in range(20):
        try:
            question = page.locator(".jp-Dialog .jp-mod-accept")
            if question.count():
                question.first.click(timeout=3_000)
            page.get_by_role("menuitem", name="Run", exact=True).click(timeout=3_000)
            page.get_by_text("Run All Cells", exact=True).click(timeout=3_000)
            page.get_by_text("[1]:").first.wait_for(timeout=10_000)
            return
        except Late:
            page.keyboard.press("Escape")  # a menu left open would hide what comes next
    pytest.fail("JupyterLab did not run the first cell")


def test_every_choice_is_answered_in_jupyterlab(lab, chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1500})
        page.goto(lab)
        page.locator(".jp-Notebook").wait_for(timeout=_WAIT_MS)
        _run_all(page)
        answer = page.locator(".outcomes-view")
        answer.locator("img").wait_for(timeout=_WAIT_MS)
        assert answer.locator("img").get_attribute("alt").startswith("Line chart")
        assert "disability" in answer.inner_text() or "ODI" in answer.inner_text()
        page.get_by_label("Measure").select_option(label="Numeric Pain Rating Scale, average")
        page.get_by_text("Mean NPRS").first.wait_for(timeout=_WAIT_MS)
        chosen = page.get_by_label("Time point").evaluate("list => list.selectedOptions[0].text")
        assert chosen.split() == ["6", "months"]  # JupyterLab sets a fixed space
        page.get_by_label("usual care", exact=True).uncheck()
        page.locator(".outcomes-view", has_not_text="Usual care").wait_for(timeout=_WAIT_MS)
        browser.close()
