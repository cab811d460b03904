"""Tables opened in a spreadsheet program (A7): LibreOffice calculates everything anew, and nothing changes.

Every text that would act as a formula stands in a table of a page. What LibreOffice makes of ``results.csv``
and of each sheet of ``results.xlsx``, with formulas evaluated wherever it finds any, is what was written.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest
from acting import FORMULAS
from test_guards_switched_off import publish

pytestmark = pytest.mark.slow

TEXTS = (*FORMULAS, '=WEBSERVICE("http://127.0.0.1:9/x")', '=DDE("soffice";"/etc/hosts";"a1")')
#: Comma, quotes, UTF-8, from line 1 on; special numbers found; sheets all; formulas evaluated.
READ = "44,34,76,1,,0,false,true,false,false,false,-1,true"
#: Values rather than formulas, as they are stored; every sheet.
WRITE = "44,34,76,1,,0,false,false,false,false,false,-1"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Open a file in LibreOffice and write what it holds, one file of text for each sheet."""
    path = shutil.which("soffice") or shutil.which("libreoffice")
    if not path:
        pytest.skip("LibreOffice is not installed")
    profile = tmp_path_factory.mktemp("profile")

    def open_file(file: Path, folder: Path) -> list[list[list[str]]]:
        subprocess.run(
            [
                path, "--headless", f"-env:UserInstallation={profile.as_uri()}",
                *([f"--infilter=CSV:{READ}"] if file.suffix == ".csv" else []),
                "--convert-to", f"csv:Text - txt - csv (StarCalc):{WRITE}",
                "--outdir", str(folder), str(file),
            ],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        written = sorted(folder.glob("*.csv"), key=lambda one: one.stat().st_mtime_ns)
        assert written, "LibreOffice wrote nothing"
        return [read_texts(one) for one in written]

    return open_file


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a page whose table holds every text that acts."""
    folder = tmp_path_factory.mktemp("acting")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        table = f"pd.DataFrame({{'text': {list(TEXTS)!r}, 'estimate': [-1.5] * {len(TEXTS)}}})"
        return publish(folder, f"view('listed', kind='table', table={table})").folder.resolve()


def read_texts(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [[tidy(value) for value in row] for row in csv.reader(file)]


def tidy(value: object) -> str:
    """Return what a cell shows: a number without needless decimals, a text with one blank for any other."""
    if value is None:
        return ""
    try:
        return f"{float(str(value)):g}"
    except ValueError:
        # workbooks name a carriage return
        return " ".join(str(value).replace("_x000D_", " ").split())


def test_a_table_of_texts_is_opened_as_it_was_written(published, program, tmp_path):
    (opened,) = program(published / "results.csv", tmp_path)
    assert opened == read_texts(published / "results.csv")
    assert sum(row[1].startswith("'") for row in opened) == len(TEXTS)


def test_a_workbook_is_opened_as_it_was_written(published, program, tmp_path):
    sheets = program(published / "results.xlsx", tmp_path)
    book = openpyxl.load_workbook(published / "results.xlsx")
    written = [[[tidy(cell.value) for cell in row] for row in sheet] for sheet in book]
    assert sorted(sheets) == sorted(written)
    assert any(value.startswith("'=") for sheet in sheets for row in sheet for value in row)


def test_the_program_calculates_what_is_a_formula(program, tmp_path):
    """So that finding nothing calculated means something."""
    (tmp_path / "acting.csv").write_text("text\n=1+1\n", encoding="utf-8")
    assert program(tmp_path / "acting.csv", tmp_path / "a") == [[["text"], ["2"]]]
    book = openpyxl.Workbook()
    book.active["A1"] = "=20+22"
    book.save(tmp_path / "acting.xlsx")
    assert program(tmp_path / "acting.xlsx", tmp_path / "b") == [[["42"]]]
