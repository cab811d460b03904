"""Files of SPSS, Stata and SAS are read like any other: labels are codes, declared missing values missing."""

from __future__ import annotations

import csv
import datetime
import gzip
import os
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import outcomes
from outcomes.drafting import draft_source
from outcomes.drafting.grid import read_grids
from outcomes.errors import OutcomesError, PrivacyError, RecordsError
from outcomes.facts import FileSpec, ScoreSpec, read_facts
from outcomes.facts.source import build_source
from outcomes.records import read_records
from outcomes.records.files.file_reader import read_text_table
from outcomes.records.gate.inspection import mark_identifying

pyreadstat = pytest.importorskip("pyreadstat", reason="the extra 'formats' is not installed")

TABLE = pd.DataFrame(
    {
        "id": ["P1", "P2", "王3", "P4"],
        "sex": [1.0, 2.0, 1.0, 9.0],
        "grp": [1.0, 2.0, 2.0, 1.0],
        "start": [datetime.date(2026, 1, 5), datetime.date(2025, 12, 31), None, datetime.date(2026, 2, 28)],
        "odi0": [40.0, 62.0, 24.0, 99.0],
        "odi3": [22.0, 33.3, -7.0, 18.0],
        "name": ["Ann Wood", "Bo Lee", "Cy Hall", "Di Moore"],
    }
)
LABELS = {
    "sex": {1: "Männlich", 2: "Weiblich", 9: "unbekannt"},
    "grp": {1: "Manual therapy", 2: "Exercise"},
    "odi3": {0: "no disability"},
}
SPEC = FileSpec(
    "*",
    "episode",
    {"patient_id": "id", "sex": "sex", "therapy": "grp", "start_date": "start"},
    scores=(ScoreSpec("odi", "odi0", timepoint="baseline"), ScoreSpec("odi", "odi3", timepoint="month_3")),
)


def write(path, table=TABLE, labels=LABELS, **options):
    """Write a table in the format that a path names."""
    kind = path.suffix
    if kind == ".xpt":
        pyreadstat.write_xport(table, path, file_format_version=8)
    elif kind == ".por":
        pyreadstat.write_por(table.rename(columns=str.upper), path)
    elif kind == ".dta":
        pyreadstat.write_dta(table, path, variable_value_labels=labels, **options)
    else:
        pyreadstat.write_sav(table, path, variable_value_labels=labels, compress=kind == ".zsav", **options)
    return path


def columns(path, spec=SPEC, **changes):
    text = read_text_table(path, FileSpec(**{**vars(spec), **changes}))
    return {name: text.table.column(name).to_pylist() for name in text.table.column_names}


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta"])
def test_values_labels_and_dates_are_read(tmp_path, suffix):
    found = columns(write(tmp_path / f"clinic{suffix}"))
    assert found == {
        "id": ["P1", "P2", "王3", "P4"],
        "sex": ["Männlich", "Weiblich", "Männlich", "unbekannt"],
        "grp": ["Manual therapy", "Exercise", "Exercise", "Manual therapy"],
        "start": ["2026-01-05", "2025-12-31", "", "2026-02-28"],
        "odi0": ["40", "62", "24", "99"],
        "odi3": ["22", "33.3", "-7", "18"],
    }


def test_formats_without_labels_give_the_numbers(tmp_path):
    found = columns(write(tmp_path / "clinic.xpt"))
    assert found["sex"] == ["1", "2", "1", "9"]
    assert found["start"] == ["2026-01-05", "2025-12-31", "", "2026-02-28"]
    plain = TABLE.drop(columns=["start"]).assign(id=["P1", "P2", "P3", "P4"])
    upper = {"patient_id": "ID", "sex": "SEX"}
    found = columns(write(tmp_path / "clinic.por", plain), columns=upper, scores=())
    assert found == {"ID": ["P1", "P2", "P3", "P4"], "SEX": ["1", "2", "1", "9"]}


def test_either_the_number_or_the_label_is_a_code(tmp_path):
    path = write(tmp_path / "clinic.sav")
    by_number = columns(path, codes={"sex": {"1": "male", "2": "female"}}, missing=("9",))
    assert by_number["sex"] == ["1", "2", "1", "9"]
    by_label = columns(path, codes={"sex": {"weiblich": "female"}}, missing_codes={"sex": ("unbekannt",)})
    assert by_label["sex"] == ["Männlich", "Weiblich", "Männlich", "unbekannt"]
    assert by_number["grp"] == by_label["grp"] == ["Manual therapy", "Exercise", "Exercise", "Manual therapy"]


def test_of_scores_the_number_counts_whatever_its_label(tmp_path):
    table = TABLE.assign(odi3=[0.0, 10.0, 2.0, 4.0])
    labels = {"odi3": {0: "no disability", 2: "9", 10: "refused to answer"}}
    path = write(tmp_path / "clinic.sav", table, labels)
    assert columns(path)["odi3"] == ["0", "10", "2", "4"]
    said = ScoreSpec("odi", "odi3", timepoint="month_3", missing=("refused to answer",))
    assert columns(path, scores=(said,))["odi3"] == ["0", "refused to answer", "2", "4"]


def test_what_the_file_declares_as_missing_is_missing(tmp_path):
    ranges = {"odi0": [99], "odi3": [{"lo": -9, "hi": -1}], "sex": [9]}
    found = columns(write(tmp_path / "clinic.sav", missing_ranges=ranges))
    assert (found["odi0"], found["odi3"]) == (["40", "62", "24", ""], ["22", "33.3", "", "18"])
    assert found["sex"] == ["Männlich", "Weiblich", "Männlich", ""]
    table = pd.DataFrame({"id": ["P1", "P2", "P3"], "odi0": [40, "a", None], "odi3": ["z", 20, 22]})
    path = tmp_path / "clinic.dta"
    pyreadstat.write_dta(table, path, missing_user_values={"odi0": ["a"], "odi3": ["z"]})
    found = columns(path, columns={"patient_id": "id"})
    assert (found["odi0"], found["odi3"]) == (["40", "", ""], ["", "20", "22"])


@pytest.mark.parametrize(
    ("value", "spelt"), [(0.1, "0.1"), (1 / 3, "0.333333333333333"), (1e6, "1000000"), (-2.5, "-2.5")]
)
def test_numbers_have_no_binary_noise(tmp_path, value, spelt):
    single = float(pd.Series([value], dtype="float32").iloc[0])
    for number in {value, single if spelt == "0.1" else value}:
        path = write(tmp_path / "clinic.dta", TABLE.assign(odi3=[number] * 4), {})
        assert columns(path)["odi3"] == [spelt] * 4


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta", ".xpt"])
def test_no_column_but_the_mapped_ones_is_loaded(tmp_path, suffix):
    text = read_text_table(write(tmp_path / f"clinic{suffix}"), SPEC)
    assert "name" not in text.table.column_names
    assert text.unmapped == ("name",)
    assert text.lines.tolist() == [1, 2, 3, 4]


def declare(path, **changes):
    block = {
        "path": path.name,
        "rows": "episode",
        "columns": {"patient_id": "id", "sex": "sex", "therapy": "grp", "start_date": "start"},
        "codes": {"sex": {"Männlich": "male", "Weiblich": "female", "1": "male", "2": "female"}},
        "missing_codes": {"sex": ["9", "unbekannt"]},
        "scores": [
            {"instrument": "odi", "timepoint": "baseline", "column": "odi0", "missing": ["99"]},
            {"instrument": "odi", "timepoint": "month_3", "column": "odi3", "missing": ["-7"]},
        ],
        **changes,
    }
    content = {"name": "clinic", "label": "a clinic", "k_min": 0, "max_refused_share": 1.0}
    return build_source({**content, "file": [block]}, "clinic.toml")


def write_every_format(folder):
    """Write one table in every format that is read; numbers as codes where a format has no labels."""
    table = TABLE.assign(grp=["manual_therapy", "usual_care", "usual_care", "manual_therapy"])
    table["odi3"] = [22.0, 34.0, -7.0, 18.0]
    rows = [list(table.columns), *table.astype(object).where(table.notna(), None).values.tolist()]
    plain = folder / "clinic.csv"
    with plain.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    (folder / "clinic.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(folder / "clinic.csv.zip", "w") as archive:
        archive.writestr("clinic.csv", plain.read_bytes())
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / "clinic.xlsx")
    table.to_parquet(folder / "clinic.parquet")
    for suffix in (".sav", ".zsav", ".dta", ".xpt"):
        write(folder / f"clinic{suffix}", table, {"sex": LABELS["sex"]})
    return sorted(folder.glob("clinic.*"))


def test_every_format_gives_the_same_records_and_every_one_can_be_drafted(tmp_path):
    (tmp_path / "files").mkdir()
    paths = write_every_format(tmp_path / "files")
    assert len(paths) == 9
    found = {}
    for path in paths:
        records = read_records(
            declare(path), path, run_date="2026-11-23", private_folder=tmp_path / "private"
        )
        scores = records.assessments.merge(records.episodes[["episode_id", "sex", "therapy", "start_date"]])
        keep = ["episode_id", "timepoint", "score", "sex", "therapy", "start_date"]
        found[path.name] = scores[keep].astype(str).to_numpy().tolist()
        headers = [str(cell) for cell in read_grids(path)[0].rows[0]]
        assert headers == list(TABLE.columns), path.name
        assert draft_source(path).left_out["identifying"] == ("name",), path.name
    first = found["clinic.csv"]
    assert len(first) == 6
    assert [name for name, scores in found.items() if scores != first] == []


def test_a_draft_opens_no_file_but_by_the_reader():
    """So that a format is added once: drafts know of none."""
    folder = Path(outcomes.__file__).parent / "drafting"
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        known = re.findall(r"^(?:import|from) (csv|gzip|zipfile|openpyxl|pyarrow|pyreadstat)\b", text, re.M)
        opened = re.findall(r"\bopen\(|\.read_(?:bytes|text|csv|excel|parquet)\(", text)
        named = [suffix for suffix in read_facts("limits")["file"]["suffixes"] if f'"{suffix}"' in text]
        assert not known and not opened, path.name
        assert not named or (path.name == "form.py" and named == [".xlsx"]), "the form is what is written"


def test_a_draft_of_a_labelled_file_needs_no_codebook(tmp_path):
    """Variables go by their labels where their names say nothing; codes by theirs, but not in scores."""
    n = 12
    table = pd.DataFrame(
        {
            "v1": [f"P{i}" for i in range(n)],
            "v2": [1.0, 2.0] * (n // 2),
            "v3": [1.0, 1.0, 2.0] * (n // 3),
            "odi_baseline": [30.0 + 2 * i for i in range(n)],
            "v5": [20.0 + 2 * i for i in range(n)],
        }
    )
    path = tmp_path / "survey.sav"
    names = {"v1": "Patient ID", "v2": "Sex", "v3": "Treatment", "v5": "ODI 3 months"}
    codes = {
        "v2": {1: "female", 2: "male"},
        "v3": {1: "Manual therapy", 2: "Usual care"},
        "v5": {20: "little"},
    }
    pyreadstat.write_sav(table, path, column_labels=names, variable_value_labels=codes)
    rows = read_grids(path)[0].rows
    assert rows[0] == ("Patient ID", "Sex", "Treatment", "odi_baseline", "ODI 3 months")
    assert rows[1] == ("P0", "female", "Manual therapy", 30, 20)
    text = draft_source(path).text
    assert 'sex = "Sex"' in text
    spec = FileSpec(
        "*",
        "episode",
        {"patient_id": "Patient ID", "sex": "v2", "therapy": "Treatment"},
        scores=(ScoreSpec("odi", "ODI 3 months", timepoint="month_3"),),
    )
    found = columns(path, spec)
    assert found["Treatment"][:3] == ["Manual therapy", "Manual therapy", "Usual care"]
    assert found["v2"][:2] == ["female", "male"]
    assert found["ODI 3 months"][:2] == ["20", "22"]


def test_labels_that_may_identify_a_person_are_never_shown(tmp_path):
    names = {"odi0": "ODI of Mrs Wood", "sex": "Sex"}
    labels = {"grp": {1: "Tina Wood", 2: "Paul Green"}, "sex": {1: "male", 2: "0912-345-678"}}
    path = write(tmp_path / "clinic.sav", labels=labels, column_labels=names)
    drafted = draft_source(path).text
    refused = ""
    try:
        source = declare(path, codes={})
        read_records(source, path, run_date="2026-11-23", private_folder=tmp_path / "private")
    except PrivacyError as error:
        refused = str(error)
    assert "PHI_" in refused  # a label that would be read as a code is a telephone number
    for secret in ("Wood", "Green", "0912"):
        assert secret not in drafted + refused
        assert secret not in str(read_grids(path)[0].rows[0])


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta", ".xpt", ".por", ".sas7bdat"])
def test_files_that_are_none_are_refused(tmp_path, suffix):
    path = tmp_path / f"clinic{suffix}"
    cases = {b"": "FILE_EMPTY", b"id,odi\nP1,40\n": None, b"PK\x03\x04zip": "TYPE_MISMATCH"}
    for content, rule in cases.items():
        path.write_bytes(content)
        for look in (lambda: read_text_table(path, SPEC), lambda: read_grids(path)):
            with pytest.raises(RecordsError) as caught:
                look()
            rules = {finding.rule for finding in caught.value.findings}
            assert rules <= {rule} if rule else rules <= {"TYPE_MISMATCH", "DATASET_CORRUPT"}


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta", ".xpt"])
def test_a_file_that_was_cut_off_is_refused_wherever_it_was_cut(tmp_path, suffix):
    table = pd.concat([TABLE] * 30, ignore_index=True)
    whole = write(tmp_path / f"clinic{suffix}", table).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for share in (0.3, 0.6, 0.99):
        cut.write_bytes(whole[: int(len(whole) * share)])
        try:
            text = read_text_table(cut, SPEC)
        except RecordsError as error:
            assert {finding.rule for finding in error.findings} & {"DATASET_CORRUPT", "TRUNCATED"}
        else:
            assert text.n_read == len(table), share


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".xpt"])
def test_a_file_without_records_is_refused(tmp_path, suffix):
    path = write(tmp_path / f"clinic{suffix}", TABLE.iloc[:0], {})
    with pytest.raises(RecordsError, match=r"FILE_NO_ROWS|DATASET_CORRUPT"):
        read_text_table(path, SPEC)


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta", ".xpt", ".xlsx", ".parquet", ".csv.gz"])
def test_damaged_bytes_are_refused_and_end_in_no_other_error(tmp_path, suffix):
    """A damaged .sav can end the library that reads it; the reader says that the file is damaged."""
    (tmp_path / "files").mkdir()
    write_every_format(tmp_path / "files")
    whole = (tmp_path / "files" / f"clinic{suffix}").read_bytes()
    draw, damaged = random.Random(1), tmp_path / f"damaged{suffix}"
    for _ in range(4 if suffix in (".sav", ".zsav", ".dta", ".xpt") else 40):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 3, 20])):
            content[draw.randrange(len(content))] = draw.randrange(256)
        damaged.write_bytes(bytes(content))
        for look in (
            lambda: read_text_table(damaged, SPEC, mark_texts=mark_identifying),
            lambda: read_grids(damaged),
        ):
            try:
                look()
            except OutcomesError as error:
                assert str(error)


def test_what_ends_the_library_ends_no_reading(tmp_path):
    """One byte in a variable's record (its number of missing values) ends pyreadstat 1.3 by a signal."""
    path = write(tmp_path / "clinic.sav")
    content = bytearray(path.read_bytes())
    content[213] = 0xFF
    path.write_bytes(bytes(content))
    for look in (lambda: read_text_table(path, SPEC), lambda: read_grids(path)):
        with pytest.raises(RecordsError, match="DATASET_CORRUPT"):
            look()


def test_without_the_extra_the_message_says_what_to_install(tmp_path):
    """Python is started without the folder in which pyreadstat lies."""
    path = write(tmp_path / "clinic.sav")
    (tmp_path / "pyreadstat.py").write_text("raise ImportError\n", encoding="utf-8")
    code = (
        "from outcomes.errors import RecordsError\n"
        "from outcomes.drafting.grid import read_grids\n"
        "from pathlib import Path\n"
        f"try: read_grids(Path({str(path)!r}))\n"
        "except RecordsError as error: print(error)\n"
    )
    folders = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    source = str(Path(__file__).parents[1] / "src")
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*folders, source])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "FORMAT_EXTRA" in told
    assert "pip install 'outcomes[formats]'" in told
