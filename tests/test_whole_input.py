"""The whole input is read, whichever way it is given; what nobody reads is told with its number of rows."""

from __future__ import annotations

import csv
import shutil

import openpyxl
import pytest

from outcomes.errors import FactsError, PrivacyError, RecordsError, RefusedShareError
from outcomes.facts.source import build_source
from outcomes.records import read_records
from outcomes.records.files.locations import list_files

SCORES = {
    "rows": "assessment",
    "columns": {"patient_id": "id", "timepoint": "visit", "therapy": "therapy"},
    "scores": [{"instrument": "odi", "column": "odi"}],
}
SESSIONS = {"rows": "session", "columns": {"patient_id": "id", "day": "seen"}}
VISITS = [
    ["id", "visit", "therapy", "odi", "remarks"],
    *(
        [f"P{i}", visit, "manual_therapy", 80 - 2 * i - 20 * k, "x"]
        for i in range(10)
        for k, visit in enumerate(("baseline", "week_6", "month_3"))
    ),
]
SEEN = [["id", "seen"], *([f"P{i}", day] for i in range(10) for day in (3, 10))]


def declare(*blocks, **content):
    content = {"name": "clinic", "label": "a clinic", "k_min": 0, **content}
    return build_source({**content, "file": list(blocks)}, "clinic.toml")


def write_book(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def write_csv(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def read(tmp_path):
    def read_path(source, path):
        return read_records(source, path, run_date="2026-11-23", private_folder=tmp_path / "private")

    return read_path


def numbers(records):
    """What a page could print of records: counts, scores and sessions."""
    scores = records.assessments.sort_values(["episode_id", "timepoint"])
    return (
        (records.n_read, records.n_accepted, records.n_refused, len(records.sessions)),
        scores[["episode_id", "timepoint", "score"]].astype(str).to_numpy().tolist(),
        [str(finding) for finding in records.findings if finding.outcome.startswith(("refuse", "quar"))],
    )


@pytest.mark.parametrize("pattern", ["clinic.xlsx", "*.xlsx"])
def test_two_sheets_of_a_workbook_are_read_by_folder_by_file_and_by_pattern(tmp_path, read, pattern):
    folder = tmp_path / "records"
    folder.mkdir()
    book = write_book(folder / "clinic.xlsx", visits=VISITS, sessions=SEEN)
    source = declare(
        {**SCORES, "path": pattern, "sheet": "visits"}, {**SESSIONS, "path": pattern, "sheet": "sessions"}
    )
    ways = [numbers(read(source, way)) for way in (folder, book, folder / "*.xlsx", folder / "c*.xls?")]
    assert ways[0][0] == (50, 50, 0, 20)
    assert all(way == ways[0] for way in ways)


def test_one_sheet_a_period_is_read_as_one_table(tmp_path, read):
    later = [VISITS[0], *([f"Q{row[0]}", *row[1:]] for row in VISITS[1:])]
    book = write_book(tmp_path / "clinic.xlsx", spring=VISITS, autumn=later)
    blocks = [{**SCORES, "path": "clinic.xlsx", "sheet": name} for name in ("spring", "autumn")]
    records = read(declare(*blocks), book)
    assert (records.n_read, len(records.episodes), len(records.assessments)) == (60, 20, 60)
    # Lines of the two sheets are told apart in messages.
    assert set(records.unmapped) == {"clinic.xlsx [spring]", "clinic.xlsx [autumn]"}
    assert list(records.files) == ["clinic.xlsx"]


def test_one_csv_in_two_blocks_counts_each_row_once(tmp_path, read):
    rows = [[*VISITS[0], "seen"], *([*row, place] for place, row in enumerate(VISITS[1:]))]
    folder = tmp_path / "records"
    folder.mkdir()
    path = write_csv(folder / "all.csv", rows)
    source = declare({**SCORES, "path": "all.csv"}, {**SESSIONS, "path": "all.csv"})
    ways = [read(source, way) for way in (folder, path)]
    for records in ways:
        assert (records.n_read, records.n_accepted, records.n_refused) == (30, 30, 0)
        assert (len(records.assessments), len(records.sessions)) == (30, 30)
        assert records.unmapped == {"all.csv": ("remarks",)}
    assert numbers(ways[0]) == numbers(ways[1])


def test_a_row_that_one_of_two_blocks_refuses_is_refused_once(tmp_path, read):
    rows = [[*VISITS[0], "seen"], *([*row, place] for place, row in enumerate(VISITS[1:]))]
    rows[5][5] = "some day"  # no number: the session is refused, the score is not
    rows[7][0] = ""  # nobody's: both are refused
    path = write_csv(tmp_path / "all.csv", rows)
    blocks = {**SCORES, "path": "all.csv"}, {**SESSIONS, "path": "all.csv"}
    records = read(declare(*blocks, max_refused_share=0.5), path)
    assert (records.n_read, records.n_accepted, records.n_refused) == (30, 28, 2)
    assert (len(records.assessments), len(records.sessions)) == (29, 28)


def test_files_of_one_name_in_two_folders_are_two_files(tmp_path, read):
    for folder, prefix in (("north", "N"), ("south", "S")):
        (tmp_path / folder).mkdir()
        rows = [VISITS[0], *([f"{prefix}{row[0]}", *row[1:]] for row in VISITS[1:])]
        write_csv(tmp_path / folder / "visits.csv", rows)
    records = read(declare({**SCORES, "path": "*/visits.csv"}), tmp_path)
    assert (records.n_read, len(records.episodes)) == (60, 20)


def test_a_file_by_another_name_is_read_where_the_blocks_describe_one_file(tmp_path, read):
    book = write_book(tmp_path / "export of May.xlsx", visits=VISITS, sessions=SEEN)
    two = declare(
        {**SCORES, "path": "clinic.xlsx", "sheet": "visits"},
        {**SESSIONS, "path": "clinic.xlsx", "sheet": "sessions"},
    )
    assert numbers(read(two, book))[0] == (50, 50, 0, 20)
    other = write_csv(tmp_path / "may.csv", VISITS)
    assert read(declare({**SCORES, "path": "visits.csv"}), other).n_read == 30
    apart = declare({**SCORES, "path": "a.csv"}, {**SESSIONS, "path": "b.csv"})
    with pytest.raises(FactsError, match="give the folder"):
        read(apart, other)


def test_blocks_for_other_files_than_the_one_named_are_told(tmp_path, read):
    visits, seen = write_csv(tmp_path / "visits.csv", VISITS), write_csv(tmp_path / "seen.csv", SEEN)
    source = declare({**SCORES, "path": "visits.csv"}, {**SESSIONS, "path": "seen.csv"})
    assert len(read(source, tmp_path).sessions) == 20
    records = read(source, visits)
    assert len(records.sessions) == 0
    told = [finding.file for finding in records.findings if finding.rule == "BLOCK_NOT_READ"]
    assert told == ["seen.csv"]
    assert not [finding for finding in read(source, tmp_path).findings if finding.rule == "BLOCK_NOT_READ"]
    assert [path for _, path in list_files(source, seen)] == [seen]


def test_a_path_that_leads_nowhere_is_told_once(tmp_path, read):
    source = declare({**SCORES, "path": "visits.csv"}, {**SESSIONS, "path": "seen.csv"})
    for path in (tmp_path / "absent.csv", tmp_path / "*.csv"):
        with pytest.raises(RecordsError) as caught:
            read(source, path)
        rules = [finding.rule for finding in caught.value.findings if finding.outcome == "refuse_file"]
        assert rules == ["FILE_NOT_FOUND"]


def test_sheets_and_files_that_nobody_reads_are_told_with_their_rows(tmp_path, read):
    write_book(tmp_path / "clinic.xlsx", visits=VISITS, prices=[["code", "fee"], [1, 2]], empty=[])
    write_csv(tmp_path / "older.csv", VISITS[:21])
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "notes.txt").write_text("ask Ann about the file, please", encoding="utf-8")
    (tmp_path / "~$clinic.xlsx").write_bytes(b"lock")
    shutil.copy(tmp_path / "older.csv", tmp_path / "Dr Lee visits.csv")
    source = declare({**SCORES, "path": "clinic.xlsx", "sheet": "visits"})
    assert dict(read(source, tmp_path).unread) == {
        "clinic.xlsx [prices]": 1,
        "older.csv": 20,
        "broken.xlsx": None,
        "(a name that is withheld)": 20,
    }
    assert dict(read(source, tmp_path / "clinic.xlsx").unread) == {"clinic.xlsx [prices]": 1}
    assert not read(declare({**SCORES, "path": "older.csv"}), tmp_path / "older.csv").unread


def test_what_excel_lays_beside_an_open_workbook_is_no_file_of_the_source(tmp_path, read):
    write_book(tmp_path / "clinic.xlsx", visits=VISITS)
    (tmp_path / "~$clinic.xlsx").write_bytes(b"lock")
    (tmp_path / ".~lock.clinic.xlsx").write_bytes(b"lock")
    assert read(declare({**SCORES, "path": "*.xlsx"}), tmp_path).n_read == 30


def test_check_prints_what_nobody_reads(tmp_path, read, capsys):
    from outcomes.cli.checking import describe_records, print_description

    write_book(tmp_path / "clinic.xlsx", visits=VISITS, prices=[["code", "fee"], [1, 2]])
    source = declare({**SCORES, "path": "clinic.xlsx", "sheet": "visits"})
    print_description(describe_records(read(source, tmp_path)))
    out = capsys.readouterr().out
    assert "Sheets and files not read\n  clinic.xlsx [prices]: 1 row" in out
    assert "clinic.xlsx: remarks" in out


WIDE = {
    "path": "wide.csv",
    "rows": "episode",
    "columns": {"patient_id": "id", "therapy": "therapy"},
    "scores": [
        {"instrument": "odi", "timepoint": "baseline", "column": "odi0"},
        {"instrument": "odi", "timepoint": "month_3", "column": "odi3", "missing": ["999"]},
    ],
}


def write_wide(tmp_path, first, second):
    rows = [[f"P{i}", "usual_care", *pair] for i, pair in enumerate(zip(first, second, strict=True))]
    return write_csv(tmp_path / "wide.csv", [["id", "therapy", "odi0", "odi3"], *rows])


def test_a_source_of_which_no_score_is_read_is_an_error(tmp_path, read):
    path = write_wide(tmp_path, ["fair"] * 20, ["good"] * 20)
    with pytest.raises(RefusedShareError, match="40 of 40 scores were refused"):
        read(declare(WIDE), path)
    path = write_wide(tmp_path, [""] * 20, ["999"] * 20)
    with pytest.raises(RefusedShareError, match="no score was read from 20 records") as caught:
        read(declare(WIDE), path)
    assert caught.value.exit_code == 5
    # A source that maps no score asks for none.
    assert read(declare({**WIDE, "scores": []}), path).n_read == 20


def test_the_share_of_refused_scores_counts_filled_cells_alone(tmp_path, read):
    second = ["x", *["12"] * 9, *[""] * 10]
    path = write_wide(tmp_path, ["40"] * 20, second)
    assert len(read(declare(WIDE), path).assessments) == 29  # 1 of 30 cells
    path = write_wide(tmp_path, ["40"] * 8 + [""] * 12, second)
    with pytest.raises(RefusedShareError, match="1 of 18 scores were refused, more than the tolerated"):
        read(declare(WIDE), path)
    assert len(read(declare(WIDE, max_refused_share=0.06), path).assessments) == 17


def test_scores_that_a_spreadsheet_made_dates_of_count_as_refused_scores(tmp_path, read):
    path = write_wide(tmp_path, ["40"] * 20, ["3-May", "10-Jul", *["12"] * 18])
    records = read(declare(WIDE), path)
    assert len(records.assessments) == 38  # 2 of 40
    path = write_wide(tmp_path, ["40"] * 20, ["3-May", "10-Jul", "2026-05-03", *["12"] * 17])
    with pytest.raises(RefusedShareError, match="3 of 40 scores"):
        read(declare(WIDE), path)


def test_a_profile_in_one_cell_never_passes_in_silence(shared, tmp_path, read):
    """Case 20: no score was read, and the exit code was 0."""
    folder = shared / "cases" / "reading" / "20-eq5d-in-one-cell"
    try:
        records = read_records(folder / "eqprof.toml", folder / "eqprof", private_folder=tmp_path / "private")
    except RefusedShareError:
        return
    assert len(records.assessments) == 120


def test_a_logical_value_is_no_score_and_identifies_nobody(tmp_path, read):
    rows = [["id", "therapy", "odi0", "odi3"], *([f"P{i}", "usual_care", 40, 12] for i in range(20))]
    rows[3][2], rows[5][3] = True, False
    records = read(declare({**WIDE, "path": "wide.xlsx"}), write_book(tmp_path / "wide.xlsx", wide=rows))
    assert records.refused[["line", "column", "scope"]].to_numpy().tolist() == [
        [4, "odi0", "cell"],
        [6, "odi3", "cell"],
    ]
    assert len(records.assessments) == 38


def test_a_column_of_dates_is_no_column_of_scores(tmp_path, read):
    path = write_wide(tmp_path, ["40"] * 20, [f"2026-05-{day:02}" for day in range(1, 21)])
    with pytest.raises(PrivacyError, match="no column of numbers"):
        read(declare(WIDE), path)
