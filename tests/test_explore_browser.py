"""The explore notebook in a real JupyterLab: run all, choose, and see every view and the sentence follow."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from outcomes import write_clinic

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "explore.ipynb"
PANEL = ".outcomes-panel"
PROGRESS = f"{PANEL} .outcomes-progress"
_WAIT_MS = 120_000
#: Folder into which the pictures of docs/exploring.md are put; only where it is named.
_PICTURES = os.environ.get("OUTCOMES_PICTURES")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with a made-up clinic, whose scores and ids are canaries, and the explore notebook."""
    folder = tmp_path_factory.mktemp("project")
    write_clinic(folder / "data" / "raw" / "made-up-clinic", n_episodes=400, seed=3)
    (folder / "notebooks").mkdir()
    for name in ("explore", "therapy_comparison"):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder / "notebooks")
    return folder


@pytest.fixture(scope="module")
def lab(project):
    """JupyterLab as `outcomes explore` starts it; yields the address of the explore notebook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {name: str(project / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    options = [
        "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=explore",
    ]  # fmt: skip
    command = [sys.executable, "-c", "from outcomes.cli import main; main()", "explore", *options]
    with (project / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            env={**os.environ, **folders},
            cwd=project,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    base = f"http://127.0.0.1:{port}"
    try:
        _await_server(f"{base}/api?token=explore")
        yield f"{base}/lab/tree/notebooks/explore.ipynb?token=explore"
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the command and the server that it started
        server.wait(timeout=30)


def _await_server(address: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail("JupyterLab did not start within two minutes")


@pytest.fixture(scope="module")
def page(lab, browser):
    """The explore notebook, run from top to bottom, at the size of a small screen."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(_WAIT_MS)
    page.said, page.asked = [], []
    page.on("console", lambda said: page.said.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(lab)
    page.locator(".jp-Notebook").wait_for(timeout=_WAIT_MS)
    _show_panel(page)
    _settle(page)
    return page


def _run_all(page) -> None:
    """Run all cells.

    Asked before the kernel is ready, JupyterLab does nothing; it may ask at any moment which kernel to take:
    the offered one is accepted, and the run asked for again until the first cell has its number.
    """
    from playwright.sync_api import TimeoutError as Late

    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    idle.wait_for(timeout=_WAIT_MS)
    time.sleep(4)  # JupyterLab may connect to a new kernel twice, and forgets what was asked in between
    idle.wait_for(timeout=_WAIT_MS)
    for _ in range(10):
        try:
            question = page.locator(".jp-Dialog .jp-mod-accept")
            if question.count():
                question.first.click(timeout=3_000)
            page.get_by_role("menuitem", name="Run", exact=True).click(timeout=3_000)
            page.get_by_text("Run All Cells", exact=True).click(timeout=3_000)
            ran = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[[\d*]+\]:")).first
            ran.wait_for(timeout=20_000)
            return
        except Late:
            page.keyboard.press("Escape")  # a menu left open would hide what comes next
    pytest.fail("JupyterLab did not run the first cell")


def _show_panel(page) -> None:
    """Run all cells until the panel shows a view, as a person would who saw that not all of them ran.

    JupyterLab sometimes connects to its kernel a second time, and forgets the cells that were waiting.
    """
    for _ in range(4):
        _run_all(page)
        if _scroll_to_panel(page):
            return
        page.mouse.wheel(0, -10_000)  # back to the first cells, whose numbers are looked for
    pytest.fail("the panel showed no view")


def _scroll_to_panel(page) -> bool:
    """Scroll until the panel stands on the screen: JupyterLab draws no cell that lies far outside it."""
    picture = page.locator(f"{PANEL} img").first
    page.mouse.move(700, 500)
    for turn in range(40):
        if picture.count() and picture.is_visible():
            page.locator(PANEL).evaluate("panel => panel.scrollIntoView()")
            return True
        page.mouse.wheel(0, 400 if turn % 10 < 5 else -400)
        time.sleep(0.5)
    return False


def _read_all(page) -> dict[str, str]:
    texts = page.evaluate(
        "panel => [...document.querySelectorAll(panel + ' .outcomes-view')].map(view => view.innerHTML)",
        PANEL,
    )
    return {"sentence": texts[0], "front": texts[-2], "numbers": texts[-1]}


def _settle(page) -> dict[str, str]:
    """Return what is shown once all that follows from the choices so far was worked out.

    The panel says how many choices it has taken up, and whether anything still follows from them; it says so
    after what it shows, and messages arrive in order.
    """
    page.wait_for_function(
        f"() => document.querySelector('{PROGRESS}')?.dataset.busy === '0'", timeout=_WAIT_MS
    )
    page.choices = int(page.locator(PROGRESS).get_attribute("data-choices"))
    return _read_all(page)


def _follow(page) -> dict[str, str]:
    """Return what is shown once a further choice was taken up and all was worked out."""
    page.wait_for_function(
        f"""taken => {{ const told = document.querySelector('{PROGRESS}')?.dataset;
        return told && Number(told.choices) > taken && told.busy === '0'; }}""",
        arg=page.choices,
        timeout=_WAIT_MS,
    )
    return _settle(page)


def _await_change(page, before: dict[str, str], *places: str) -> dict[str, str]:
    """Wait until a choice was followed, and see that the given places show something else than before."""
    now = _follow(page)
    same = [place for place in places if now[place] == before[place]]
    assert not same, f"nothing followed in {', '.join(same)}"
    return now


def _await_return(page, wanted: dict[str, str]) -> dict[str, str]:
    """Wait until a choice was followed, and see that just what was shown earlier is shown again."""
    now = _follow(page)
    different = [place for place in wanted if now[place] != wanted[place]]
    assert not different, "taking a choice back brings back what was shown"
    return now


def _open(page, label: str) -> None:
    group = page.locator(f"{PANEL} details.outcomes-choice", has_text=re.compile(f"^{label}"))
    if group.get_attribute("open") is None:
        group.locator("summary").click()


FOLLOWS = ("sentence", "front", "numbers")


@pytest.mark.parametrize(
    ("group", "choice"),
    [
        ("Therapies", "usual care"),
        ("Duration of the complaint", "longer than 12 weeks"),
        ("Site", "harbour"),
        *(
            pytest.param(*choice, marks=pytest.mark.slow)
            for choice in (
                ("Region", "low back"), ("Cause", "non-specific"), ("Sex", "women"), ("Risk group", "medium"),
            )
        ),
    ],
)  # fmt: skip
def test_sentence_table_and_view_follow_each_choice_of_patients(page, group, choice):
    before = _settle(page)
    _open(page, group)
    box = page.locator(PANEL).get_by_role("checkbox", name=re.compile(f"^{choice}"))
    box.check()
    _await_change(page, before, *FOLLOWS)
    box.uncheck()
    _await_return(page, before)


def test_sentence_table_and_view_follow_the_other_choices(page):
    before = _settle(page)
    for list_name, option in (("Main time", "3 months"), ("Main time", "6 months")):
        choices = page.get_by_label(list_name)
        value = choices.locator("option", has_text=option).first.get_attribute("value")
        choices.select_option(value=value)
        before = _await_change(page, before, "sentence")
    for audience in ("stakeholders", "team"):
        page.get_by_role("radio", name=audience).check()
        before = _await_change(page, before, *FOLLOWS)
    for compared in ("described only", "compared, adjusted"):
        page.get_by_role("radio", name=compared).check()
        before = _await_change(page, before, "sentence")
    _open(page, "Time points shown")
    box = page.locator(PANEL).get_by_role("checkbox", name=re.compile("^3 months"))
    box.check()
    before = _await_change(page, before, "front", "numbers")
    box.uncheck()
    before = _await_change(page, before, "front", "numbers")
    measures = page.get_by_label("Measure")
    for name in ("Numeric Pain Rating Scale, average", "Oswestry Disability Index"):
        measures.select_option(value=measures.locator("option", has_text=name).first.get_attribute("value"))
        before = _await_change(page, before, *FOLLOWS)
    page.get_by_role("radio", name="Who improved").check()
    before = _await_change(page, before, "front")
    thresholds = page.get_by_label("Improved if")
    thresholds.select_option(index=1)
    before = _await_change(page, before, "front")
    thresholds.select_option(index=0)
    before = _await_change(page, before, "front")
    page.get_by_role("radio", name="Course").check()
    _await_change(page, before, "front")


def test_every_view_can_be_brought_to_the_front_and_shows_its_code(page):
    tabs = page.locator(f"{PANEL} .outcomes-tabs input")
    before = _settle(page)
    for place in [*range(1, tabs.count()), 0]:
        tabs.nth(place).check()
        before = _await_change(page, before, "front")
        code = page.locator(f"{PANEL} .outcomes-code").nth(1)
        code.locator("summary").click()
        assert "select_cohort(records" in code.locator("pre").inner_text()
        code.locator("summary").click()


@pytest.mark.skipif(not _PICTURES, reason="made where OUTCOMES_PICTURES names a folder")
def test_pictures_for_the_tutorial(page):
    """The pictures of docs/exploring.md, all of them of the made-up clinic."""
    before = _settle(page)
    shots = Path(str(_PICTURES))
    page.set_viewport_size({"width": 1280, "height": 1400})
    news = page.get_by_role("button", name="No", exact=True)
    if news.count():
        news.first.click()
    page.locator(PANEL).evaluate("panel => panel.scrollIntoView()")
    page.screenshot(path=shots / "exploring.png")
    _open(page, "Region")
    page.locator(PANEL).get_by_role("checkbox", name=re.compile("^low back")).check()
    before = _await_change(page, before, *FOLLOWS)
    page.get_by_role("radio", name="Comparison").check()
    before = _await_change(page, before, "front")
    page.screenshot(path=shots / "exploring-comparison.png")
    page.get_by_role("radio", name="Single patients").check()
    before = _await_change(page, before, "front")
    page.locator(f"{PANEL} .outcomes-view figure").first.screenshot(path=shots / "exploring-patients.png")
    page.get_by_role("radio", name="stakeholders").check()
    before = _await_change(page, before, *FOLLOWS)
    page.get_by_role("radio", name="Who improved").check()
    _await_change(page, before, "front")
    page.screenshot(path=shots / "exploring-stakeholders.png")


def test_a_view_is_saved_and_opened_again(page, project):
    before = _settle(page)
    _open(page, "Sex")
    women = page.locator(PANEL).get_by_role("checkbox", name=re.compile("^women"))
    women.check()
    chosen = _await_change(page, before, *FOLLOWS)
    page.get_by_label("Name of this view").fill("Women")
    page.get_by_role("button", name="Save view").click()
    page.get_by_text("Saved as Women.").wait_for(timeout=_WAIT_MS)
    assert (project / "data" / "views" / "Women.toml").is_file()
    women.uncheck()
    _await_return(page, before)
    page.get_by_label("Saved views").select_option(label="Women")
    _await_return(page, chosen)
    women.uncheck()
    _await_return(page, before)


@pytest.mark.parametrize("audience", ["stakeholder", "team"])
def test_the_panel_shows_what_the_page_of_the_same_audience_shows(page, project, audience):
    before = _settle(page)
    radio = page.get_by_role("radio", name="stakeholders" if audience == "stakeholder" else "team")
    if not radio.is_checked():
        radio.check()
        before = _await_change(page, before, *FOLLOWS)
    page.get_by_role("button", name="As a report").click()
    page.get_by_text(re.compile(rf"The report is made: reports/html/.*-{audience}")).wait_for(
        timeout=_WAIT_MS
    )
    made = next((project / "reports" / "html").glob(f"*-{audience}.html"))
    text = made.read_text(encoding="utf-8")
    tabs = page.locator(f"{PANEL} .outcomes-tabs label")
    shown = set()
    for place in [*range(1, tabs.count()), 0]:
        name = tabs.nth(place).inner_text()
        tabs.nth(place).locator("input").check()
        before = _await_change(page, before, "front")
        if "All outcomes" not in name and "Single patients" not in name:
            # where several views are empty for one reason, a page gives it once
            views = page.locator(f"{PANEL} .outcomes-view [id]:not(.empty)")
            shown |= {views.nth(i).get_attribute("id") for i in range(views.count())}
    # a pane says the methods of its own analysis, a page those of all
    of_views = {id for id in shown if re.search(r"-[0-9a-f]{8}$", id) and not id.startswith("methods-")}
    assert len(of_views) >= 7
    # an id is made of what its view shows, so that the same id is the same picture or table to the last digit
    assert not {id for id in of_views if f'id="{id}"' not in text}


def test_a_keyboard_alone_reaches_and_works_every_control(page):
    page.get_by_label("Measure").focus()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => { const e = document.activeElement;"
                " const named = e.closest('label, summary, .widget-inline-hbox, button');"
                " return !e.closest('.outcomes-panel') ? '' : e.tagName + (named ? named.textContent : ''); }"
            )
        )
        if not reached[-1]:
            break
    names = " ".join(reached)
    for name in (
        "Main time", "team", "compared, adjusted", "Therapies", "Region", "Cause", "Duration", "Sex", "Site",
        "Risk group", "Time points", "Improved if", "As a report", "Save view", "Course", "Show code",
    ):  # fmt: skip
        assert name in names, f"{name} is out of a keyboard's reach"
    _open(page, "Risk group")
    box = page.locator(f"{PANEL} details.outcomes-choice", has_text=re.compile("^Risk group")).locator(
        "input"
    )
    times, tab = page.get_by_label("Main time"), page.locator(f"{PANEL} .outcomes-tabs input")
    for control, keys, places in (
        (box.first, ("Space", "Space"), FOLLOWS),
        (times, ("ArrowDown", "ArrowUp"), ("sentence",)),
        (tab.first, ("ArrowRight",), ("front",)),
        (tab.nth(1), ("ArrowLeft",), ("front",)),
    ):
        for key in keys:
            before = _settle(page)
            _press(page, control, key)
            _await_change(page, before, *places)


def _press(page, control, key: str) -> None:
    """Press a key on a control, and see that the control itself takes it."""
    state = "e => e.tagName === 'SELECT' ? String(e.selectedIndex) : String(e.checked)"
    before = control.evaluate(state)
    for _ in range(5):
        control.focus()
        page.keyboard.press(key)
        for _ in range(20):
            if control.evaluate(state) != before:
                return
            time.sleep(0.05)
    pytest.fail(f"{key} does nothing")


def test_axe_finds_no_serious_violation_and_nothing_is_cut_at_1280_by_800(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=PANEL).response["violations"]
    serious = [
        f"{entry['id']}: {entry['help']}" for entry in found if entry["impact"] in ("serious", "critical")
    ]
    assert not serious
    wide = page.locator(PANEL).evaluate("panel => panel.scrollWidth - panel.clientWidth")
    assert wide <= 0, "the panel is wider than its place"


def test_no_error_was_said_and_no_other_host_was_asked(page, project):
    assert not [text for text in page.said if "favicon" not in text]
    hosts = {
        re.sub(r"^(\w+:)?//([^/:]*).*", r"\2", url)
        for url in page.asked
        if "://" in url and url[:5] != "blob:"
    }
    assert {host for host in hosts if host} <= {"127.0.0.1"}
    log = (project / "lab.log").read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in log


def test_the_saved_notebook_holds_no_row_of_a_patient(page, project):
    """Views live in widgets, whose state is not saved; the notebook keeps counts and aggregates only."""
    page.get_by_role("radio", name="Single patients").check()
    time.sleep(2)
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Save Notebook", exact=True).first.click()
    path = project / "notebooks" / "explore.ipynb"
    for _ in range(100):
        text = path.read_text(encoding="utf-8")
        if '"execution_count": 1' in text:
            break
        time.sleep(0.1)
    notebook = json.loads(text)
    assert "widgets" not in notebook["metadata"], "the state of widgets was saved"
    assert any(cell.get("outputs") for cell in notebook["cells"])
    ids = set()
    for file in (project / "data" / "raw" / "made-up-clinic").glob("*.csv"):
        ids |= set(re.findall(r"\b[EP]\d{5}\b", file.read_text(encoding="utf-8")))
    assert len(ids) > 400
    assert not [id for id in ids if id in text]
    assert "Single courses" not in text
