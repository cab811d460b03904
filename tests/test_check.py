"""`outcomes check` says what is the matter, whatever the records lack; it never ends in a bug."""

from __future__ import annotations

import csv
import datetime
import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from outcomes.cli import main
from outcomes.cohort import select_cohort
from outcomes.drafting import write_form
from outcomes.errors import AnalysisError
from outcomes.facts import read_words
from outcomes.records import read_records
from outcomes.reports import run_report

write = read_words().write

#: Ends with which `check` tells a user something: read, or what must be done first.
TOLD = {0, 2, 3, 4, 5, 6}
COLUMNS = {
    "patient_id": "id", "therapy": "therapy", "start_date": "start", "sex": "sex", "age_years": "age",
    "region": "region", "site": "site", "discharge_day": "discharge",
}  # fmt: skip
SCORES = {"odi_0": ("odi", "baseline"), "odi_3": ("odi", "month_3"), "nprs_0": ("nprs", "baseline")}


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Run `outcomes check` in an empty folder; returns its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["check", *map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def make_rows(n: int, seed: int = 1) -> list[dict[str, str]]:
    """Make rows of patients as a clinic's sheet has them, one a patient."""
    draw = random.Random(seed)
    return [
        {
            "id": f"P{number:03}",
            "therapy": draw.choice(["manual_therapy", "strengthening", "usual_care"]),
            "start": f"2025-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
            "sex": draw.choice(["female", "male"]),
            "age": str(draw.randint(25, 75)),
            "region": "low_back",
            "site": draw.choice(["A", "B"]),
            "discharge": str(draw.randint(40, 90)),
            "odi_0": str(2 * draw.randint(12, 30)),
            "odi_3": str(2 * draw.randint(4, 20)),
            "nprs_0": str(draw.randint(3, 9)),
        }
        for number in range(n)
    ]


def write_source(folder: Path, rows: list[dict[str, str]], mapped: set[str], primary: str = "") -> None:
    """Write rows and a source TOML that maps the named columns of them."""
    with (folder / "clinic.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [*COLUMNS.values(), *SCORES])
        writer.writeheader()
        writer.writerows(rows)
    columns = "\n".join(f'{name} = "{header}"' for name, header in COLUMNS.items() if header in mapped)
    scores = "".join(
        f'[[file.scores]]\ninstrument = "{id}"\ntimepoint = "{time}"\ncolumn = "{header}"\n'
        + ('variant = "average"\n' if id == "nprs" else "")
        for header, (id, time) in SCORES.items()
        if header in mapped
    )
    (folder / "clinic.toml").write_text(
        'name = "clinic"\nlabel = "Clinic"\nrekey = true\nmax_refused_share = 0.99\n[primary]\n'
        f'instrument = "odi"\ntimepoint = "month_3"\nreference = "usual_care"\n{primary}\n'
        f'[[file]]\npath = "clinic.csv"\nrows = "episode"\n[file.columns]\n{columns}\n{scores}',
        encoding="utf-8",
    )


EVERY = {*COLUMNS.values(), *SCORES}
COVARIATES = 'covariates = ["age_years", "sex", "duration_weeks", "nprs:average@baseline"]'


def change_rows(rows: list[dict[str, str]], how: str, column: str) -> list[dict[str, str]]:
    """Spoil a column or the rows in one of the ways in which files come."""
    if how == "blank":
        return [row | {column: ""} for row in rows]
    if how == "half blank":
        return [row | ({column: ""} if number % 2 else {}) for number, row in enumerate(rows)]
    if how == "one value":
        return [row | {column: rows[0][column]} for row in rows] if rows else rows
    if how == "text":
        return [row | {column: "see letter"} for row in rows]
    if how == "out of range":
        return [row | {column: "99999"} for row in rows]
    if how == "twice":
        return rows + rows[: len(rows) // 2]
    return rows


def run_quietly(*arguments: str) -> tuple[int, list[str]]:
    """Run `check` in the current folder; return its exit code and the tracebacks of bugs that it kept."""
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    return ended.value.code, [
        path.read_text(encoding="utf-8") for path in Path(".outcomes").glob("bug-*.txt")
    ]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["blank", "half blank", "one value", "text", "out of range", "twice"]),
        st.sampled_from(sorted(EVERY)),
    ),
    max_size=3,
)
SIZES = st.sampled_from([0, 1, 2, 12, 60])


@settings(max_examples=60)
@given(
    n=SIZES, changes=CHANGES, dropped=st.sets(st.sampled_from(sorted(EVERY)), max_size=3),
    primary=st.sampled_from(["", COVARIATES]), as_json=st.booleans(),
)  # fmt: skip
def test_whatever_a_wide_file_lacks_check_ends_with_words(n, changes, dropped, primary, as_json):
    rows = make_rows(n)
    for how, column in changes:
        rows = change_rows(rows, how, column)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.chdir(name)
        write_source(Path(name), rows, EVERY - dropped, primary)
        code, bugs = run_quietly("--source", "clinic.toml", "--path", "clinic.csv", *(["--json"] * as_json))
    assert code in TOLD and not bugs, bugs


LONG = {
    "patient_id": "id", "therapy": "therapy", "start_date": "start", "sex": "sex", "age_years": "age",
    "date": "seen", "timepoint": "visit", "instrument": "measure", "score": "score",
}  # fmt: skip


def write_visits(folder: Path, n: int, changes: list[tuple[str, str]], mapped: set[str], labels: int) -> None:
    """Write a long file: a row a visit and measure, some of them changed, and its source TOML."""
    rows = []
    for row in make_rows(n):
        begun = datetime.date.fromisoformat(row["start"])
        for label, day, scored in (("baseline", 0, "0"), ("month_3", 91, "3"))[:labels]:
            about = {header: row[header] for header in ("id", "therapy", "start", "sex", "age")}
            about |= {"seen": (begun + datetime.timedelta(day)).isoformat(), "visit": label}
            measures = [name for name in ("odi", "nprs") if f"{name}_{scored}" in row]
            rows += [about | {"measure": name, "score": row[f"{name}_{scored}"]} for name in measures]
    for how, column in changes:
        rows = change_rows(rows, how, column)
    with (folder / "visits.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(LONG.values()))
        writer.writeheader()
        writer.writerows(rows)
    columns = "\n".join(f'{name} = "{header}"' for name, header in LONG.items() if header in mapped)
    (folder / "visits.toml").write_text(
        'name = "visits"\nlabel = "Visits"\nrekey = true\nmax_refused_share = 0.99\n[primary]\n'
        f'instrument = "odi"\ntimepoint = "month_3"\n{COVARIATES}\n[[file]]\npath = "visits.csv"\n'
        f'rows = "assessment"\n[file.columns]\n{columns}\n',
        encoding="utf-8",
    )


@settings(max_examples=60)
@given(
    n=SIZES, labels=st.sampled_from([1, 2]),
    changes=st.lists(
        st.tuples(
            st.sampled_from(["blank", "half blank", "one value", "text", "out of range", "twice"]),
            st.sampled_from(sorted(LONG.values())),
        ),
        max_size=2,
    ),
    dropped=st.sets(st.sampled_from(sorted(set(LONG.values()) - {"id", "measure", "score"})), max_size=4),
)  # fmt: skip
def test_whatever_a_long_file_lacks_check_ends_with_words(n, labels, changes, dropped):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.chdir(name)
        write_visits(Path(name), n, changes, set(LONG.values()) - dropped, labels)
        code, bugs = run_quietly("--source", "visits.toml", "--path", "visits.csv")
    assert code in TOLD and not bugs, bugs


def fill_form(path: Path, n: int, blank: set[str]) -> None:
    """Fill in the form that `outcomes template` writes, all of its columns but those that stay blank."""
    write_form(path)
    book = load_workbook(path)
    sheet = book["records"]
    places = {cell.value: cell.column for cell in sheet[1]}
    for line, row in enumerate(make_rows(n), start=2):
        filled = {
            "patient number": row["id"], "planned therapy": row["therapy"].replace("_", " "),
            "first day": datetime.date.fromisoformat(row["start"]), "site": row["site"], "sex": row["sex"],
            "age": int(row["age"]), "region": "low back", "weeks of complaint": int(row["age"]) // 3,
            "sessions attended": int(row["nprs_0"]), "start: ODI 0-100": int(row["odi_0"]),
            "3 months: ODI 0-100": int(row["odi_3"]), "start: pain 0-10": int(row["nprs_0"]),
            "3 months: date": datetime.date.fromisoformat(row["start"]) + datetime.timedelta(91),
        }  # fmt: skip
        for header in filled.keys() - blank:
            sheet.cell(line, places[header], filled[header])
    book.save(path)


OPTIONAL = [
    "first day", "site", "sex", "age", "region", "weeks of complaint", "sessions attended", "3 months: date",
    "start: pain 0-10", "start: ODI 0-100", "3 months: ODI 0-100", "planned therapy",
]  # fmt: skip


@settings(max_examples=20)
@given(n=st.sampled_from([0, 1, 12, 40]), blank=st.sets(st.sampled_from(OPTIONAL), max_size=6))
def test_a_form_that_is_half_filled_in_is_checked(n, blank):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.chdir(name)
        fill_form(Path("form.xlsx"), n, blank)
        code, bugs = run_quietly("--source", "template", "--path", "form.xlsx")
    assert code in TOLD and not bugs, bugs


@pytest.mark.parametrize("blank", OPTIONAL[:9])
def test_one_blank_optional_column_of_the_form_stops_nothing(check, blank):
    fill_form(Path("form.xlsx"), 60, {blank})
    code, out, err = check("--source", "template", "--path", "form.xlsx")
    assert code == 0, err
    assert "60 patients, 60 episodes" in out and "odi      month_3" in out


def test_a_covariate_that_nobody_recorded_leaves_the_model_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill_form(tmp_path / "form.xlsx", 60, {"weeks of complaint"})
    cohort = select_cohort(read_records("template", "form.xlsx"))
    assert cohort.covariates == ("age_years", "sex", "region")
    assert "of which nothing is recorded for these patients: nothing is adjusted for it" in write(
        cohort.rules["missing"]
    )
    report = run_report(
        "therapy_comparison", {"audience": "team"}, source="template", path="form.xlsx", out="html"
    )
    page = report.page.read_text(encoding="utf-8")
    assert "duration" in write(cohort.rules["missing"]) and write(cohort.rules["missing"]) in page
    with pytest.raises(AnalysisError, match="No value of duration_weeks is read"):
        select_cohort(cohort.records, covariates=("age_years", "duration_weeks"))


def test_a_measure_that_nobody_has_at_the_start_leaves_the_model_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [row | {"nprs_0": ""} for row in make_rows(40)]
    write_source(tmp_path, rows, EVERY, COVARIATES)
    cohort = select_cohort(read_records("clinic.toml", "clinic.csv"))
    assert cohort.covariates == ("age_years", "sex")
    assert "NPRS at the start" in write(cohort.rules["missing"])


def test_start_dates_without_dates_of_visits_are_no_bug(check):
    write_source(Path(), make_rows(60), EVERY)
    code, out, _ = check("--source", "clinic.toml", "--path", "clinic.csv")
    assert code == 0
    assert "cannot be said: the records hold no dates of follow-ups." in out
    write_source(Path(), make_rows(60), EVERY - {"start"})
    code, out, _ = check("--source", "clinic.toml", "--path", "clinic.csv")
    assert code == 0
    assert "the records hold no dates on which an episode began." in out


def test_words_of_check_are_those_of_a_clinic(check):
    write_source(Path(), make_rows(60), EVERY - {"start", "age", "site", "sex"}, COVARIATES)
    code, out, _ = check("--source", "clinic.toml", "--path", "clinic.csv")
    assert code == 0
    assert "each of the 60 patients has at least" in out
    assert "Numbers of odi that each audience would see" in out and "people outside  the team" in out
    for ours in ("K_ANONYMITY", "withheld", "average risk", "in groups below"):
        assert ours not in out
    few = make_rows(4)
    write_source(Path(), few, EVERY)
    _, out, _ = check("--source", "clinic.toml", "--path", "clinic.csv")
    assert "4 of 4 patients have fewer than" in out and "would not change that" in out
    assert "To know" not in out.split("alike")[0]


def test_questions_come_first_and_stand_in_json_too(check):
    rows = [row | {"odi_3": str(-int(row["odi_3"]))} for row in make_rows(60)]
    write_source(Path(), rows, EVERY)
    code, out, err = check("--source", "clinic.toml", "--path", "clinic.csv")
    assert code == 3 and not out
    first, _, question, *_ = err.splitlines()
    assert first == "clinic was not read: answer 1 question first."
    assert question.startswith("  Question about clinic.csv, column 'odi_3'")
    assert 'holds = "change"' in err
    code, out, _ = check("--source", "clinic.toml", "--path", "clinic.csv", "--json")
    (asked,) = json.loads(out)["questions"]
    assert code == 3 and asked["column"] == "odi_3" and 'holds = "change"' in asked["remedy"]


@pytest.mark.parametrize(
    ("folder", "source", "path"),
    [
        ("reading/01-check-without-dated-follow-ups", "b0.toml", "b0"),
        ("reading/01-check-without-dated-follow-ups", "template", "form3"),
        ("reading/24-form-with-a-blank-column", "template", "form2"),
        ("spreadsheets", "wide.toml", "wide.csv"),
    ],
)
def test_cases_that_were_told_end_well(shared, check, folder, source, path):
    place = shared / "cases" / folder
    code, out, err = check("--source", place / source if "." in source else source, "--path", place / path)
    assert code == 0, err
    assert "no dates of follow-ups" in out
