"""Texts that act (A6, A7): in names of sites, labels, notes, names of files and columns; on pages and in
tables.

Two doors are tried. Through the first, the files of a clinic, most of it does not come: the reader leaves
out values with markup or formulas, the gate refuses addresses; what a source says of itself comes in as it
is. Behind that door records are given names that act, since other ways in may be added. Pages are parsed
as a browser does, and opened in one.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import nbformat
import openpyxl
import pytest
from acting import FORMULAS, SHORT_ACTING, assert_harmless, parse_page
from hostile import write_hostile_clinic
from made_pages import work_in
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from outcomes.records import read_records
from outcomes.reports import run_report

NAMES = tuple(text for text in (*SHORT_ACTING, *FORMULAS) if text == text.strip())
PAGES = (("data_quality", "team"), ("therapy_profile", "team"))

PARAMETERS = """\
audience = "team"  # one of: team, stakeholder
k = 11  # from 5 to 100
clinic = ""  # alias
period = ""  # words
prepared_by = ""  # name
contact = ""  # address
"""
BEHIND = """\
from dataclasses import replace
from outcomes import *
from outcomes.synthetic import simulate_clinic
records = simulate_clinic(900, seed=4)
episodes = records.episodes.copy()
for column in ("site", "therapist"):
    episodes[column] = [names[i % len(names)] for i in range(len(episodes))]
    episodes[column] = episodes[column].astype("category")
records = replace(records, episodes=episodes)
cohort = select_cohort(records, instrument="odi")
page = open_page(audience, k=k)
quality = release(summarise_data_quality(records, by="site"), page)
sites = release(compare_sites(cohort), page)
change = release(summarise_change(cohort, by="site"), page)
"""
VIEWS = (
    "tabulate_recorded(quality)", "tabulate_assessed(quality)", "tabulate_sites(sites)", "draw_funnel(sites)",
    "tabulate_change(change)", "draw_trajectory(change)", "say_methods(change)",
)  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Pages of a clinic whose files and source act, and of records that do behind the door."""
    folder = tmp_path_factory.mktemp("hostile")
    said = {"prepared_by": SHORT_ACTING[0], "contact": SHORT_ACTING[3], "clinic": SHORT_ACTING[15]}
    made = {}
    with work_in(folder):
        source = write_hostile_clinic(folder / "records", NAMES, n_episodes=400)
        for name, audience in PAGES:
            parameters = {**said, "audience": audience}
            made[name, audience] = run_report(name, parameters, source=source, path="records")
        Path("notebooks").mkdir()
        cells = [new_markdown_cell("# Which?"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
        cells += [new_code_cell(f"names = {NAMES!r}\n{BEHIND}"), new_markdown_cell("## Answer\n\nYes.")]
        nbformat.write(new_notebook(cells=[*cells, *map(new_code_cell, VIEWS)]), "notebooks/behind.ipynb")
        made["behind", "team"] = run_report("behind", {**said, "audience": "team"})
    return made


def test_no_text_of_the_records_or_the_source_acts_on_a_page(reports):
    for report in reports.values():
        assert_harmless(report.page)


def test_texts_are_shown_as_they_are(reports):
    """They are there, so that finding nothing that acts means something."""
    shown = _read_words(reports["data_quality", "team"].page)
    assert all(_tidy(text) in shown for text in (SHORT_ACTING[0], SHORT_ACTING[3], SHORT_ACTING[15]))
    shown = _read_words(reports["behind", "team"].page)
    assert sum(_tidy(name) in shown for name in NAMES) >= 40


def test_the_reader_lets_in_neither_markup_nor_formulas(reports):
    folder = reports["data_quality", "team"].page.parents[2]
    with work_in(folder):
        records = read_records(folder / "hostile.toml", folder / "records")
    sites = set(records.episodes["site"].cat.categories)
    assert not [site for site in sites if re.search(r"[<>{}=@|]", site)]
    assert {"TEXT_MARKUP", "TEXT_FORMULA"} <= {finding.rule for finding in records.findings}


def test_no_text_becomes_a_formula_or_a_link(reports):
    for report in reports.values():
        book = openpyxl.load_workbook(report.folder / "results.xlsx")
        cells = [cell for sheet in book for row in sheet for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n", "b"}
        assert not [cell for cell in cells if cell.hyperlink]
        assert not book.defined_names
        with (report.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
            values = [value for row in csv.reader(file) for value in row]
        acting = [value for value in values if value and value[0] in "=+-@\t\r\n|＝＋－＠"]
        assert all(re.fullmatch(r"[+-]?\d+(\.\d+)?(e-?\d+)?", value) for value in acting)


def test_names_that_act_are_among_what_was_tabulated(reports):
    with (reports["behind", "team"].folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        groups = {row["group"] for row in csv.DictReader(file)}
    assert len(groups) >= len(NAMES)
    assert {f"'{text}" for text in FORMULAS if text in NAMES and text not in ("＋1",)} <= groups


def _read_words(page: Path) -> str:
    return _tidy("".join(parse_page(page).find("body").itertext()))


def _tidy(text: str) -> str:
    return " ".join(text.split()).lower()


@pytest.mark.browser
def test_a_browser_runs_nothing_and_asks_nobody(reports, browser):
    for report in reports.values():
        page = browser.new_page()
        asked, said = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("dialog", lambda dialog, said=said: (said.append(dialog.message), dialog.dismiss()))
        page.add_init_script("window.alert = text => { window.ran = text }")
        page.goto(report.page.as_uri())
        page.keyboard.press("Tab")
        page.mouse.move(200, 200)
        page.wait_for_timeout(200)
        assert not said and page.evaluate("window.ran === undefined")
        assert [url for url in asked if not url.startswith("data:")] == [report.page.as_uri()]
        page.close()
