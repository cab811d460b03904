"""The README's ten minutes: shared spreadsheets, from draft to page, hold what their patients had."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from outcomes.cli import main
from outcomes.drafting import draft_source, write_form
from walking import TIMES, make_page, try_every_answer, walk_file


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Walk a file through the README's steps as far as `check`."""
    monkeypatch.chdir(tmp_path)
    return lambda path, answers=(): walk_file(path, answers, tmp_path)


# The shared files, whose patients `truth.json` knows.


@pytest.fixture(scope="module")
def truth(shared: Path) -> pd.DataFrame:
    folder = shared / "cases" / "spreadsheets"
    return pd.DataFrame(json.loads((folder / "truth.json").read_text(encoding="utf-8"))).set_index("i")


@dataclass(frozen=True)
class Case:
    """A shared file: its answers, and which column of the truth each measure at each time is."""

    file: str
    scores: Mapping[tuple[str, str], str]
    answers: tuple[tuple[str, str | None], ...] = ()
    factor: float = 1.0
    tolerance: float = 0.0
    n_patients: int = 96
    whole: bool = True
    highest: float = 100


WIDE = {("odi", "baseline"): "b", ("odi", "week_6"): "o6"}
LONG = {**WIDE, ("odi", "month_3"): "o3"}
PAIN = {("nprs", "baseline"): "p", ("nprs", "week_6"): "q6", ("nprs", "month_3"): "q3"}
AVERAGE = {("nprs:average", time): name for (_, time), name in PAIN.items()}
HALVES = {("ndi", "baseline"): "b", ("ndi", "week_6"): "o6"}
NOW = {("nprs:now", "baseline"): "p", ("nprs:now", "week_6"): "q6"}
TRAPS = ((r"^scale = .*ODI", "raw_0_50"), (r"^scale = .*VAS", "cm"), (r"^date_order", "day-first"))
RELIEF = ((r"^direction", "higher_better"), (r"main outcome", "pain_relief"))
CODES = (
    (r"^1 = .*female", "female"), (r"^2 = .*female", "male"), (r"^1 = .*low_back", "low_back"),
    (r"^2 = .*low_back", "neck"), (r"^1 = .*which therapy", "strengthening"),
    (r"^2 = .*which therapy", "manual_therapy"), (r"^3 = .*which therapy", "usual_care"),
)  # fmt: skip
CASES = (
    Case("google-form.csv", LONG | AVERAGE, whole=False, tolerance=1),
    Case("taiwan-wide.csv", LONG | PAIN),
    Case("big5.csv", LONG | PAIN),
    Case("redcap.csv", LONG | PAIN, CODES, whole=False, tolerance=1),
    Case("sheet-per-patient.xlsx", LONG | PAIN, n_patients=40),
    Case("colours.xlsx", LONG | PAIN, ((r"^scale", "raw_0_50"),), tolerance=1),
    Case("traps.csv", WIDE, TRAPS, tolerance=1),
    Case("silent-ndi-percent.csv", HALVES, ((r"^scale", "percent"),), 0.5, highest=50),
    Case("silent-fraction.csv", WIDE, ((r"^scale", "proportion"),)),
    Case("silent-change.csv", WIDE, ((r"^holds", "improvement"),)),
    Case("silent-relief.csv", {("nprs", "baseline"): "p"}, RELIEF),
    Case("silent-switch.csv", LONG),
    Case("silent-two-pains.csv", NOW, ((r"main outcome", "nprs:now"),)),
    Case("silent-dates.csv", WIDE, ((r"^date_order", "day-first"),)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_a_shared_sheet_holds_what_its_patients_had(walk, shared, truth, tmp_path, case: Case):
    found = walk(shared / "cases" / "spreadsheets" / case.file, case.answers)
    known = truth.head(case.n_patients)
    for (measure, time), column in case.scores.items():
        read = found.scores[measure][time].dropna()
        right = known[column].clip(upper=case.highest) * case.factor
        if case.whole and found.records.n_refused <= 1:
            assert len(read) == case.n_patients
            assert read.mean() == pytest.approx(right.mean(), abs=case.tolerance)
        assert read.mean() == pytest.approx(right.mean(), abs=1.0 if case.whole else 3.0)
        assert sorted(set(read.round(6))) == sorted(set(read.round(6)) & _within(right, case.tolerance, read))
    assert "A made-up clinic" in make_page(found, tmp_path)


def _within(right: pd.Series, tolerance: float, read: pd.Series) -> set[float]:
    """Return the read scores that some patient had, to the tolerance of a rounded sum."""
    values = sorted(set(right))
    return {
        round(score, 6) for score in read if min(abs(score - value) for value in values) <= tolerance + 1e-6
    }


def test_every_patient_of_a_shared_sheet_has_the_own_scores(walk, shared, truth):
    found = walk(shared / "cases" / "spreadsheets" / "big5.csv")
    table = found.records.assessments.merge(found.records.episodes, on="episode_id")
    rows = table.pivot_table(
        index="episode_id", columns=["instrument", "timepoint"], values="score", observed=True
    )
    read = sorted(rows[[("odi", time) for time in TIMES]].astype(int).itertuples(index=False, name=None))
    assert read == sorted(truth[["b", "o6", "o3"]].itertuples(index=False, name=None))
    days = pd.to_datetime(found.records.episodes["start_date"]).dt.date.astype(str)
    assert sorted(days) == sorted(truth["d"])
    counts = found.records.episodes["therapy"].value_counts().to_dict()
    names = {"manual": "manual_therapy", "exercise": "strengthening", "usual": "usual_care"}
    # A quarter of the sheet's patients had a therapy that the truth does not name; the others agree.
    assert {names[th]: n for th, n in truth["th"].value_counts().items()}.keys() <= {*counts, *names.values()}


def test_second_courses_without_dates_are_asked_about(walk, shared):
    found = walk(shared / "cases" / "spreadsheets" / "silent-twice.csv")
    asked = [question for question in found.draft.questions if "Which is first?" in question]
    assert len(asked) == 1 and asked[0].answers == ("file_order",)
    assert (found.records.n_read, len(found.records.episodes)) == (128, 128)
    assert found.records.episodes["patient_id"].nunique() == 96


def test_a_later_therapy_is_a_switch(walk, shared, truth):
    found = walk(shared / "cases" / "spreadsheets" / "silent-switch.csv")
    counts = found.records.episodes["therapy"].value_counts().to_dict()
    assert counts == {
        "strengthening": (truth["th"] == "exercise").sum(), "manual_therapy": (truth["th"] == "manual").sum(),
        "usual_care": (truth["th"] == "usual").sum(),
    }  # fmt: skip
    assert (found.records.events["event"] == "therapy_switch").sum() == 24


def test_the_colour_of_cells_is_asked_about(shared):
    draft = draft_source(shared / "cases" / "spreadsheets" / "colours.xlsx")
    (asked,) = [question for question in draft.questions if "no column names the therapy" in question]
    assert "40 green, 32 no colour, 24 yellow" in asked and asked.answers[0] == "other"


def test_the_wide_file_with_its_own_source_passes_check(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shared / "cases" / "spreadsheets"
    with pytest.raises(SystemExit) as ended:
        main(["check", "--source", str(folder / "wide.toml"), "--path", str(folder / "wide.csv")])
    assert not ended.value.code


@pytest.mark.parametrize(
    ("file", "scales", "means"),
    [
        ("15-header-words-and-scales/odi50.csv", {"raw_0_50"}, None),
        ("15-header-words-and-scales/ohsold.csv", {"legacy_12_60"}, None),
        ("16-ndi-in-percent/ndi100.csv", {"percent"}, (15.25, 11.12)),
    ],
)
def test_a_scale_that_the_header_names_is_answered(walk, shared, file, scales, means):
    found = walk(shared / "cases" / "reading" / file)
    assert set(re.findall(r'^scale = "(\w+)"', found.draft.text, flags=re.MULTILINE)) == scales
    if means:
        read = (
            found.records.assessments.groupby(["instrument", "timepoint"], observed=True)["score"]
            .mean()
            .round(2)
        )
        assert tuple(read["ndi", time] for time in ("baseline", "month_3")) == means


def test_british_short_forms_are_understood(shared):
    draft = draft_source(shared / "cases" / "reading" / "15-header-words-and-scales" / "uk.csv")
    times = re.findall(r'^timepoint = "(\w+)"\ncolumn = "([^"]*)"', draft.text, flags=re.MULTILINE)
    assert times == [
        ("baseline", "ODI Ax"), ("baseline", "NPRS Ax"), ("week_6", "ODI 6/52"), ("week_6", "NPRS 6/52"),
        ("month_3", "ODI 3/12"), ("month_3", "NPRS 3/12"), ("end_of_therapy", "ODI D/C"),
    ]  # fmt: skip


def test_the_made_up_export_is_walked_to_a_page(walk, shared, tmp_path):
    found = walk(shared / "data" / "made-up-clinic-export" / "riverside-export.xlsx")
    frame = pd.read_excel(found.path, sheet_name=0, header=None, skiprows=5).iloc[:-1]
    pain = pd.to_numeric(frame[11], errors="coerce").dropna()
    read = found.scores["nprs"]["week_6"].dropna()
    assert abs(len(pain) - len(read)) <= 3 and read.mean() == pytest.approx(pain.mean(), abs=0.05)
    assert "A made-up clinic" in make_page(found, tmp_path)


def test_the_shipped_form_is_walked_to_a_page(tmp_path, monkeypatch):
    from openpyxl import load_workbook

    monkeypatch.chdir(tmp_path)
    form = tmp_path / "form.xlsx"
    write_form(form)
    book = load_workbook(form)
    sheet = book["records"]
    places = {cell.value: cell.column for cell in sheet[1]}
    chosen = [name for name in places if "ODI" in str(name)][:2]
    for i, line in enumerate(range(2, 42)):
        sheet.cell(line, places.get("patient number", 1), f"F{i}")
        sheet.cell(line, places["planned therapy"], ("stretching", "usual care")[i % 2])
        for place, name in enumerate(chosen):
            sheet.cell(line, places[name], 40 + 2 * (i % 9) - 10 * place)
    book.save(form)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--source", "template", "--path", str(form)])
    assert not ended.value.code


@pytest.mark.parametrize("file", [case.file for case in CASES])
def test_a_shared_draft_loads_with_each_allowed_answer(shared, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    path = shared / "cases" / "spreadsheets" / file
    answers = next(case.answers for case in CASES if case.file == file)
    assert try_every_answer(draft_source(path), path, answers, tmp_path, most=3) > 0
