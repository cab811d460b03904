"""The README's ten minutes: shared spreadsheets, from draft to page, hold what their patients had."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook

from clinic_sheets import SHEETS as CLINICS
from clinic_sheets import list_patients
from outcomes.cli import main
from outcomes.drafting import draft_source
from outcomes.records import read_records
from walking import TIMES, fill_answers, make_page, settle_answer, try_every_answer, walk_file


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
    """A shared file: its answers, and which column of the truth each measure at each time is.

    ``convert`` makes of a score of the truth what the file can hold of it: a sum of ten items is even in
    percent. ``present`` returns the numbers of the patients who have a form at each time, where some lack it.
    """

    file: str
    scores: Mapping[tuple[str, str], str]
    answers: tuple[tuple[str, str | None], ...] = ()
    convert: Callable[[int], float] = float
    n_patients: int = 96
    n_refused: int = 0
    present: Callable[[Path], Mapping[str, set[int]]] | None = None


def _round_to_items(score: int) -> float:
    return 2.0 * round(score / 2)


def _cut_to_items(score: int) -> float:
    return 2.0 * (score // 2)


def _list_google_forms(path: Path) -> dict[str, set[int]]:
    rows = pd.read_csv(path, usecols=["Your patient code", "Which visit is this?"])
    rows["i"] = rows["Your patient code"].str.removeprefix("SP-").astype(int)
    words = dict(zip(("First visit", "6 weeks", "3 months"), TIMES, strict=True))
    return {words[visit]: set(own["i"]) for visit, own in rows.groupby("Which visit is this?")}


def _list_redcap_events(path: Path) -> dict[str, set[int]]:
    rows = pd.read_csv(path, usecols=["record_id", "redcap_event_name"])
    events = rows.groupby(rows["redcap_event_name"].str.removesuffix("_arm_1"))
    return {event: set(own["record_id"] - 1) for event, own in events}


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
    Case("google-form.csv", LONG | AVERAGE, convert=_round_to_items, present=_list_google_forms),
    Case("taiwan-wide.csv", LONG | PAIN),
    Case("big5.csv", LONG | PAIN),
    Case("redcap.csv", LONG | PAIN, CODES, convert=_round_to_items, present=_list_redcap_events),
    Case("sheet-per-patient.xlsx", LONG | PAIN, n_patients=40),
    Case("colours.xlsx", LONG | PAIN, ((r"^scale", "raw_0_50"),), _cut_to_items, n_refused=1),
    Case("traps.csv", WIDE, TRAPS, _cut_to_items, n_refused=2),
    Case("silent-ndi-percent.csv", HALVES, ((r"^scale", "percent"),), lambda score: min(score, 50) / 2),
    Case("silent-fraction.csv", WIDE, ((r"^scale", "proportion"),)),
    Case("silent-change.csv", WIDE, ((r"^holds", "improvement"),)),
    Case("silent-relief.csv", {("nprs", "baseline"): "p"}, RELIEF),
    Case("silent-switch.csv", LONG),
    Case("silent-two-pains.csv", NOW, ((r"main outcome", "nprs:now"),)),
    Case("silent-dates.csv", WIDE, ((r"^date_order", "day-first"),)),
)  # fmt: skip
SHEETS = "cases/spreadsheets"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_a_shared_sheet_holds_what_its_patients_had(walk, shared, truth, tmp_path, case: Case):
    path = shared / SHEETS / case.file
    found = walk(path, case.answers)
    present = case.present(path) if case.present else {}
    for (measure, time), column in case.scores.items():
        read = Counter(found.scores[measure][time].dropna().round(6))
        known = truth.loc[sorted(present.get(time, range(case.n_patients))), column]
        is_odi = measure.startswith(("odi", "ndi"))
        right = Counter(known.map(lambda score, odi=is_odi: round(case.convert(score) if odi else score, 6)))
        if case.file == "traps.csv":  # two rows are refused
            assert read.total() == right.total() - 2 and not read - right
        else:
            assert read == right, (measure, time)
    assert found.records.n_refused == case.n_refused
    assert "A made-up clinic" in make_page(found, tmp_path)


REGIONS = {"low back": "low_back", "neck": "neck"}
NAMES = {"manual": "manual_therapy", "exercise": "strengthening", "usual": "usual_care"}


def test_each_patient_of_a_form_has_the_own_answers(walk, shared, truth):
    path = shared / SHEETS / "google-form.csv"
    found, there = walk(path), _list_google_forms(path)
    codes = found.records.episodes.set_index("episode_id")["patient_id"].astype(str)
    assert not any("example.org" in header for header in found.records.episodes.columns)
    assert found.draft.left_out["identifying"] == ("Email Address",)
    for episode, row in found.scores.iterrows():
        i = int(codes[episode].removeprefix("SP-"))
        for (measure, time), column in (LONG | AVERAGE).items():
            value = row.get((measure, time))
            if i not in there[time]:
                assert pd.isna(value)
            else:
                own = truth.loc[i, column]
                assert value == (_round_to_items(own) if measure == "odi" else own), (i, measure, time)
    therapies = found.records.episodes.set_index("patient_id")["therapy"]
    for i, name in truth["th"].map(NAMES).items():
        assert therapies[f"SP-{i:03}"] == name


def test_each_patient_of_an_export_has_the_own_values(walk, shared, truth):
    path = shared / SHEETS / "redcap.csv"
    found, there = walk(path, CODES), _list_redcap_events(path)
    columns = [("odi", time) for time in TIMES] + [("nprs", time) for time in TIMES]
    scores = found.scores.reindex(columns=columns).fillna(-1)
    own = found.records.episodes.set_index("episode_id")
    read = [
        (own.loc[episode, "sex"], own.loc[episode, "region"], own.loc[episode, "therapy"],
         int(own.loc[episode, "age_years"]), *row)
        for episode, row in zip(scores.index, scores.itertuples(index=False, name=None), strict=True)
    ]  # fmt: skip
    right = []
    for i, row in truth.iterrows():
        values = [
            -1.0
            if i not in there[time]
            else _round_to_items(row[name])
            if measure == "odi"
            else float(row[name])
            for (measure, time), name in sorted(
                (LONG | PAIN).items(), key=lambda item: columns.index(item[0])
            )
        ]
        sex = {"F": "female", "M": "male"}[row["sex"]]
        right.append((sex, REGIONS[row["reg"]], NAMES[row["th"]], row["age"], *values))
    assert sorted(read) == sorted(right)


def test_every_patient_of_a_shared_sheet_has_the_own_scores(walk, shared, truth):
    found = walk(shared / SHEETS / "big5.csv")
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


def test_second_courses_without_dates_are_asked_about(walk, shared, truth, tmp_path):
    found = walk(shared / SHEETS / "silent-twice.csv")
    asked = [question for question in found.draft.questions if "Which is first?" in question]
    assert len(asked) == 1 and asked[0].answers == ("file_order",)
    assert (found.records.n_read, len(found.records.episodes)) == (128, 128)
    assert found.records.episodes["patient_id"].nunique() == 96
    table = found.records.assessments.merge(found.records.episodes, on="episode_id")
    first = table[table["episode_number"] == 1]
    for (_, time), column in WIDE.items():
        assert sorted(first.loc[first["timepoint"] == time, "score"]) == sorted(truth[column])
    assert "A made-up clinic" in make_page(found, tmp_path)


def test_a_later_therapy_is_a_switch(walk, shared, truth):
    found = walk(shared / SHEETS / "silent-switch.csv")
    counts = found.records.episodes["therapy"].value_counts().to_dict()
    assert counts == {
        "strengthening": (truth["th"] == "exercise").sum(), "manual_therapy": (truth["th"] == "manual").sum(),
        "usual_care": (truth["th"] == "usual").sum(),
    }  # fmt: skip
    assert (found.records.events["event"] == "therapy_switch").sum() == 24


def test_the_colour_of_cells_is_asked_about(shared):
    draft = draft_source(shared / SHEETS / "colours.xlsx")
    (asked,) = [question for question in draft.questions if "no column names the therapy" in question]
    assert "40 green, 32 no colour, 24 yellow" in asked and asked.answers[0] == "other"


def test_the_wide_file_with_its_own_source_and_with_a_draft_becomes_the_same_page(walk, shared, tmp_path):
    folder = shared / SHEETS
    with pytest.raises(SystemExit) as ended:
        main(["check", "--source", str(folder / "wide.toml"), "--path", str(folder / "wide.csv")])
    assert not ended.value.code
    found = walk(folder / "wide.csv")
    frame = pd.read_csv(folder / "wide.csv")
    for time, header in (("baseline", "odi_baseline"), ("week_6", "odi_week_6")):
        assert sorted(found.scores["odi"][time].dropna()) == sorted(frame[header].dropna())
    assert "A made-up clinic" in make_page(found, tmp_path)


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


def _fill_form(path: Path, n: int = 40) -> None:
    """Fill in the form: the ODI at its first three times, of two therapies; all else stays blank."""
    book = load_workbook(path)
    sheet = book["records"]
    places = {str(cell.value): cell.column for cell in sheet[1]}
    chosen = [name for name in places if "ODI" in name][:3]
    for i, line in enumerate(range(2, n + 2)):
        sheet.cell(line, places["patient number"], f"F{i}")
        sheet.cell(line, places["planned therapy"], ("stretching", "usual care")[i % 2])
        for place, name in enumerate(chosen):
            sheet.cell(line, places[name], 40 + 2 * (i % 9) - 10 * place)
    book.save(path)


def _run(command: str) -> None:
    """Run a command as it stands in a text."""
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    assert not ended.value.code, command


def test_the_ten_minutes_of_the_readme_are_as_they_stand_there(tmp_path, monkeypatch):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    part = text.partition("## Your own spreadsheet in ten minutes")[2].partition("\n## ")[0]
    commands = re.findall(r"`(outcomes [^`]+)`", part)
    assert [command.split()[1] for command in commands] == ["draft", "check", "report", "template", "report"]
    monkeypatch.chdir(tmp_path)
    sheet = next(sheet for sheet in CLINICS if sheet.name == "msk.xlsx")
    patients = list_patients()
    sheet.write(tmp_path / "clinic.xlsx", patients)
    draft, check, report, template, report_of_form = commands
    _run(draft)
    source = tmp_path / "data" / "sources" / "clinic.toml"
    asked = draft_source("clinic.xlsx").questions
    filled, n_lines = fill_answers(
        source.read_text(encoding="utf-8"), asked, lambda line, own: settle_answer(line, own, sheet.answers)
    )
    source.write_text(filled, encoding="utf-8")
    print(f"clinic.xlsx: {n_lines} lines by hand, {len(asked)} questions")
    assert n_lines <= len(asked)
    _run(check)
    _run(report)
    _run(template)
    _fill_form(tmp_path / "outcomes-form.xlsx")
    _run("outcomes check --source template --path outcomes-form.xlsx")
    _run(f"{report_of_form} --audience team")
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "reports" / "html").rglob("*.html")]
    assert len(pages) >= 2 and any("A made-up clinic" in page for page in pages)
    records = read_records("template", "outcomes-form.xlsx", private_folder=tmp_path / "private")
    scores = records.assessments.groupby("timepoint", observed=True)["score"].agg(["count", "mean"])
    mean = sum(40 + 2 * (i % 9) for i in range(40)) / 40
    assert scores.loc["baseline"].tolist() == pytest.approx([40, mean])
    assert sorted(scores["mean"]) == pytest.approx([mean - 20, mean - 10, mean])


#: Those whose questions differ in kind.
ASKING = ("redcap.csv", "colours.xlsx", "traps.csv", "silent-change.csv", "silent-relief.csv")


@pytest.mark.parametrize("file", ASKING)
def test_a_shared_draft_loads_with_each_allowed_answer(shared, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    path = shared / SHEETS / file
    answers = next(case.answers for case in CASES if case.file == file)
    assert try_every_answer(draft_source(path), path, answers, tmp_path, most=3) > 0
