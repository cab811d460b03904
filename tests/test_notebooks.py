"""The committed notebooks, run as users run them, on made-up records with private texts planted."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import html5lib
import pytest

sys.path.insert(0, str(Path(__file__).parent / "attack"))
from searching import find_planted

from outcomes import compare_over_time, read_records, select_cohort, write_clinic
from outcomes.reports import find_notebook, list_reports, read_parameters, run_report
from outcomes.reports.engine import execute_notebook
from outcomes.reports.engine.task import Task
from outcomes.reports.job import open_run
from outcomes.reports.notebook_file import read_notebook

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTE = "slipped on the harbour steps"
NAME = "Quirinius Vandersloot"
SECTIONS = [
    "Answer", "Who was compared", "What happened", "The comparison", "What it means for patients",
    "How robust", "For whom and for how long", "Since the last release", "What this cannot show",
    "Methods and sources",
]  # fmt: skip
COMPARING = {"contrast", "marginal_mean", "share_improved_standardised", "hedges_g"}


@contextmanager
def within(folder: Path):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def plant(folder: Path) -> list[str]:
    """Write a name and a note into columns that nobody maps; return what must never leave."""
    path = folder / "episodes.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "patient_name", "remark"])
        writer.writeheader()
        writer.writerows({**row, "patient_name": NAME, "remark": NOTE} for row in rows)
    private = {
        row[key] for row in rows[::17] for key in ("episode_id", "patient_id", "start_date", "therapist")
    }
    return [NAME, NOTE, *(text for text in private if len(text) > 4)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pages of every report notebook for the audiences, and what was planted in their records."""
    project = tmp_path_factory.mktemp("project")
    write_clinic(project / "clinic", n_episodes=500, seed=5)
    planted = plant(project / "clinic")
    asked = [
        ("therapy_comparison", "stakeholder"), ("therapy_comparison", "team"), ("data_quality", "team"),
        ("model_checks", "team"),
        ("site_benchmark", "stakeholder"), ("trend", "stakeholder"), ("therapy_profile", "stakeholder"),
    ]  # fmt: skip
    with within(project):
        reports = [run_report(name, {"audience": who}, path=project / "clinic") for name, who in asked]
    return project, dict(zip(asked, reports, strict=True)), planted


def parse(report):
    return html5lib.parse(report.page.read_text(encoding="utf-8"), namespaceHTMLElements=False)


def test_every_report_notebook_is_tried_here(made):
    own = {path.stem for path in FOLDER.glob("*.ipynb")} - {"explore"}
    assert own == {name for name, _ in made[1]} and own <= set(list_reports())


def test_nothing_private_is_published(made):
    project, _, planted = made
    assert len(planted) > 30
    assert not find_planted(project / "reports", planted)


def test_the_comparison_says_its_sections_in_order(made):
    for audience in ("stakeholder", "team"):
        tree = parse(made[1]["therapy_comparison", audience])
        assert ["".join(heading.itertext()) for heading in tree.iter("h2")] == SECTIONS


def test_every_section_shows_something(made):
    for report in made[1].values():
        for section in parse(report).iter("section"):
            title, *rest = list(section)
            assert "".join(text for part in rest for text in part.itertext()).strip(), title.text


def test_pages_are_well_formed_and_small(made):
    for report in made[1].values():
        text = report.page.read_text(encoding="utf-8")
        html5lib.HTMLParser(strict=True).parse(text)
        assert report.page.stat().st_size < 1_500_000
        assert text.count("<h1>") == 1 and '<html lang="en">' in text
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_every_figure_is_told_in_words(made):
    for report in made[1].values():
        images = list(parse(report).iter("img"))
        assert all(len(image.attrib["alt"]) > 40 for image in images)
        assert len(images) == len(list(report.folder.glob("*.png")))


def test_tables_tell_rows_and_columns_apart(made):
    for report in made[1].values():
        for table in parse(report).iter("table"):
            assert all(head.attrib.get("scope") for head in table.iter("th") if head.attrib) or "Item" in (
                "".join(table.itertext())
            )


def test_a_page_says_that_its_records_are_made_up_and_stakeholders_get_a_record(made):
    for (_, audience), report in made[1].items():
        text = "".join(parse(report).find("body").itertext())
        assert "Made-up records" in text
        assert (report.folder / "release-record.json").is_file() == (audience == "stakeholder")


def test_what_lies_beside_a_page_holds_its_released_numbers(made):
    for (name, audience), report in made[1].items():
        with (report.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert (rows and "std_error" not in rows[0]) or audience == "team", name
        withheld = [row for row in rows if row["display"] == "withheld"]
        assert not [row for row in withheld if row["estimate"]]


def test_the_manifest_says_what_a_page_was_made_from(made):
    report = made[1]["therapy_comparison", "team"]
    manifest = json.loads(report.manifest.read_text(encoding="utf-8"))
    assert manifest["state"] == "published" and manifest["page"] == report.page.name
    assert manifest["records_sha256"] and manifest["notebook_sha256"] and manifest["outcomes"]
    assert manifest["parameters"] == {
        "instrument": "", "variant": "", "timepoint": "", "reference": "", "threshold": "", "region": "",
        "since": "", "site": "", "until": "", "audience": "team", "k": 11, "language": "en",
    }  # fmt: skip


def test_therapies_that_are_not_comparable_are_not_compared_anywhere(tmp_path):
    write_clinic(tmp_path / "clinic", n_episodes=1200, confounding="strong")
    with within(tmp_path):
        report = run_report("therapy_comparison", {"audience": "stakeholder"}, path=tmp_path / "clinic")
        cohort = select_cohort(read_records(path=tmp_path / "clinic"))
    text = report.page.read_text(encoding="utf-8")
    assert "not comparable on what was recorded, because" in text
    with (report.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert not [row for row in rows if row["statistic"] in COMPARING]
    assert {row["statistic"] for row in rows if row["versus"]} == {"smd"}, "how they differed at the start"
    found = compare_over_time(cohort).where(statistic="contrast").table.dropna(subset=["estimate"])
    intervals = {
        f"{low:.1f} to {high:.1f}".replace("-", "\N{MINUS SIGN}")
        for low, high in zip(found["conf_low"], found["conf_high"], strict=True)
    }
    assert len(intervals) > 10
    assert not find_planted(tmp_path / "reports", intervals)


def test_explore_runs_from_top_to_bottom(made):
    project = made[0]
    with within(project):
        place = {"source": "made-up-clinic", "path": str(project / "clinic")}
        notebook = execute_notebook(Task(FOLDER / "explore.ipynb", place, open_run()), "stock")
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/html"} <= kinds
    assert not [output for output in shown if output.output_type == "stream"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_prose_holds_no_number_that_code_computes(path):
    for cell in read_notebook(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\d", cell.source), cell.source


@pytest.mark.parametrize("name", sorted({path.stem for path in FOLDER.glob("*.ipynb")} - {"explore"}))
def test_every_parameter_says_what_it_means(name):
    schema = read_parameters(read_notebook(find_notebook(name)))
    assert not [parameter.name for parameter in schema.values() if len(parameter.meaning) < 10]
    assert {"source", "path", "audience", "k", "clinic", "period", "prepared_by", "contact"} <= set(schema)
    assert (schema["k"].minimum, schema["k"].maximum) == (5, 100)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_imports_what_it_uses_and_nothing_else(path):
    code = "\n".join(cell.source for cell in read_notebook(path).cells if cell.cell_type == "code")
    tree = ast.parse(code)
    imported = {
        (alias.asname or alias.name)
        for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }  # fmt: skip
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert imported <= used
