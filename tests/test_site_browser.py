"""The index and a real page in a real browser: nobody is asked for anything, and everybody can use them."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from outcomes.facts import read_words
from outcomes.reports import run_report
from outcomes.reports.editions.approval import approve_editions, find_waiting, read_states
from outcomes.reports.series.declaration import read_series
from outcomes.reports.site import write_released_site, write_site
from series_project import build_project, declare, run, write_notebook

pytestmark = pytest.mark.browser

SERIES = """\
[defaults]
source = "made-up-clinic"
notebook = "mine"
cadence = "monthly"
[report.whole]
title = "Which therapy <b>helps</b>?"
[report.sites]
for_each = "site"
title = "At each site"
[report.payers]
title = "For payers"
audience = "stakeholder"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A site with releases, earlier ones, one that failed and one without news."""
    project = tmp_path_factory.mktemp("project")
    before = Path.cwd()
    os.chdir(project)
    try:
        build_project(project, n_episodes=40)
        declare(project, SERIES)
        run("whole", dt.datetime(2026, 9, 3, tzinfo=dt.UTC))
        run("sites", dt.datetime(2026, 10, 3, tzinfo=dt.UTC))
        run("whole", dt.datetime(2026, 11, 3, tzinfo=dt.UTC))
        write_notebook(project, "if site == 'harbour':\n    raise ValueError", "## Answer\n\nYes.")
        now = dt.datetime(2026, 11, 3, tzinfo=dt.UTC)
        run("sites", now)
        private = project / ".outcomes"
        for day in (3, 4):  # one is released, the next one waits
            if day == 4:
                approve_editions(
                    find_waiting(private, ["payers"]), by="A. Reviewer", private=private, now=now
                )
                write_notebook(project, "## Answer\n\nNo.")
            run("payers", dt.datetime(2026, 7 + day, 3, tzinfo=dt.UTC))
        write_site("reports/html", list(read_series().values()), private, now, read_states(private))
        write_released_site(now)
    finally:
        os.chdir(before)
    return project / "reports" / "html" / "index.html"


@pytest.fixture(scope="module")
def released(site) -> Path:
    """The index of what was released."""
    return site.parents[1] / "released" / "index.html"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    """A real page for the team."""
    root, before = Path(__file__).parents[1], Path.cwd()
    out = tmp_path_factory.mktemp("pages")
    os.chdir(root)
    try:
        return run_report(
            "therapy_comparison", {"audience": "team"}, out=out, private_folder=out / "private"
        ).page
    finally:
        os.chdir(before)


@pytest.fixture
def look(browser):
    """Return what opens a page with the network blocked, and what it asked for or said meanwhile."""
    opened = []

    def open_(path: Path, width: int = 1280, **further):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **further)
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: asked.append(f"console {message.text}"))
        page.on("pageerror", lambda error: asked.append(f"error {error}"))
        page.goto(path.as_uri())
        page.wait_for_timeout(200)
        opened.append(context)
        return page, [url for url in asked if not url.startswith("data:image/png")]

    yield open_
    for context in opened:
        context.close()


def find_violations(page) -> list[str]:
    """Return what axe-core finds serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("which", ["site", "released", "page_file"])
def test_it_asks_nobody_and_says_nothing(look, which, request):
    path = request.getfixturevalue(which)
    _, asked = look(path)
    assert asked == [path.as_uri()]


@pytest.mark.parametrize("which", ["site", "released", "page_file"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_its_window_and_axe_finds_nothing_serious(look, which, width, request):
    page, _ = look(request.getfixturevalue(which), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not find_violations(page)


def test_the_index_says_what_stands_and_what_does_not(look, site):
    page, _ = look(site)
    words = read_words()
    text = page.locator("main").inner_text()
    for key in ("nothing_new", "attention", "attention_lead", "editions.made"):
        assert words.say(f"site.{key}") in text, key
    assert words.say("site.editions.released") in page.locator("main").text_content(), "an earlier one"
    assert "the notebook failed" in page.get_by_role("note").inner_text()
    assert page.get_by_role("heading", name="Which therapy <b>helps</b>?").is_visible()
    for link in page.locator("main").get_by_role("link").all():
        assert (site.parent / link.get_attribute("href")).is_file()


def shown(page) -> list[str]:
    return [
        row.inner_text().replace("\t", " ") for row in page.locator("[data-entry]").all() if row.is_visible()
    ]


def test_the_index_of_what_was_released_tells_of_nothing_else(look, released):
    page, _ = look(released)
    text = page.locator("body").inner_text()
    assert "current, released 2026-" in text and "At each site" not in text
    assert "waits" not in text and "not made" not in text
    (link,) = page.locator("main").get_by_role("link").all()
    link.click()
    assert page.get_by_role("heading", level=1).inner_text() == "Which?"


def test_the_index_is_filtered_by_site_release_and_age(look, site):
    page, _ = look(site)
    everything = page.locator("[data-entry]").count()
    assert not [row for row in shown(page) if "earlier" in row]
    page.get_by_label("earlier releases too").check()
    assert len(shown(page)) == everything
    page.get_by_label("Site", exact=True).select_option("harbour")
    assert {("Harbour" in row or "harbour" in row) for row in shown(page)} == {True} and len(shown(page)) == 2
    assert page.get_by_role("status").inner_text() == f"2 of {everything} shown"
    page.get_by_label("Release", exact=True).select_option("2026-08")
    assert not shown(page) and page.get_by_text("No report matches").is_visible()
    page.get_by_label("Site", exact=True).select_option("")
    assert len(shown(page)) == 1


def test_the_index_is_used_by_keyboard_in_the_order_in_which_it_is_read(look, site):
    page, _ = look(site)
    names = []
    for _ in range(7):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name || document.activeElement.textContent"))
    assert names[:6] == ["Skip to the reports", "report", "site", "slot", "past", "The whole clinic"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert [row for row in shown(page) if "earlier" in row]


def test_without_its_script_the_index_shows_everything(look, site):
    page, _ = look(site, java_script_enabled=False)
    assert not page.locator("#filters").is_visible()
    assert len(shown(page)) == page.locator("[data-entry]").count()


def test_the_indexs_policy_lets_no_other_script_run(look, site, tmp_path):
    forged = tmp_path / "forged.html"
    text = site.read_text(encoding="utf-8")
    forged.write_text(
        text.replace("</main>", "<script>document.title='ran'</script></main>"), encoding="utf-8"
    )
    page, asked = look(forged)
    assert page.title() != "ran" and any("Content Security Policy" in said for said in asked)


def test_printing_keeps_figures_whole(look, page_file):
    page, _ = look(page_file)
    page.emulate_media(media="print")
    broken = page.evaluate(
        "[...document.querySelectorAll('figure')].filter(f => f.querySelector('img'))"
        ".filter(f => getComputedStyle(f).breakInside !== 'avoid').length"
    )
    figures = page.locator("figure:has(img)")
    assert figures.count() >= 3 and not broken
    tallest = max(figure.bounding_box()["height"] for figure in figures.all())
    assert tallest < 247 / 25.4 * 96, "no figure is higher than what A4 leaves between its margins"
    assert page.pdf(format="A4")[:5] == b"%PDF-"
