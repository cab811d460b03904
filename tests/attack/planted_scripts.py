"""Attacks in a real browser: what acts on a page that holds it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

#: What the allow-list of HTML does not let through, planted as if it had; the address is filled in.
PLANTED = (
    "<script>window.ran = true</script>"
    '<img src="{address}/picture.png">'
    '<link rel="stylesheet" href="{address}/a.css">'
    '<p onclick="window.ran = true" id="pressed">press</p>'
)


def find_browser() -> str:
    """Return the browser to attack in; the test is skipped where there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        if os.environ.get("OUTCOMES_REQUIRE_BROWSER") == "1":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    return path


@contextmanager
def listen() -> Iterator[tuple[str, list[str]]]:
    """Serve nothing on this computer, and keep what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def open_planted(page: Path) -> bool:
    """Plant what acts into the bytes of a page, open it, and say whether anything ran or was asked for."""
    from playwright.sync_api import sync_playwright

    browser_path = find_browser()
    with listen() as (address, asked), sync_playwright() as playwright:
        text = page.read_text(encoding="utf-8")
        assert "<h2" in text
        page.write_text(text.replace("<h2", f"{PLANTED.format(address=address)}<h2", 1), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        try:
            opened = browser.new_page()
            opened.goto(page.as_uri(), wait_until="domcontentloaded")
            opened.locator("#pressed").click()
            opened.wait_for_timeout(300)
            return bool(opened.evaluate("window.ran === true")) or bool(asked)
        finally:
            browser.close()
