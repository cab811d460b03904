"""No page, panel or file beside a page says a sentence twice, doubles a word or shows what is no text.

Every report is made for its audiences from a made-up clinic and from one of 25 patients.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from contextlib import chdir
from pathlib import Path

import html5lib
import openpyxl
import pytest

from outcomes.facts import list_instruments, read_instrument, read_words
from outcomes.panel import open_panel
from outcomes.records import read_records
from outcomes.reports import run_report
from outcomes.synthetic import write_clinic
from panel_texts import read_texts as read_panel
from small_clinics import write_small_clinic

REPORTS = [
    (name, audience)
    for name in (
        "data_quality", "model_checks", "site_benchmark", "therapy_comparison", "therapy_profile", "trend"
    )
    for audience in ("team", "stakeholder")
    if (name, audience) != ("model_checks", "stakeholder")
]  # fmt: skip
THERAPIES = ["strengthening", "manual_therapy", "combined_pt", "usual_care"]
#: What no text holds.
ODD = {
    "doubled word": r"\b([A-Za-z]{2,}) \1\b",
    "not a text": r"\b(?:None|nan|NaN|NaT|True|False|inf)\b|<NA>",
    "exponent": r"\d[eE][-+−]\d",
    "empty brackets": r"\(\s*\)|\[\s*\]|\{\s*\}|“\s*”",
    "space": r" {2}|\s[.,;:!?)](?:\s|$)|\(\s",
    "punctuation": r"\.\.(?!\.)|,[,.;:]|;[.;,]|:\.|\?\.",
    "template": r"\{\{|\}\}|\{%",
    "minus nothing": r"(?<![\w.-])[-−]0(?:\.0+)?(?![\w.])",
}
#: Sections and views of these tags hold texts of their own; what stands in them is one text.
TEXTS = {"p", "li", "dd", "figcaption", "caption", "td", "th", "h1", "h2", "h3", "dt"}


def find_odd(text: str) -> list[str]:
    return [f"{kind}: {text}" for kind, pattern in ODD.items() if re.search(pattern, text)]


def read_texts(page: Path) -> list[tuple[str, str]]:
    """Return tag and text of each smallest piece of a page, descriptions of pictures among them."""
    tree = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    body = tree.find("body")
    held = [
        (element.tag, " ".join("".join(element.itertext()).split()))
        for element in body.iter()
        if element.tag in TEXTS
        and not any(part.tag in TEXTS for part in element.iter() if part is not element)
    ]
    alts = [("alt", element.get(name)) for element in body.iter() for name in ("alt", "aria-label")]
    return [(tag, text) for tag, text in held + alts if text]


def list_sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", text) if len(part.split()) > 3]


@pytest.fixture(scope="module", params=[pytest.param("many", marks=pytest.mark.slow), "few"])
def made(request, tmp_path_factory):
    """Pages of all reports, by their name and audience."""
    project = tmp_path_factory.mktemp("project")
    if request.param == "many":
        write_clinic(project / "clinic", n_episodes=400, seed=5)
    else:
        write_small_clinic(project / "clinic", 25, THERAPIES)
    with chdir(project):
        return {
            asked: run_report(asked[0], {"audience": asked[1]}, path=project / "clinic") for asked in REPORTS
        }


@pytest.mark.parametrize("asked", REPORTS, ids="-".join)
def test_a_page_says_each_sentence_once(made, asked):
    pieces = read_texts(made[asked].page)
    headings = {text for tag, text in pieces if tag in ("h1", "h2", "h3")}
    said = Counter(
        sentence
        for tag, text in pieces
        if tag in ("p", "li", "dd", "figcaption", "caption") and text not in headings
        for sentence in list_sentences(text)
    )
    refers = read_words().say("page.see", sections="")[:20]
    assert not {text for text, n in said.items() if n > 1 and not text.startswith(refers)}
    terms = Counter(text for tag, text in pieces if tag == "dt")
    assert not {text for text, n in terms.items() if n > 1}


@pytest.mark.parametrize("asked", REPORTS, ids="-".join)
def test_a_page_and_its_files_show_nothing_odd(made, asked):
    report = made[asked]
    odd = [found for _, text in read_texts(report.page) for found in find_odd(text)]
    table = report.folder / "results.csv"
    if table.is_file():
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        cells = [(name, cell) for row in rows for name, cell in row.items() if name != "view" and cell]
        # a p-value may be as small as it is
        odd += [found for name, cell in cells if name != "p_value" for found in find_odd(cell)]
        book = openpyxl.load_workbook(table.with_suffix(".xlsx"), read_only=True)
        values = [value for sheet in book for line in sheet.iter_rows(values_only=True) for value in line]
        odd += [found for value in values if isinstance(value, str) for found in find_odd(value)]
        tiny = [value for value in values if isinstance(value, float) and 0 < abs(value) < 1e-15]
        assert not tiny
    assert not odd


@pytest.mark.slow
def test_a_panel_shows_nothing_odd(tmp_path):
    write_clinic(tmp_path / "clinic", n_episodes=300, seed=5)
    panel = open_panel(read_records("made-up-clinic", tmp_path / "clinic"))
    for audience in ("team", "stakeholder"):
        for view in ("course", "comparison", "responders", "domains", "included"):
            panel.choose(audience=audience, view=view)
            panel.finish()
            shown = html5lib.parse("".join(read_panel(panel).values()), namespaceHTMLElements=False)
            texts = [" ".join(text.split()) for text in shown.itertext()]
            assert not [found for text in texts for found in find_odd(text)]


@pytest.mark.parametrize("id", list_instruments())
def test_the_name_of_no_measure_doubles_a_word_beside_it(id):
    """Every text that names a measure, with each name that a measure has."""
    instrument = read_instrument(id)
    names = {
        instrument.name,
        str(instrument.called),
        str(instrument.called_short),
        str(instrument.called_unit),
    }
    doubled = []
    for key, text in list_templates():
        for place in re.finditer(r"(?:(\w+) )?\{\{ (?:instrument|measure|anchor|unit) \}\}(?: (\w+))?", text):
            for words in (name.split() for name in names if name):
                beside = (place[1] or "").lower() == words[0].lower()
                doubled += [key] if beside or (place[2] or "").lower() == words[-1].lower() else []
    assert not doubled


def list_templates() -> list[tuple[str, str]]:
    words, found = read_words(), []

    def walk(place: str) -> None:
        for name, held in words.list(place).items():
            if isinstance(held, str):
                found.append((f"{place}.{name}", held))
            else:
                walk(f"{place}.{name}")

    for file in words.folder.iterdir():
        walk(file.name.removesuffix(".toml"))
    return found
