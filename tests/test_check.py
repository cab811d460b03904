"""`outcomes check` says what is the matter, whatever the records lack; it never ends in a bug."""

from __future__ import annotations

import csv
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
from outcomes.errors import AnalysisError
from outcomes.records import read_records

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
            "therapy": draw.choice(["manual_therapy", "exercise_strength", "usual_care"]),
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
        f'name = "clinic"\nlabel = "Clinic"\nrekey = true\n[primary]\ninstrument = "odi"\n'
        f'timepoint = "month_3"\nreference = "usual_care"\n{primary}\n'
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


@settings(max_examples=120)
@given(
    n=st.sampled_from([0, 1, 2, 12, 60]),
    dropped=st.sets(st.sampled_from(sorted(EVERY)), max_size=4),
    changes=st.lists(
        st.tuples(
            st.sampled_from(["blank", "half blank", "one value", "text", "out of range", "twice"]),
            st.sampled_from(sorted(EVERY)),
        ),
        max_size=3,
    ),
    primary=st.sampled_from(["", COVARIATES]),
    as_json=st.booleans(),
)
def test_whatever_a_file_lacks_check_ends_with_words(n, dropped, changes, primary, as_json):
    rows = make_rows(n)
    for how, column in changes:
        rows = change_rows(rows, how, column)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.chdir(name)
        write_source(Path(name), rows, EVERY - dropped, primary)
        with pytest.raises(SystemExit) as ended:
            main(["check", "--source", "clinic.toml", "--path", "clinic.csv", *(["--json"] * as_json)])
        bugs = [path.read_text(encoding="utf-8") for path in Path(".outcomes").glob("bug-*.txt")]
    assert ended.value.code in TOLD, bugs
