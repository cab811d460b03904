"""Another language: no page, figure, index or panel holds a word of the project's own in English."""

from __future__ import annotations

import ast
import datetime as dt
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import html5lib
import ipywidgets as widgets
import openpyxl
import pytest
from matplotlib.text import Text as Drawn

import series_project
from outcomes import open_panel, read_records, write_clinic
from outcomes.disclosure.page_context import name_run_folder
from outcomes.facts import list_instruments, read_facts, read_instrument, read_source, read_words
from outcomes.facts.scoring_rule import read_value_sets
from outcomes.facts.wording import Text
from outcomes.panel.controls import Controls
from outcomes.reports import run_report
from outcomes.reports.notebook_file import read_notebook
from outcomes.reports.page import build_page, render_page
from outcomes.reports.series.declaration import read_series
from outcomes.reports.site import write_site
from outcomes.views import read_view, view
from pseudo_language import LANGUAGE, mark, write_pseudo_language

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
AUDIENCES = [
    (path.stem, audience)
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    for audience in ("team", "stakeholder")
    if path.stem != "explore" and (path.stem, audience) != ("model_checks", "stakeholder")
]
#: Text of a page whose Latin letters belong to no word of the project, each with the reason.
DATA = {
    r"outcomes \S+": "name and version of the program",
    r"\d{4}[ -]Q\d": "a period of the records",
    r"\b[0-9a-f]{8,12}\b": "fingerprint of the records",
    r"made-up-clinic": "name of the source",
    r"https?://\S+|doi \S+": "an address",
}
#: What a source's owner typed.
TYPED = ("clinic", "label", "period")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the marked language and a clinic's records."""
    folder = tmp_path_factory.mktemp("project")
    write_pseudo_language(folder)
    write_clinic(folder / "clinic", n_episodes=500, seed=5)
    return folder


@pytest.fixture(autouse=True)
def within(project, monkeypatch):
    monkeypatch.chdir(project)


def list_data() -> list[str]:
    """Return texts that stay: citations, and what the source of the made-up clinic calls things."""
    source = read_source("made-up-clinic")
    instruments = [read_instrument(id) for id in list_instruments()]
    thresholds = [entry for one in instruments for entry in one.thresholds]
    cited = [one.source for one in instruments]
    files = {one.scoring.get("value_sets") for one in instruments} - {None}
    cited += [one.source for file in files for one in read_value_sets(file).values()]
    cited += [text for entry in thresholds for text in (entry.id, entry.source, entry.short_source)]
    cited += [entry["source"] for entry in read_facts("disclosure")["profiles"].values()]
    rules = read_facts("monitoring")["periods"]["rules"]
    cited += [rules["name"], rules["source"]]
    sites = read_records(path=Path("clinic")).episodes["site"].dropna().unique()
    names = [name for site in sites for name in (str(site), str(site).capitalize())]
    typed = [str(getattr(source, name)) for name in TYPED]
    typed += [entry.reason for file in source.files for entry in file.exclude]
    return [text for text in (*cited, *names, *typed, *source.caveats) if text]


def find_english(texts: list[str], allowed: list[str]) -> list[str]:
    """Return texts that hold Latin letters without a mark once what is allowed is taken out."""
    found = []
    wanted = sorted({" ".join(text.split()) for text in allowed}, key=len, reverse=True)
    for text in texts:
        left = " ".join(text.split())
        for known in (*wanted, *(known[:1].upper() + known[1:] for known in wanted)):
            left = left.replace(known, " ")
        for pattern in DATA:
            left = re.sub(pattern, " ", left)
        if re.search(r"[A-Za-z]", left) and not any(left.strip() in known for known in wanted):
            found.append(left)
    return found


def list_texts(html: str) -> list[str]:
    """Return what a page tells: texts of blocks, titles, names of regions and alt texts."""
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    blocks = {
        "p", "dt", "dd", "li", "td", "th", "caption", "figcaption", "h1", "h2", "h3", "h4", "title", "label",
        "option", "summary", "a", "legend",
    }  # fmt: skip
    told = ["".join(element.itertext()) for element in tree.iter() if element.tag in blocks]
    for element in tree.iter():
        told += [
            element.attrib[name]
            for name in ("alt", "title", "aria-label", "data-text")
            if name in element.attrib
        ]
    return [re.sub(r"\{\w+\}", "", text) for text in told]


def show_notebook(name: str, audience: str, folder: Path, monkeypatch) -> tuple[str, list[str]]:
    """Run a notebook's cells here; return its page and the texts that its figures draw."""
    drawn: list[str] = []
    save = view.save_png

    def note(figure: Any) -> bytes:
        png = save(figure)
        drawn.extend(text.get_text() for text in figure.findobj(Drawn) if text.get_visible())
        return png

    monkeypatch.setattr(view, "save_png", note)
    for variable, value in name_run_folder(folder).items():
        monkeypatch.setenv(variable, value)
    asked = {"path": str(Path("clinic").resolve()), "audience": audience, "k": 11, "language": LANGUAGE}
    notebook, names = read_notebook(NOTEBOOKS / f"{name}.ipynb"), {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        *most, last = ast.parse(cell.source).body
        exec(
            compile(ast.Module([*most, last] if not isinstance(last, ast.Expr) else most, []), name, "exec"),
            names,
        )
        if "parameters" in cell.metadata.get("tags", ()):
            names.update(asked)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), name, "eval"), names)
            if isinstance(shown, view.View):
                cell.outputs = [
                    {"output_type": "display_data", "data": shown._repr_mimebundle_(), "metadata": {}}
                ]
    views = {path.stem: read_view(folder / "views", path.stem) for path in (folder / "views").glob("*.json")}
    values = {key: value for key, value in names.items() if isinstance(value, str | int)}
    words = read_words(LANGUAGE)
    day = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    page = build_page(name, notebook, views, values, read_source("made-up-clinic"), day, "0" * 64, words)
    return render_page(page, words), drawn


@pytest.mark.parametrize(("name", "audience"), AUDIENCES)
def test_a_page_and_its_figures_are_in_the_language(name, audience, tmp_path, monkeypatch):
    html, drawn = show_notebook(name, audience, tmp_path, monkeypatch)
    texts = list_texts(html)
    assert len(texts) > 20 and f'<html lang="{LANGUAGE}">' in html
    assert not find_english([*texts, *drawn], list_data())
    assert name == "data_quality" or len([text for text in drawn if re.search(r"[^\W\d]", text)]) > 3


def test_a_text_left_in_english_is_found():
    assert find_english(["Ţħîš ŵøŕķš", "This does not"], []) == ["This does not"]
    assert find_english(["ŠéÉ Ostelo 2008, outcomes 1.2.0"], ["Ostelo 2008"]) == []
    assert mark("{{ n }} of {{ all }}") == "{{ n }} øƒ {{ all }}"


def test_a_report_is_made_in_the_language(project):
    report = run_report("data_quality", {"audience": "team", "language": LANGUAGE}, path=project / "clinic")
    html = report.page.read_text(encoding="utf-8")
    assert f'<html lang="{LANGUAGE}">' in html and mark("Patients") in html and "Patients" not in html
    assert html.count(mark("## Methods and sources")[3:]) == 2
    book = openpyxl.load_workbook(report.folder / "results.xlsx", read_only=True)
    first = book.worksheets[0]
    told = [first.title, *(str(cell.value) for row in first.iter_rows(max_row=1) for cell in row)]
    assert told == [mark(text) for text in ("contents", "sheet", "shows")]


def test_all_catalogues_have_the_same_keys():
    def list_keys(language: str, file: str) -> set[str]:
        def walk(content, place):
            for key, value in content.items():
                yield from (
                    walk(value, (*place, key)) if not isinstance(value, str) else [".".join((*place, key))]
                )

        return set(walk(read_words(language).list(file), (file,)))

    files = [path.stem for path in read_words("en").folder.iterdir()]
    assert len(files) > 12
    for file in files:
        assert list_keys("en", file) == list_keys(LANGUAGE, file)


@pytest.mark.parametrize(
    ("rule", "forms", "said"),
    [
        ("0 if n == 1 else 1", ("eine", "viele"), ["viele", "eine", "viele", "viele"]),
        ("0", ("位",), ["位", "位", "位", "位"]),
        (
            "0 if n == 1 else 1 if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else 2",
            ("jeden", "dwa", "pięć"),
            ["pięć", "jeden", "dwa", "pięć"],
        ),
    ],
)
def test_a_language_says_how_it_counts(tmp_path, monkeypatch, rule, forms, said):
    folder = tmp_path / "data" / "words" / "own"
    folder.mkdir(parents=True)
    listed = ", ".join(f"'{form}'" for form in forms)
    (folder / "language.toml").write_text(f'plural = "{rule}"\n', encoding="utf-8")
    (folder / "views.toml").write_text(f'many = "{{{{ n | plural({listed}) }}}}"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = read_words("own")
    assert [words.say("views.many", n=n) for n in (0, 1, 2, 12)] == said
    assert words.say("views.many", n="fewer than 11") == forms[-1]


def test_what_a_source_typed_stays_and_what_the_facts_call_it_is_translated(project):
    from dataclasses import replace

    from outcomes.facts import read_therapies
    from outcomes.views.labels import name_therapy

    known, words = read_therapies()["manual_therapy"], read_words(LANGUAGE)
    assert name_therapy(known, words) == mark(known.label)
    assert name_therapy(replace(known, label="Manual, as we do it"), words) == "Manual, as we do it"
    assert (
        name_therapy(read_therapies()["strengthening"], SimpleNamespace(language="zh-Hant")) == "核心肌力訓練"
    )
    assert words.write(Text.of("cohort.flow.no_therapy")) == mark("no therapy was recorded at the start")


def test_the_index_is_in_the_language_of_its_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pseudo_language(tmp_path)
    monkeypatch.setattr(
        series_project, "PARAMETERS", series_project.PARAMETERS + 'language = "en"  # of the page\n'
    )
    series_project.build_project(tmp_path, n_episodes=40)
    series_project.declare(
        tmp_path, series_project.DECLARED + f'title = "1"\nparameters = {{ language = "{LANGUAGE}" }}\n'
    )
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    before = write_site("reports/html", list(read_series().values()), tmp_path / ".outcomes", now, {})
    empty = before.read_text(encoding="utf-8")
    series_project.run("whole", now)
    index = write_site("reports/html", list(read_series().values()), tmp_path / ".outcomes", now, {})
    full = index.read_text(encoding="utf-8")
    assert (
        f'<html lang="{LANGUAGE}">' in full and mark("current") in full and mark("No release yet.") in empty
    )
    assert not find_english([*list_texts(empty), *list_texts(full)], [])


def list_widget_texts(widget: Any) -> list[str]:
    """Return the texts of a widget and of those within it."""
    texts = [str(getattr(widget, name, "")) for name in ("description", "label", "none")]
    if isinstance(widget, widgets.HTML):
        texts = list_texts(f"<!doctype html><title>1</title>{widget.value}")
    options = getattr(widget, "options", ())
    texts += [option["label"] if isinstance(option, dict) else str(option[0]) for option in options]
    texts += [option["note"] for option in options if isinstance(option, dict)]
    for child in getattr(widget, "children", ()):
        texts += list_widget_texts(child)
    return texts


def test_the_panel_is_in_the_language(project):
    records = read_records(path=project / "clinic")
    panel = open_panel(records, LANGUAGE)
    for audience in ("team", "stakeholder"):
        panel.choose(audience=audience)
        panel.finish()
        texts = list_widget_texts(panel._box)
        assert len(texts) > 100
        code = re.compile(r"<pre.*?</pre>", re.DOTALL)
        assert not find_english([code.sub("", text) for text in texts], list_data())
    assert isinstance(panel._controls, Controls)
