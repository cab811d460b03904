"""What is hidden in a workbook is never taken along; where it may identify people, it is refused."""

from __future__ import annotations

import zipfile

import openpyxl
import pytest
from openpyxl.comments import Comment

from outcomes.errors import PrivacyError
from outcomes.facts.source import build_source
from outcomes.records import read_records

TABLE = [["id", "remarks", "odi"], ["P1", "x", 40], ["P2", "y", 44], ["P3", "z", 50]]
SOURCE = {
    "name": "sheet",
    "label": "a sheet",
    "k_min": 0,
    "file": [
        {
            "path": "*.xlsx",
            "rows": "episode",
            "columns": {"patient_id": "id"},
            "scores": [{"instrument": "odi", "timepoint": "baseline", "column": "odi"}],
        }
    ],
}


def read(tmp_path, change=lambda book, sheet: None, after=lambda path: None, sheet_title="visits"):
    """Read a workbook after changing it; return its findings, or the error with which it was refused."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = sheet_title
    for row in TABLE:
        sheet.append(row)
    change(book, sheet)
    path = tmp_path / "visits.xlsx"
    book.save(path)
    after(path)
    try:
        records = read_records(
            build_source(SOURCE, "sheet.toml"), tmp_path, private_folder=tmp_path / "private"
        )
    except PrivacyError as error:
        return {finding.rule for finding in error.findings if finding.outcome == "refuse_file"}, str(error)
    return set(), "\n".join(map(str, records.findings))


def hide_sheet(*cells):
    def change(book, sheet):
        other = book.create_sheet("list")
        for cell in cells:
            other.append([cell])
        other.sheet_state = "veryHidden"

    return change


def hide_column(*cells):
    def change(book, sheet):
        for line, cell in enumerate(cells, start=2):
            sheet.cell(line, 2).value = cell
        sheet.column_dimensions["B"].hidden = True

    return change


def comment(text, place="B3"):
    def change(book, sheet):
        sheet[place].comment = Comment(text, "reception")

    return change


def describe(**properties):
    def change(book, sheet):
        for name, value in properties.items():
            setattr(book.properties, name, value)

    return change


def head(text):
    def change(book, sheet):
        sheet.oddHeader.center.text = text

    return change


@pytest.mark.parametrize(
    "change",
    [
        hide_sheet("Tina Wood", "Paul Green"),
        hide_sheet("key", "A123456789"),
        hide_sheet("王小明", "陳美玲"),
        comment("please call Tina Wood again"),
        comment("t.wood@example.org"),
        describe(title="Tina Wood, course of pain"),
        describe(subject="A123456789"),
        describe(keywords="0912-345-678"),
        head("Dr Lee's patients"),
    ],
)
def test_what_is_hidden_and_may_identify_people_refuses_the_workbook(change, tmp_path):
    rules, message = read(tmp_path, change)
    assert rules == {"XLSX_HIDDEN"}
    secrets = ("Wood", "Green", "A123456789", "王小明", "0912", "example.org", "Lee")
    assert not any(secret in message for secret in secrets)


@pytest.mark.parametrize(
    "change",
    [
        hide_sheet("exercise", "manual therapy"),
        hide_column("x", "y", "z"),
        comment("asked again on the phone"),
        describe(title="Outcomes 2026", creator="Tina Wood", lastModifiedBy="Paul Green"),
        head("Page &P of &N"),
    ],
)
def test_what_is_hidden_and_harmless_is_not_read_and_refuses_nothing(change, tmp_path):
    rules, message = read(tmp_path, change)
    assert rules == set()
    assert "Wood" not in message


def test_hidden_rows_and_hidden_columns_of_records_refuse_whatever_they_hold(tmp_path):
    def hide_row(book, sheet):
        sheet.row_dimensions[3].hidden = True

    def hide_mapped(book, sheet):
        sheet.column_dimensions["C"].hidden = True

    assert read(tmp_path, hide_row)[0] == {"XLSX_HIDDEN"}
    assert read(tmp_path, hide_mapped)[0] == {"XLSX_HIDDEN"}
    assert read(tmp_path, comment("checked", "C3"))[0] == {"XLSX_HIDDEN"}


def test_a_hidden_column_that_is_not_mapped_is_pointed_out_with_what_it_holds(tmp_path):
    rules, message = read(tmp_path, hide_column("Tina Wood", "Paul Green", "0912-345-678"))
    assert rules == set()
    assert "a hidden column holds what may identify people" in message
    assert "Wood" not in message and "0912" not in message


def test_a_sheet_called_like_a_person_is_refused_and_never_named(tmp_path):
    assert read(tmp_path, sheet_title="Tina Wood")[0] == {"XLSX_HIDDEN"}

    def add(book, sheet):
        book.create_sheet("王小明").append(["x"])

    with pytest.raises(Exception, match="XLSX_SHEET_AMBIGUOUS") as caught:
        read(tmp_path, add)
    assert "王小明" not in str(caught.value) and "visits" in str(caught.value)


def test_texts_in_drawings_are_searched(tmp_path):
    def draw(path):
        with zipfile.ZipFile(path) as container:
            parts = {name: container.read(name) for name in container.namelist()}
        parts["xl/drawings/drawing1.xml"] = (
            b'<xdr:wsDr xmlns:xdr="x" xmlns:a="a"><a:t>Mrs Wood, room 3</a:t></xdr:wsDr>'
        )
        parts["xl/worksheets/_rels/sheet1.xml.rels"] = (
            b'<Relationships xmlns="r"><Relationship Id="rId9" Type="http://x/drawing" '
            b'Target="../drawings/drawing1.xml"/></Relationships>'
        )
        with zipfile.ZipFile(path, "w") as container:
            for name, content in parts.items():
                container.writestr(name, content)

    assert read(tmp_path, after=draw)[0] == {"XLSX_HIDDEN"}


def test_headers_that_are_a_persons_data_are_withheld_from_what_is_said(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("id,odi,Tina Wood,0912-345-678,pain\nP1,40,1,2,3\nP2,42,1,2,3\n", encoding="utf-8")
    source = {**SOURCE, "file": [{**SOURCE["file"][0], "path": "*.csv"}]}
    records = read_records(build_source(source, "wide.toml"), path, private_folder=tmp_path / "private")
    assert records.unmapped["wide.csv"] == ("(header 3, withheld)", "(header 4, withheld)", "pain")
    path.write_text("id,ODI score,Tina Wood,0912-345-678\nP1,40,1,2\n", encoding="utf-8")
    with pytest.raises(Exception, match="COLUMN_MISSING") as caught:
        read_records(build_source(source, "wide.toml"), path, private_folder=tmp_path / "private")
    assert "Wood" not in str(caught.value) and "0912" not in str(caught.value)


def test_a_mapped_header_that_is_a_persons_number_is_refused_and_never_named(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("id,0912-345-678\nP1,40\nP2,42\n", encoding="utf-8")
    file = {**SOURCE["file"][0], "path": "*.csv"}
    file["scores"] = [{"instrument": "odi", "timepoint": "baseline", "column": "0912-345-678"}]
    with pytest.raises(PrivacyError, match="the header itself may identify") as caught:
        read_records(
            build_source({**SOURCE, "file": [file]}, "wide.toml"), path, private_folder=tmp_path / "private"
        )
    assert "0912" not in str(caught.value)
