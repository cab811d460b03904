"""Pages in a real browser: they ask nobody for anything, fit a telephone, print, and work with a keyboard."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from outcomes.reports import run_report

pytestmark = pytest.mark.browser

PARAMETERS = 'audience = "stakeholder"  # one of: team, stakeholder\nk = 11  # from 5 to 100\nclinic = ""'
VIEWS = """\
from io import BytesIO
import pandas as pd
from PIL import Image
from outcomes.views.view import View
held = BytesIO()
Image.new("RGB", (1400, 700), "white").save(held, "png")
wide = "<table><caption>Wide.</caption><thead><tr>" + "<th scope='col'>A long heading</th>" * 12
wide += "</tr></thead>"
wide += "<tbody><tr>" + "<td class='n'>1234.5</td>" * 12 + "</tr></tbody></table>"
frame = pd.DataFrame({"estimate": [1.5]})
"""
ACTING = """\
## Answer

Yes.<script>alert(1)</script><img src="https://example.org/a.png" onerror="alert(2)">
<svg onload="alert(3)"></svg><iframe src="https://example.org"></iframe>
<style>@import url(https://example.org/a.css);body{background:url(https://example.org/b.png)}</style>
<link rel="stylesheet" href="https://example.org/c.css"><details open ontoggle="alert(4)">x</details>

## What happened
"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    """A page whose notebook tries to act, with a figure, a wide table and a view that tries to act."""
    project = tmp_path_factory.mktemp("project")
    (project / "notebooks").mkdir()
    cells = [
        new_markdown_cell("# Which is larger?"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(VIEWS),
        new_markdown_cell(ACTING),
        new_code_cell(
            'View("drawn", "figure", "", held.getvalue(), "White.", "A figure.", None, audience, k)'
        ),
        new_code_cell('View("wide", "table", wide, None, "", "Wide.", frame, audience, k)'),
        new_code_cell(
            'View("acting", "sentence", "<p>said</p><script>alert(5)</script><img src=x onerror=alert(6)>",'
            ' None, "", "", None, audience, k)'
        ),
    ]
    nbformat.write(new_notebook(cells=cells), project / "notebooks" / "mine.ipynb")
    before = Path.cwd()
    os.chdir(project)
    try:
        return run_report("mine", {"clinic": "<img src=x onerror=alert(7)>"}).page.absolute()
    finally:
        os.chdir(before)


@pytest.fixture
def seen(browser, page_file):
    """Return what opens the page at a width, and what it asked for or showed meanwhile."""
    opened = []

    def look(width: int = 1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (asked.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: asked.append(f"console {message.text}"))
        page.goto(page_file.as_uri())
        page.wait_for_timeout(200)
        opened.append(page)
        return page, [url for url in asked if not url.startswith("data:image/png")]

    yield look
    for page in opened:
        page.close()


def test_a_page_asks_for_nothing_and_says_nothing_of_its_own(seen, page_file):
    page, asked = seen()
    assert asked == [page_file.as_uri()]
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_a_page_is_never_wider_than_its_window(seen, width):
    page, _ = seen(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_wide_table_scrolls_within_itself_and_by_keyboard(seen):
    page, _ = seen(390)
    region = page.get_by_role("region", name="Wide.")
    assert region.evaluate("element => element.scrollWidth > element.clientWidth")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert region.evaluate("element => element.scrollLeft") > 0


def test_the_first_key_leads_to_the_report(seen):
    page, _ = seen()
    page.keyboard.press("Tab")
    link = page.locator(":focus")
    assert link.inner_text() == "Skip to the report"
    assert link.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_contents_lead_to_their_sections(seen):
    page, _ = seen()
    links = page.get_by_role("navigation", name="Contents").get_by_role("link")
    assert links.all_inner_texts() == ["Answer", "What happened"]
    links.nth(1).click()
    assert page.url.endswith("#what-happened")
    assert page.locator("#what-happened").get_by_role("heading", name="What happened").is_visible()


def test_a_page_is_built_of_landmarks_with_one_title(seen):
    page, _ = seen()
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["Which is larger?"]
    assert page.locator("html").get_attribute("lang") == "en"
    assert [image.get_attribute("alt") for image in page.locator("img").all()] == ["White."]


def test_small_text_stands_out_from_its_ground(seen):
    page, _ = seen()
    contrasts = page.evaluate(CONTRASTS)
    assert contrasts and min(contrasts.values()) >= 4.5, contrasts


CONTRASTS = """() => {
  const read = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = read(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const element of document.querySelectorAll("p, li, a, th, td, figcaption, caption, h1, h2")) {
    const pair = [light(read(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    found[element.tagName + "." + element.className] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return found;
}"""


def test_a_page_prints_on_a4_without_its_navigation(seen):
    page, _ = seen()
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation").is_visible()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF") and len(printed) > 5000
