"""The Excel form lets in what the reader accepts, and is read without a source of one's own."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from outcomes.drafting import write_form
from outcomes.errors import RecordsError
from outcomes.facts import read_schema, read_source, read_therapies
from outcomes.records import read_records


@pytest.fixture
def form(tmp_path: Path) -> Path:
    path = tmp_path / "form.xlsx"
    write_form(path)
    return path


def _fill(form: Path, rows: list[dict[str, object]]) -> Path:
    book = load_workbook(form)
    sheet = book["records"]
    places = {cell.value: cell.column for cell in sheet[1]}
    for line, row in enumerate(rows, start=2):
        for header, value in row.items():
            sheet.cell(line, places[header], value)
    book.save(form)
    return form


def test_headers_are_those_that_the_source_reads(form):
    spec = read_source("template").files[0]
    headers = [cell.value for cell in load_workbook(form)[spec.sheet][1]]
    assert sorted(headers) == sorted(spec.mapped)
    assert len(set(headers)) == len(headers)


def test_categories_are_chosen_from_the_lists_of_the_facts(form):
    book = load_workbook(form)
    headers = [cell.value for cell in book["records"][1]]
    lists = {
        headers[next(iter(rule.sqref.ranges)).min_col - 1]: rule.formula1
        for rule in book["records"].data_validations.dataValidation
        if rule.type == "list"
    }
    assert set(lists) == {"planned therapy", "region", "cause", "sex"}
    codes = {
        column[0].value: [cell.value for cell in column[1:] if cell.value] for column in book["codes"].columns
    }
    assert codes["sex"] == list(read_schema()["episodes"]["sex"].allowed)
    assert [code.replace(" ", "_") for code in codes["planned therapy"]] == list(read_therapies())


def test_scores_are_held_to_the_range_of_their_instrument(form):
    sheet = load_workbook(form)["records"]
    headers = [cell.value for cell in sheet[1]]
    bounds = {
        headers[next(iter(rule.sqref.ranges)).min_col - 1]: (rule.type, rule.formula1, rule.formula2)
        for rule in sheet.data_validations.dataValidation
        if rule.type in ("whole", "decimal")
    }
    assert bounds["start: ODI 0-100"] == ("decimal", "0", "100")
    assert bounds["6 weeks: pain 0-10"] == ("whole", "0", "10")
    assert bounds["age"][1:] == ("0", "89")


def test_filled_form_is_read_without_a_source_of_ones_own(form, tmp_path):
    def patient(number: int, therapy: str, **more: object) -> dict[str, object]:
        return {
            "patient number": f"{number:04}", "planned therapy": therapy, "sex": "female",
            "region": "low back", "first day": datetime.date(2026, 1, number), "age": 40 + number,
            "start: ODI 0-100": 44, "start: pain 0-10": 7, **more,
        }  # fmt: skip

    followed = {"6 weeks: date": datetime.date(2026, 2, 16), "6 weeks: ODI 0-100": 22}
    path = _fill(
        form,
        [patient(1, "manual therapy", **followed), patient(2, "usual care"), patient(3, "strengthening")],
    )
    records = read_records("template", path, private_folder=tmp_path / "private", run_date="2026-11-23")
    assert (records.n_read, records.n_refused) == (3, 0)
    assert set(records.episodes["therapy"]) == {"manual_therapy", "usual_care", "strengthening"}
    assert records.episodes["region"].unique().tolist() == ["low_back"]
    odi = records.assessments.query("instrument == 'odi'")
    assert sorted(odi["score"]) == [22, 44, 44, 44]
    assert odi.loc[odi["timepoint"] == "week_6", "day"].tolist() == [46]
    assert "0001" not in records.episodes["patient_id"].tolist()


def test_form_is_an_excel_workbook(tmp_path):
    with pytest.raises(RecordsError, match=r"ends in \.xlsx"):
        write_form(tmp_path / "form.csv")
