"""An Excel workbook is read by its one meant sheet; what is hidden in it is never taken along unseen."""

from __future__ import annotations

import dataclasses
import datetime

import openpyxl
import pytest
from openpyxl.comments import Comment

from outcomes.errors import PrivacyError, RecordsError
from outcomes.facts import FileSpec, ScoreSpec
from outcomes.records import read_records
from outcomes.records.files.file_reader import read_text_table

SPEC = FileSpec("*", "assessment", {"patient_id": "id", "date": "day", "score": "score"})
TABLE = [["id", "name", "day", "score"], ["P1", "Ann", "x", 7], ["P2", "Bo", "y", 4], ["P3", "Cy", "z", 5]]


@pytest.fixture
def save(tmp_path):
    """Save a workbook with the table, after changing it, and return its path."""

    def make(change=lambda book, sheet: None, table=TABLE):
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "visits"
        for row in table:
            sheet.append(row)
        change(book, sheet)
        path = tmp_path / "visits.xlsx"
        book.save(path)
        return path

    return make


def read(path, **changes):
    return read_text_table(path, dataclasses.replace(SPEC, **changes))


def refuse(path, kind=RecordsError, **changes):
    with pytest.raises(kind) as caught:
        read(path, **changes)
    assert type(caught.value) is kind
    return {finding.rule: finding for finding in caught.value.findings if finding.outcome == "refuse_file"}


def rows(text):
    return list(zip(text.lines.tolist(), *(column.to_pylist() for column in text.table.columns), strict=True))


def test_values_are_spelt_in_the_shortest_unambiguous_way(save):
    values = [
        7,
        7.0,
        7.5,
        0.1 + 0.2,
        True,
        datetime.date(2026, 4, 3),
        datetime.datetime(2026, 4, 3, 9, 30),
        "007",
        None,
    ]
    table = [["id", "name", "day", "score"], *([f"P{n}", "", value, n] for n, value in enumerate(values))]
    spelt = [row[2] for row in rows(read(save(table=table)))]
    assert spelt == ["7", "7", "7.5", "0.3", "TRUE", "2026-04-03", "2026-04-03T09:30:00", "007", ""]


def test_records_stand_at_their_rows_and_blank_rows_are_none(save):
    text = read(save(table=[*TABLE[:2], [], *TABLE[2:], [None, " "], ["Total", None, None, 16]]))
    assert [row[0] for row in rows(text)] == [2, 4, 5]
    assert [(refusal.line, refusal.rule) for refusal in text.refused] == [(7, "TOTAL_ROW")]
    assert text.unmapped == ("name",)
    assert text.n_read == 4


def test_no_record_of_a_long_sheet_is_lost(save):
    text = read(save(table=[TABLE[0], *([f"P{n}", "", "d", n] for n in range(2, 202))]))
    assert rows(text) == [(n, f"P{n}", "d", str(n)) for n in range(2, 202)]


def test_numbers_too_long_for_excel_are_no_ids(save):
    text = read(save(table=[TABLE[0], [9007199254740993, "", "x", 7], ["P2", "", "y", 4]]))
    assert [(cell.line, cell.rule) for cell in text.bad_cells] == [(2, "KEY_EXCEL_DAMAGED")]


def test_errors_and_formulas_without_a_value_are_bad_cells(save):
    def spoil(book, sheet):
        sheet["D2"], sheet["D3"], sheet["B4"] = "=1+1", "#N/A", "=1+1"

    text = read(save(spoil))
    assert [row[3] for row in rows(text)] == [None, None, "5"]
    assert [(cell.line, cell.rule) for cell in text.bad_cells] == [
        (2, "XLSX_FORMULA_UNCACHED"),
        (3, "XLSX_ERROR_CELL"),
    ]


def test_hidden_rows_and_mapped_columns_refuse_the_workbook(save):
    def hide_row(book, sheet):
        sheet.row_dimensions[3].hidden = True

    def hide_column(book, sheet):
        sheet.column_dimensions["D"].hidden = True

    assert refuse(save(hide_row), PrivacyError)["XLSX_HIDDEN"].lines == (3,)
    assert refuse(save(hide_column), PrivacyError)["XLSX_HIDDEN"].column == "score"


def test_hidden_columns_and_sheets_that_are_not_read_are_pointed_out(save):
    def hide(book, sheet):
        sheet.column_dimensions["B"].hidden = True
        book.create_sheet("codes").sheet_state = "hidden"

    text = read(save(hide))
    assert [(finding.rule, finding.outcome) for finding in text.findings] == [
        ("XLSX_HIDDEN", "accept_with_warning")
    ] * 2
    assert "name" not in " ".join(map(str, text.findings))


def test_a_hidden_sheet_is_not_read_even_if_named(save):
    def hide(book, sheet):
        book.create_sheet("cover")
        sheet.sheet_state = "hidden"

    assert "XLSX_HIDDEN" in refuse(save(hide), PrivacyError, sheet="visits")


def test_comments_on_what_is_read_refuse_the_workbook_and_are_not_repeated(save):
    def comment(place):
        def change(book, sheet):
            sheet[place].comment = Comment("Ann Wood called", "reception")

        return change

    path = save(comment("D3"))
    with pytest.raises(PrivacyError) as caught:
        read(path)
    assert "Wood" not in str(caught.value)
    assert [finding.outcome for finding in read(save(comment("B3"))).findings] == ["accept_with_warning"]


def test_the_sheet_is_named_where_there_are_several(save):
    def add(book, sheet):
        book.create_sheet("codes").append(["A"])

    assert 'sheet = "visits"' in str(refuse(save(add))["XLSX_SHEET_AMBIGUOUS"].remedy)
    assert len(rows(read(save(add), sheet="visits"))) == 3
    assert "XLSX_SHEET_MISSING" in refuse(save(add), sheet="Visits 2")


def test_merged_cells_are_read_only_where_fill_down_says_what_they_mean(save):
    def merge(book, sheet):
        sheet.merge_cells("A2:A3")

    assert str(refuse(save(merge))["XLSX_MERGED"].remedy).startswith('add fill_down = ["id"]')
    assert [row[1] for row in rows(read(save(merge), fill_down=("id",)))] == ["P1", "P1", "P3"]


def test_a_merged_header_of_two_rows_is_joined(save):
    def merge(book, sheet):
        sheet.merge_cells("B3:C3")

    table = [["Report"], [], ["Pt", "Baseline", None], [None, "ODI", "Pain"], ["P1", 40, 7]]
    scores = (ScoreSpec("odi", "Baseline ODI"), ScoreSpec("nprs", "Baseline Pain"))
    wide = {"rows": "episode", "columns": {"patient_id": "Pt"}, "scores": scores}
    path = save(merge, table)
    assert rows(read(path, header_row=(3, 4), **wide)) == [(5, "P1", "40", "7")]
    assert str(refuse(path, **wide)["PREAMBLE"].remedy) == "add header_row = [3, 4]"


def test_dates_that_count_from_1904_are_shifted_and_said_to_be(save):
    def count(book, sheet):
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
        sheet["C2"] = datetime.date(2026, 4, 3)

    text = read(save(count))
    assert rows(text)[0][2] == "2026-04-03"
    assert [finding.rule for finding in text.findings] == ["DATE_EXCEL_1904"]


@pytest.mark.parametrize(
    ("value", "form", "spelt"),
    [
        (0.42, "0%", "42%"),
        (0.07, "0%", "7%"),
        (0.125, "0.0%", "12.5%"),
        (1 / 3, "0.00%", "33.3333333333333%"),
        (1, "0%", "100%"),
        (0, "0 %", "0%"),
        (0.29, "[Red]0%;-0%", "29%"),
        (42, '0"%"', "42"),
        (42, r"0\%", "42"),
        (0.42, "General", "0.42"),
    ],
)
def test_a_number_shown_as_per_cent_is_read_as_it_is_shown(save, value, form, spelt):
    def show(book, sheet):
        sheet["D2"] = value
        sheet["D2"].number_format = form

    text = read(save(show))
    assert rows(text)[0][3] == spelt
    said = [(finding.rule, finding.lines) for finding in text.findings]
    assert said == ([("XLSX_PERCENT", (2,))] if spelt.endswith("%") else [])


def test_ids_keep_their_number_whatever_their_format_is(save):
    def show(book, sheet):
        sheet["A2"] = 7
        sheet["A2"].number_format = "0%"

    assert rows(read(save(show)))[0][1] == "7"


@pytest.mark.parametrize("name", ["percent", "percent_mixed"])
def test_cells_of_case_3_read_as_they_are_shown(shared, name):
    """Case 3: a column in which some cells are shown as per cent gave means of numbers and of fractions."""
    folder = shared / "cases" / "reading" / "03-percent-cells"
    spec = FileSpec("*", "episode", {"patient_id": "pid"}, scores=(ScoreSpec("odi", "odi0"),))
    text = read_text_table(folder / name / "x.xlsx", spec)
    read_as = [float(cell.rstrip("%")) for cell in text.table.column("odi0").to_pylist()]
    other = "percent_mixed" if name == "percent" else "percent"
    again = read_text_table(folder / other / "x.xlsx", spec).table.column("odi0").to_pylist()
    assert read_as == [float(cell.rstrip("%")) for cell in again]
    assert min(read_as) > 1


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2026, 5, 3),
        datetime.datetime(2026, 7, 10),
        datetime.time(7, 10),
        datetime.timedelta(hours=31, minutes=10),
        "3-May",
        "Mai 05",
        "10月7日",
        "07/10/2026",
        "7:10",
    ],
)
def test_a_score_of_which_a_spreadsheet_made_a_date_is_a_bad_cell(save, value):
    table = [TABLE[0], *([f"P{n}", "", "x", 4] for n in range(9)), ["P9", "", "x", value]]
    text = read(save(table=table))
    assert [(cell.line, cell.column, cell.rule) for cell in text.bad_cells] == [(11, "score", "SCORE_DATE")]
    assert text.split("score")[1].to_pylist() == ["4"]  # the date is nowhere any more


@pytest.mark.parametrize("value", ["3/5", "7-10", "7 of 10", "5,7 cm", "3 marks", "12.5", "1.2.3", -3])
def test_written_scores_are_no_dates(save, value):
    table = [TABLE[0], *([f"P{n}", "", "x", 4] for n in range(9)), ["P9", "", "x", value]]
    assert not read(save(table=table)).bad_cells


def test_a_date_that_means_missing_and_dates_where_they_belong_are_left(save):
    day = datetime.date(1900, 1, 1)
    table = [TABLE[0], *([f"P{n}", "", day, 4] for n in range(9)), ["P9", "", day, day]]
    text = read(save(table=table), missing=("1900-01-01",))
    assert not text.bad_cells
    assert text.split("day")[1].to_pylist() == ["1900-01-01"]


def test_a_column_of_dates_mapped_to_a_score_is_the_wrong_column(save):
    table = [TABLE[0], *([f"P{n}", "", "x", datetime.date(1970, 1, n + 1)] for n in range(9))]
    finding = refuse(save(table=table), PrivacyError)["SCORE_DATE"]
    assert (finding.column, finding.count) == ("score", 9)
    assert "no column of numbers" in str(finding.what)


def test_case_13_refuses_three_cells(shared, tmp_path):
    folder = shared / "cases" / "reading" / "13-scores-turned-into-dates"
    records = read_records(
        folder / "score_date.toml", folder / "score_date", private_folder=tmp_path / "private"
    )
    refused = records.refused[["line", "column", "rule", "scope"]].to_numpy().tolist()
    assert refused == [[line, "odi3", "SCORE_DATE", "cell"] for line in (3, 5, 9)]
    assert (records.n_refused, len(records.assessments)) == (0, 117)


def test_decimal_commas_in_text_cells_do_not_touch_real_numbers(save):
    table = [TABLE[0], ["P1", "", "x", "7,5"], ["P2", "", "y", 1.234]]
    assert [row[3] for row in rows(read(save(table=table), decimal=","))] == ["7.5", "1.234"]


def test_a_cut_workbook_is_refused(save):
    path = save()
    path.write_bytes(path.read_bytes()[:-30])
    assert "XLSX_CORRUPT" in refuse(path)


def test_a_sheet_without_records_is_refused(save):
    assert "FILE_NO_ROWS" in refuse(save(table=TABLE[:1]))


def test_the_riverside_export_is_read_without_names_birth_dates_and_notes(shared):
    columns = {"patient_id": "Pt No", "therapy": "Treatment given", "start_date": "First appt"}
    scores = tuple(
        ScoreSpec(id, f"{time} {name}", timepoint=point)
        for time, point in (("Baseline", "baseline"), ("6 weeks", "week_6"), ("3 months", "month_3"))
        for id, name in (("odi", "ODI %"), ("nprs", "Pain 0-10"))
    )
    spec = FileSpec("*", "episode", columns, scores=scores, header_row=(4, 5), sheet="Outcomes 2025-26")
    text = read_text_table(shared / "data" / "made-up-clinic-export" / "riverside-export.xlsx", spec)
    assert text.lines.tolist() == list(range(6, 186))
    assert text.n_read == 181
    assert set(text.unmapped) >= {"Name", "DOB", "Notes"}
    assert [refusal.rule for refusal in text.refused] == ["TOTAL_ROW"]
