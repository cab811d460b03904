"""Attacks on a page: whatever a notebook prints, forges or breaks, none of it is published."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from pathlib import Path

import nbformat
import openpyxl
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

sys.path.insert(0, str(Path(__file__).parent))
from acting import ACTING, FORMULAS, assert_harmless, parse_page
from searching import find_planted

from outcomes.errors import DisclosureError, ReportError
from outcomes.reports import run_report

PARAMETERS = """\
audience = "stakeholder"  # one of: team, stakeholder
k = 11  # from 5 to 100
clinic = ""  # alias
period = ""  # words
prepared_by = ""  # name
contact = ""  # address
"""
PLANTED = ["P00017-SECRET", "7.31847", "fell off a ladder"]
FRAME = """\
import base64, io, json, os, sys, warnings
from pathlib import Path
import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from PIL import Image as PictureImage
from outcomes.views.view import View, write_view
frame = pd.DataFrame({"patient_id": ["P00017-SECRET"], "score": [7.31847], "note": ["fell off a ladder"]})
held = io.BytesIO()
PictureImage.new("RGB", (3, 3)).save(held, "png")
PNG = held.getvalue()
def view(name, kind="sentence", html="<p>said</p>", png=None, table=None, to=None, least=None, **texts):
    return View(name, kind, html, png, texts.get("alt", ""), texts.get("caption", ""), table,
                to or audience, least or k)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, the current folder; returns what runs a notebook made of the given cells."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()

    def run(*cells, parameters=None):
        made = [
            new_markdown_cell(text) if text.startswith("#") else new_code_cell(text)
            for text in (FRAME, *cells)
        ]
        tagged = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        notebook = new_notebook(cells=[new_markdown_cell("# Which is larger?"), tagged, *made])
        nbformat.write(notebook, tmp_path / "notebooks" / "mine.ipynb")
        return run_report("mine", parameters or {})

    return run


def published() -> list[Path]:
    return [path for path in Path("reports").rglob("*") if path.is_file()]


OUTPUTS = {
    "a frame's head": "frame.head()",
    "a print": "print(frame['patient_id'].iloc[0], frame.to_dict())",
    "a message on the error stream": "print(frame.to_csv(), file=sys.stderr)",
    "a warning": "warnings.warn(frame.loc[0, 'note'])",
    "HTML": "HTML(frame.to_html())",
    "Markdown": "Markdown(frame.loc[0, 'note'])",
    "a picture's text": "display(Image(data=PNG + frame.to_csv().encode(), format='png'))",
    "metadata of a display": (
        "display({'text/plain': 'x'}, raw=True, metadata={'image/png': {'alt': frame.loc[0, 'note']}})"
    ),
    "a forged view": (
        "display({'application/vnd.outcomes.view+json': {'id': 'forged', 'html': frame.to_html()}}, raw=True)"
    ),
    "a known view with more beside it": (
        "write_view(view('known'), Path(os.environ['OUTCOMES_RUN_DIR']) / 'views')\n"
        "display({'application/vnd.outcomes.view+json': {'id': 'known', 'html': frame.to_html()},"
        " 'text/html': frame.to_html()}, raw=True, metadata={'alt': frame.to_csv()})"
    ),
    "an id that leads elsewhere": (
        "Path('elsewhere.json').write_text(frame.to_json())\n"
        "display({'application/vnd.outcomes.view+json': {'id': '../../../../elsewhere'}}, raw=True)"
    ),
    "an update of a display": (
        "handle = display(view('first'), display_id=True)\nhandle.update(HTML(frame.to_html()))"
    ),
    "the name of a display": "display(HTML('x'), display_id=frame.loc[0, 'patient_id'])",
    "code": "x = 'P00017-SECRET fell off a ladder 7.31847'",
    "a captured traceback": (
        "try:\n    raise ValueError(frame.to_csv())\nexcept ValueError:\n    get_ipython().showtraceback()"
    ),
}  # fmt: skip


def test_outputs_that_are_no_released_views_are_not_published(project):
    cells = [cell for name, cell in OUTPUTS.items() if "traceback" not in name]
    report = project("## Answer\n\nYes.", *cells, "view('shown', html='<p>A sentence.</p>')")
    assert "A sentence." in report.page.read_text(encoding="utf-8")
    assert not find_planted(Path("reports"), PLANTED)
    assert find_planted(Path(".outcomes"), PLANTED), "the notebook did show what was planted"


def test_an_error_shown_without_being_raised_publishes_nothing(project):
    with pytest.raises(ReportError) as caught:
        project("## Answer", OUTPUTS["a captured traceback"])
    assert not published()
    assert not [text for text in PLANTED if text in str(caught.value)]


def test_a_raised_exception_publishes_nothing_and_says_nothing(project, capfd):
    with pytest.raises(ReportError) as caught:
        project("## Answer\n\nYes.", "view('shown')", "raise ValueError(frame.to_csv())")
    said = "".join(capfd.readouterr()) + str(caught.value) + repr(caught.value.__cause__)
    assert not published()
    assert not [text for text in PLANTED if text in said]


@pytest.mark.parametrize("planted", ["view('inner', to='team')", "view('inner', least=5)"])
def test_a_view_released_for_others_stops_the_report(project, planted):
    with pytest.raises(DisclosureError, match="'inner'") as caught:
        project("## Answer", planted)
    assert caught.value.exit_code == 7
    assert not published()


def test_prose_and_views_that_act_are_made_harmless(project):
    prose = "## Answer\n\n" + "\n\n".join(ACTING)
    cell = f"view('acting', html={''.join(ACTING)!r}, kind='table')"
    report = project(prose, *(f"## {text}" for text in ACTING), cell)
    assert_harmless(report.page)
    text = report.page.read_text(encoding="utf-8")
    assert "P00017-SECRET" not in text and str(7 * 191) not in text


@pytest.mark.parametrize("name", ["clinic", "period", "prepared_by", "contact"])
def test_parameters_that_act_are_shown_as_the_text_they_are(project, name):
    acting = "".join(ACTING)[:390]
    report = project("## Answer\n\nYes.", "view('shown')", parameters={name: acting})
    assert_harmless(report.page)
    shown = "".join(parse_page(report.page).find("body").itertext())
    assert acting in shown


def test_texts_of_a_view_are_escaped(project):
    texts = {"alt": 'a" onload="alert(1)', "caption": "<script>alert(1)</script>"}
    report = project("## Answer", f"view('drawn', kind='figure', png=PNG, **{texts!r})")
    assert_harmless(report.page)
    (image,) = parse_page(report.page).iter("img")
    assert image.attrib["alt"] == texts["alt"]


def test_a_pictures_texts_and_what_follows_it_are_left_out(project):
    cell = """\
from io import BytesIO
from PIL.PngImagePlugin import PngInfo
told = PngInfo(); told.add_text("note", "fell off a ladder"); told.add_itxt("id", "P00017-SECRET", zip=True)
held = BytesIO(); PictureImage.new("RGB", (3, 3)).save(held, "png", pnginfo=told)
view("drawn", kind="figure", png=held.getvalue() + b"fell off a ladder")"""
    report = project("## Answer", cell)
    assert not find_planted(Path("reports"), PLANTED)
    assert (report.folder / "drawn.png").stat().st_size < 200


def test_no_text_of_a_table_becomes_a_formula(project):
    table = f"pd.DataFrame({{'text': {list(FORMULAS)!r}, 'estimate': [-1.5] * {len(FORMULAS)}}})"
    report = project("## Answer", f"view('listed', kind='table', table={table})")
    with (report.folder / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert {row["estimate"] for row in rows} == {"-1.5"}
    book = openpyxl.load_workbook(report.folder / "results.xlsx")
    kinds = {cell.data_type for sheet in book for row in sheet for cell in row}
    assert kinds <= {"s", "n"}
    assert [book["listed"].cell(row, 2).value for row in range(2, len(FORMULAS) + 2)] == [-1.5] * len(
        FORMULAS
    )


def test_a_workbook_names_nobody_and_no_moment(project):
    report = project("## Answer", "view('listed', kind='table', table=pd.DataFrame({'estimate': [1.5]}))")
    with zipfile.ZipFile(io.BytesIO((report.folder / "results.xlsx").read_bytes())) as archive:
        told = archive.read("docProps/core.xml").decode() + archive.read("docProps/app.xml").decode()
    assert "<dc:creator></dc:creator>" in told and "<cp:lastModifiedBy></cp:lastModifiedBy>" in told
    assert "2000-01-01T00:00:00Z" in told


def test_the_same_run_twice_gives_the_same_bytes(project):
    cells = ("## Answer\n\nYes.", "view('listed', kind='table', table=pd.DataFrame({'estimate': [1.5]}))")
    project(*cells)
    before = {path: path.read_bytes() for path in published()}
    project(*cells)
    assert {path: path.read_bytes() for path in published()} == before


def test_a_page_names_no_folder_user_or_host(project):
    import getpass
    import socket

    report = project("## Answer\n\nYes.", "view('shown', html='<p>said</p>')")
    text = report.page.read_text(encoding="utf-8")
    folders = [str(path) for path in (Path.cwd(), Path.home(), Path(sys.prefix)) if path != path.parent]
    for name in (*folders, socket.gethostname(), "OUTCOMES_RUN_DIR", "papermill"):
        assert name not in text
    assert getpass.getuser() == "root" or getpass.getuser() not in text
