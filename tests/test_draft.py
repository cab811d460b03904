"""A draft understands a spreadsheet nobody prepared, asks what it cannot tell, and repeats no value."""

from __future__ import annotations

import csv
import datetime
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from outcomes.drafting import draft_source
from outcomes.errors import FactsError, RecordsError
from outcomes.facts import read_source
from outcomes.records import read_records
from outcomes.reports import run_report

THERAPIES = ("exercise", "Manual therapy", "usual care", "exercise;manual", "EXERCISE ")
KNOWN = (
    "patient id",
    "therapy",
    "ODI",
    "baseline ODI %",
    "sex",
    "first appt",
    "visit",
    "score",
    "measure",
    "age",
)
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
AREAS = ("LBP", "low back", "neck")


def _rows(n: int = 30) -> list[list[object]]:
    """One patient a row: number, name, birth date, sex, area, therapy, first day, three visits, a note."""
    rows: list[list[object]] = []
    for i in range(n):
        first = datetime.date(2025, 1, 6) + datetime.timedelta(days=9 * i)
        six_weeks: tuple[object, object] = ("dna", None) if i % 6 == 1 else (34 - i % 5, 5)
        rows.append(
            [f"R{2000 + i}", f"Marta Quill{i}", f"{1 + i % 28:02}/0{1 + i % 9}/1970", "FM"[i % 2],
             AREAS[i % 3], THERAPIES[i % 5], first.strftime("%d/%m/%Y"), 40 + 2 * (i % 6), 7, *six_weeks,
             20 + 2 * (i % 4), 3, "rang, feels better" if i % 7 == 0 else None]
        )  # fmt: skip
    return rows


def _write_clinic_sheet(path: Path, rows: list[list[object]]) -> Path:
    """Write a sheet as clinics have them: title rows, a merged header, a total, a second sheet."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Outcomes"
    sheet.append(["Hillside Physio - export (made up)"])
    sheet.append(["printed 30/11/2026 by the front desk"])
    sheet.append([])
    upper = ["Pt No", "Name", "DOB", "Sex", "Area", "Treatment given", "First appt", "Baseline", None]
    sheet.append([*upper, "6 weeks", None, "3 months", None, "Notes"])
    sheet.append([None] * 7 + ["ODI %", "Pain 0-10"] * 3)
    for place in ("H4:I4", "J4:K4", "L4:M4"):
        sheet.merge_cells(place)
    for row in rows:
        sheet.append(row)
    sheet.append(["Total", *[None] * 6, f"=AVERAGE(H6:H{len(rows) + 5})"])
    book.create_sheet("codes").append(["MQ = M. Quill"])
    book.save(path)
    return path


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    return _write_clinic_sheet(tmp_path / "Hillside export.xlsx", _rows())


def _answer(text: str, answers: dict[str, str]) -> str:
    """Put answers in the place of questions, as a person would; each question must be there once."""
    for key, value in answers.items():
        text, n = re.subn(rf'^{re.escape(key)} = "\? [^"]*"', f'{key} = "{value}"', text, flags=re.MULTILINE)
        assert n == 1, key
    return text if "[other_regions]" in text else f'{text}\n[other_regions]\nodi = "keep"\n'


ANSWERS = {
    "label": "A made-up clinic",
    "instrument": "odi",
    "timepoint": "month_3",
    "reference": "usual_care",
    "odi": "keep",
    "exercise": "strengthening",
    '"exercise;manual"': "combined_pt",
}


def test_headers_visits_and_codes_are_understood(sheet):
    content = tomllib.loads(draft_source(sheet).text)
    (file,) = content["file"]
    assert content["name"] == "hillside-export"
    assert content["rekey"] is True
    assert content["extracted_on"] == "2026-11-30"
    assert (file["sheet"], file["header_row"], file["rows"]) == ("Outcomes", [4, 5], "episode")
    assert (file["date_order"], file["missing"], file["therapy_separator"]) == ("day-first", ["dna"], ";")
    assert file["columns"] == {
        "patient_id": "Pt No",
        "sex": "Sex",
        "region": "Area",
        "therapy": "Treatment given",
        "start_date": "First appt",
    }
    scores = [(score["instrument"], score["timepoint"], score["column"]) for score in file["scores"]]
    assert scores == [
        ("odi", "baseline", "Baseline ODI %"),
        ("nprs", "baseline", "Baseline Pain 0-10"),
        ("odi", "week_6", "6 weeks ODI %"),
        ("nprs", "week_6", "6 weeks Pain 0-10"),
        ("odi", "month_3", "3 months ODI %"),
        ("nprs", "month_3", "3 months Pain 0-10"),
    ]


def test_what_it_cannot_tell_is_a_question_and_the_reader_asks_it(sheet, tmp_path):
    draft = draft_source(sheet)
    assert draft.n_questions == len(ANSWERS)
    place = tmp_path / "hillside.toml"
    place.write_text(draft.text, encoding="utf-8")
    with pytest.raises(FactsError, match="still asks 7 questions") as caught:
        read_source(place)
    asked = [str(finding.what) for finding in caught.value.findings]
    assert any(question.startswith("primary.reference = the therapy that") for question in asked)
    assert any("file.codes.therapy.exercise = which therapy" in question for question in asked)


def test_known_therapies_are_mapped_and_spellings_of_one_stand_once(sheet):
    codes = tomllib.loads(draft_source(sheet).text)["file"][0]["codes"]["therapy"]
    assert codes["Manual therapy"] == "manual_therapy"
    assert codes["usual care"] == "usual_care"
    assert [code for code in codes if code.strip().casefold() == "exercise"] == ["exercise"]


def test_no_patients_value_is_in_a_draft(sheet):
    draft = draft_source(sheet)
    for row in _rows():
        number, name, born, first, note = row[0], row[1], row[2], row[6], row[-1]
        for value in (number, name, str(name).split()[1], born, first, note):
            assert value is None or str(value) not in draft.text
    assert draft.left_out == {"identifying": ("Name", "DOB", "Notes")}
    assert "Quill" not in repr(draft)


def test_rare_codes_and_names_in_a_category_are_counted_not_repeated(tmp_path):
    rows = _rows()
    rows[0][5], rows[1][5] = "acupuncture at home", "acupuncture at home"
    for row in rows[5:9]:
        row[5] = "Tina Wood"
    draft = draft_source(_write_clinic_sheet(tmp_path / "a.xlsx", rows))
    assert "acupuncture" not in draft.text and "Tina" not in draft.text
    assert "2 more spelling(s)" in draft.text


def test_answered_draft_reads_to_records_and_never_loads_names(sheet, tmp_path):
    place = tmp_path / "hillside.toml"
    place.write_text(_answer(draft_source(sheet).text, ANSWERS), encoding="utf-8")
    records = read_records(place, sheet, private_folder=tmp_path / "private")
    assert (records.n_read, records.n_refused) == (31, 1)
    assert records.refused["rule"].tolist() == ["TOTAL_ROW"]
    assert records.unmapped == {"Hillside export.xlsx": ("Name", "DOB", "Notes")}
    assert records.episodes["therapy"].value_counts().to_dict() == {
        "strengthening": 12, "combined_pt": 6, "manual_therapy": 6, "usual_care": 6,
    }  # fmt: skip
    loaded = "".join(table.to_csv() for table in (records.episodes, records.assessments))
    for word in ("Quill", "1970", "R2000"):
        # not within a keyed id, which may hold any digits
        assert not re.search(rf"(?<![0-9a-f]){word}(?![0-9a-f])", loaded), word


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["03/11/2025", "30/11/2025"], "day-first"),
        (["11/03/2025", "11/30/2025"], "month-first"),
        (["03/04/2025", "05/06/2025"], "? day-first or month-first"),
        (["13/04/2025", "04/13/2025"], "? day-first or month-first"),
        (["2025-04-03", "2025-06-05"], None),
    ],
)
def test_order_of_dates_is_proved_or_asked(tmp_path, dates, order):
    path = tmp_path / "dates.csv"
    lines = [["Patient ID", "Date", "ODI"], *([f"P{i}", dates[i % len(dates)], 20 + i] for i in range(8))]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    found = tomllib.loads(draft_source(path).text)["file"][0].get("date_order")
    assert found == order if order is None or not order.startswith("?") else found.startswith(order)


@pytest.mark.parametrize(
    ("dates", "calendar"),
    [
        (["115/03/04", "114/12/30"], "roc"),
        (["46000", "45990"], "? dates stand as numbers"),
        (["2026-01-02"], None),
    ],
)
def test_calendar_of_dates_is_found_or_asked(tmp_path, dates, calendar):
    path = tmp_path / "dates.csv"
    lines = ["病人編號;初診日;治療方式;ODI 初評"]
    lines += [f"{i:03};{dates[i % len(dates)]};徒手治療;{20 + i},5" for i in range(8)]
    path.write_text("\n".join(lines), encoding="utf-8")
    (file,) = tomllib.loads(draft_source(path).text)["file"]
    found = file.get("date_calendar")
    assert found == calendar if calendar is None else found.startswith(calendar)
    assert (file["decimal"], file["codes"]["therapy"]) == (",", {"徒手治療": "manual_therapy"})


@settings(max_examples=60)
@given(st.data())
def test_any_table_gives_toml_without_its_rare_values_or_a_sentence(tmp_path, data):
    n_columns = data.draw(st.integers(2, 6))
    word = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
    header = data.draw(st.lists(word | st.sampled_from(KNOWN), min_size=n_columns, max_size=n_columns))
    cell = word | st.sampled_from(["", "7", "40", "dna", "30/11/2025", "2025-01-02", "LBP", "usual care"])
    rows = data.draw(
        st.lists(st.lists(cell, min_size=n_columns, max_size=n_columns), min_size=1, max_size=12)
    )
    canaries = [f"Zq{i}xj{i}" for i in range(len(rows))]
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "canary"])
        writer.writerows([*row, canary] for row, canary in zip(rows, canaries, strict=True))
    try:
        draft = draft_source(path)
    except RecordsError as error:
        assert not any(canary in str(error) for canary in canaries)
        return
    tomllib.loads(draft.text)
    assert not any(canary in draft.text for canary in canaries)


def test_long_file_with_instrument_names_in_cells(tmp_path):
    path = tmp_path / "long.csv"
    lines = ["record_id;visit;measure;score;therapy"]
    for i in range(8):
        lines += [f"{i:04};start;ODI;{30 + i};manual", f"{i:04};3 months;Oswestry score;{20 + i};manual"]
        lines += [f"{i:04};start;SRS;{3 + i};manual"]
    path.write_text("\n".join(lines), encoding="utf-8")
    (file,) = tomllib.loads(draft_source(path).text)["file"]
    assert (file["rows"], file["delimiter"]) == ("assessment", ";")
    assert file["columns"] == {
        "patient_id": "record_id", "timepoint": "visit", "instrument": "measure", "score": "score",
        "therapy": "therapy",
    }  # fmt: skip
    assert file["codes"]["timepoint"] == {"start": "baseline", "3 months": "month_3"}
    assert file["codes"]["instrument"]["ODI"] == file["codes"]["instrument"]["Oswestry score"] == "odi"
    assert file["codes"]["instrument"]["SRS"].startswith("? which instrument")


@pytest.mark.parametrize(
    ("above", "header"),
    [
        (["export,,,", "made up,,,"], "pt no,sex,baseline ODI,6 weeks ODI"),
        (["pt no,sex,baseline,", ",,ODI,pain"], None),
        ([",,baseline,6 weeks", "pt no,sex,ODI,ODI"], None),
    ],
)
def test_header_is_found_under_titles_and_merged_rows(tmp_path, above, header):
    path = tmp_path / "layout.csv"
    first = "P0,F,dna,dna"  # a first patient without a number is no header
    rows = [first, *(f"P{i},F,{40 + i},{5 + i % 5}" for i in range(1, 9))]
    path.write_text("\n".join([*above, *([header] if header else []), *rows]), encoding="utf-8")
    (file,) = tomllib.loads(draft_source(path).text)["file"]
    assert (file["columns"]["patient_id"], file["missing"]) == ("pt no", ["dna"])
    assert file["header_row"] == (3 if header else [1, 2])
    assert file["scores"][0]["column"] == "baseline ODI"
    assert "P0" not in str(file)


def test_file_without_header_gives_no_draft(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("Tina,Wood,dna\nOlga,Green,40\nKate,Evans,50\n", encoding="utf-8")
    with pytest.raises(RecordsError, match="no column was recognised") as caught:
        draft_source(path)
    assert "Tina" not in str(caught.value)


def test_items_of_a_questionnaire_are_taken_together_in_their_order(tmp_path):
    path = tmp_path / "items.csv"
    headers = [f"odi_{i}" for i in (2, 1, 3, 4, 5, 6, 7, 8, 9, 10)]
    lines = [["patient id", "visit date", *headers]]
    lines += [[f"P{i // 2}", f"2025-0{1 + i % 9}-1{i % 9}", *[i % 6] * 10] for i in range(12)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    (score,) = tomllib.loads(draft_source(path).text)["file"][0]["scores"]
    assert score["items"] == [f"odi_{i}" for i in range(1, 11)]


def test_scores_of_another_scale_are_asked_about(tmp_path):
    path = tmp_path / "scale.csv"
    lines = ["patient id,baseline ODI,3 months ODI,baseline pain 0-10"]
    lines += [f"P{i},{400 + i},{300 + i},{i % 11}" for i in range(12)]
    path.write_text("\n".join(lines), encoding="utf-8")
    scores = tomllib.loads(draft_source(path).text)["file"][0]["scores"]
    assert scores[0]["scale"].startswith("? most values lie outside 0 to 100")
    assert "scale" not in scores[2]


def test_file_without_patient_column_or_therapy_is_asked(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(
        "baseline ODI,6 weeks ODI\n" + "\n".join(f"{i},{i}" for i in range(20, 40)), encoding="utf-8"
    )
    (file,) = tomllib.loads(draft_source(path).text)["file"]
    assert file["patient"].startswith("? no column tells patients apart")
    assert file["constants"]["therapy"].startswith("? no column names the therapy")


def test_headers_with_quotes_and_backslashes_stay_valid_toml(tmp_path):
    path = tmp_path / 'odd "name".csv'
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [['pt "no"', "therapy\\arm", "baseline ODI"], *([i, "manual", i] for i in range(9))]
        )
    content = tomllib.loads(draft_source(path).text)
    assert content["file"][0]["path"] == 'odd "name".csv'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.csv", None, "FILE_NOT_FOUND: there is no such file"),
        ("empty.csv", b"", "FILE_EMPTY"),
        ("notes.docx", b"x", "FORMAT_NOT_ALLOWED"),
        ("broken.xlsx", b"x", "TYPE_MISMATCH"),
        ("other.xlsx", EMPTY_ZIP, "TYPE_MISMATCH"),
        ("broken.parquet", b"x", "TYPE_MISMATCH"),
        ("text.csv", b"a,b\nc,d\n", "numbers or dates"),
    ],
)
def test_what_cannot_be_drafted_is_said(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordsError, match=message):
        draft_source(tmp_path / name)


def _read_published(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_drafted_sheet_becomes_a_page_without_its_names(sheet, tmp_path):
    place = tmp_path / "hillside.toml"
    place.write_text(_answer(draft_source(sheet).text, ANSWERS), encoding="utf-8")
    report = run_report(
        "therapy_comparison", {"audience": "team"}, source=place, path=sheet,
        out=tmp_path / "html", private_folder=tmp_path / "private",
    )  # fmt: skip
    assert "A made-up clinic" in report.page.read_text(encoding="utf-8")
    published = _read_published(tmp_path / "html")
    for canary in (b"Quill", b"R2001", b"feels better", b"/1970", b"06/01/2025"):
        assert canary not in published


def test_a_quote_that_is_never_closed_is_named_before_anything_is_drafted(tmp_path):
    path = tmp_path / "broken.csv"
    for text, line in (('id,score\n1,"x,3\n2,4\n', 2), ('id,score\n1,3\n2,"4\n', 3)):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RecordsError, match=f"line {line}: QUOTE_UNTERMINATED"):
            draft_source(path)
    path.write_text('id,size,score\n1,5" tape,3\n2,"a\nb",4\n', encoding="utf-8")
    assert draft_source(path).text


def test_spreadsheet_nobody_prepared_from_draft_to_page(shared, tmp_path):
    export = shared / "data" / "made-up-clinic-export" / "riverside-export.xlsx"
    draft = draft_source(export)
    assert draft.left_out["identifying"] == ("Name", "DOB", "Notes")
    place = tmp_path / "riverside.toml"
    place.write_text(_answer(draft.text, ANSWERS), encoding="utf-8")
    records = read_records(place, export, private_folder=tmp_path / "private")
    refused = records.refused.set_index(["line", "column"])["rule"].to_dict()
    assert {line: rule for (line, column), rule in refused.items()} == {
        23: "SCORE_RANGE",  # an ODI of 420
        39: "SCORE_RANGE",  # a pain of 11
        63: "KEY_CONFLICT",  # one number, two regions
        64: "KEY_CONFLICT",
        77: "DATE_EXCEL_SERIAL",
        96: "THERAPY_MISSING",
        187: "TOTAL_ROW",
    }
    assert (records.n_read, records.n_refused) == (181, 5)
    assert records.unmapped["riverside-export.xlsx"] == ("Name", "DOB", "Notes")
    loaded = "".join(table.to_csv() for table in (records.episodes, records.assessments, records.refused))
    for word in ("Wood", "Wilson", "see letter", "rang 12", "R1000", "1974"):
        # not within a keyed id, which may hold any digits
        assert not re.search(rf"(?<![0-9a-f]){word}(?![0-9a-f])", loaded), word
    report = run_report(
        "therapy_comparison", {"audience": "stakeholder"}, source=place, path=export,
        out=tmp_path / "html", private_folder=tmp_path / "private",
    )  # fmt: skip
    published = _read_published(tmp_path / "html")
    assert report.page.stat().st_size > 10_000
    for canary in (b"Davies", b"Tina", b"see letter", b"rang 12", b"R1000", b"R1179"):
        assert canary not in published


def test_items_with_names_are_taken_together_and_the_value_set_is_asked(tmp_path):
    names = ("Mobility", "SC", "usual activities", "Pain/Discomfort", "AD")
    path = tmp_path / "eq.csv"
    header = ["id", "therapy", *(f"EQ5D {name} baseline" for name in names)]
    lines = [[str(i), "stretching", *(str(1 + (i + j) % 5) for j in range(5))] for i in range(20)]
    path.write_text("\n".join(",".join(row) for row in [header, *lines]), encoding="utf-8")
    (score,) = tomllib.loads(draft_source(path).text)["file"][0]["scores"]
    assert score["items"] == [f"EQ5D {name} baseline" for name in names]
    assert score["variant"].startswith(
        "? the value set that turns EQ-5D-5L into an index. One of: england, uk"
    )


def test_coding_of_a_rating_of_change_is_asked_and_codes_find_their_instrument(tmp_path):
    path = tmp_path / "change.csv"
    lines = [f"{i},stretching,{1 + i % 7},{i % 11}" for i in range(30)]
    path.write_text("id,therapy,PGIC 3m,72514-3 3m\n" + "\n".join(lines), encoding="utf-8")
    rating, pain = tomllib.loads(draft_source(path).text)["file"][0]["scores"]
    assert rating["scale"].startswith("? PGIC is recorded in opposite ways; which is it here: one_best (1 = ")
    assert (pain["instrument"], pain["column"]) == ("nprs", "72514-3 3m")
