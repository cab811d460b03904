"""Attacks in a real browser: what acts on a page that holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: What the allow-list of HTML does not let through, planted as if it had; the address is filled in.
PLANTED = (
    "<script>window.ran = true</script>"
    '<img src="{address}/picture.png">'
    '<link rel="stylesheet" href="{address}/a.css">'
    '<p onclick="window.ran = true" id="pressed">press</p>'
)


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


def open_planted(page: Path, browser: Browser) -> bool:
    """Plant what acts into the bytes of a page, open it, and say whether anything ran or was asked for."""
    with listen() as (address, asked):
        text = page.read_text(encoding="utf-8")
        assert "<h2" in text
        page.write_text(text.replace("<h2", f"{PLANTED.format(address=address)}<h2", 1), encoding="utf-8")
        opened = browser.new_page()
        try:
            opened.goto(page.as_uri(), wait_until="domcontentloaded")
            opened.locator("#pressed").click()
            opened.wait_for_timeout(300)
            return bool(opened.evaluate("window.ran === true")) or bool(asked)
        finally:
            opened.close()
