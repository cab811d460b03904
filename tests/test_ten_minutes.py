"""The README's ten minutes: a spreadsheet nobody prepared, its draft, answers, `check`, and a page."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from clinic_sheets import SHEETS, THERAPIES, ClinicSheet, Patient, list_patients
from outcomes.cli import main
from outcomes.drafting import Draft, draft_source, write_form
from outcomes.drafting.question import Asked
from outcomes.errors import RecordsError, RefusedShareError
from outcomes.records import Records, read_records
from outcomes.reports import run_report

TIMES = ("baseline", "week_6", "month_3")
#: Pattern of a line with a question, or of the question, to its answer; the first that matches counts.
USUAL = (
    (r"^label = ", "A made-up clinic"),
    (r"^instrument = .*the main outcome", "odi"),
    (r"^timepoint = .*counts most", "week_6"),
    (r"^reference = ", "usual_care"),
    (r"^(odi|ndi) = .*other regions", "keep"),
    (r"^encoding = ", None),
    (r"^minimum = ", "0"),
    (r"^maximum = ", "10"),
    (r"^(exercise|ex|Ex|\"?Exercise[^=]*) = .*which therapy", "strengthening"),
    (r"\"?(usual|Just usual|GP)[^=]* = .*which therapy", "usual_care"),
    (r"which therapy", "modalities"),
    (r"several therapies in one cell", "combined_pt"),
)


@dataclass(frozen=True)
class Walk:
    """One file from draft to records."""

    draft: Draft
    source: Path
    path: Path
    n_lines: int
    records: Records = field(repr=False)

    @property
    def scores(self) -> pd.DataFrame:
        """Return the scores, one row per episode, one column per measure and time."""
        table = self.records.assessments
        name = table["instrument"].astype(str) + table["variant"].astype("object").map(
            lambda variant: "" if pd.isna(variant) else f":{variant}"
        )
        wide = table.assign(name=name).pivot_table(
            index="episode_id", columns=["name", "timepoint"], values="score", observed=True
        )
        return wide


def _settle(line: str, asked: Asked, answers: Sequence[tuple[str, str | None]]) -> str | None:
    """Return the answer to a question: by its line, else the first that it allows; "" deletes the line."""
    for pattern, answer in (*answers, *USUAL):
        if re.search(pattern, line):
            return answer if answer is not None else asked.answers[0]
    assert asked.answers or asked.may_go, f"nothing answers: {line}"
    return asked.answers[0] if asked.answers else ""


def _fill(
    text: str, questions: Sequence[Asked], choose: Callable[[str, Asked], str | None]
) -> tuple[str, int]:
    """Put an answer in the place of every question; returns the lines that were written by hand, too."""
    lines, n = text.splitlines(), 0
    for asked in questions:
        quoted = json.dumps(str(asked), ensure_ascii=False)
        place = next((i for i, line in enumerate(lines) if quoted in line), None)
        if place is None:
            continue
        answer = choose(lines[place], asked)
        n += 1
        lines[place] = lines[place].replace(quoted, json.dumps(answer, ensure_ascii=False)) if answer else "#"
    return "\n".join(lines) + "\n", n


def _write_sources(
    draft: Draft, choose: Callable[[str, Asked], str | None], folder: Path
) -> tuple[Path, int]:
    source = folder / "data" / "sources" / f"{draft.name}.toml"
    files = {source: draft.text}
    files |= {folder / "data" / "instruments" / f"{id}.toml": text for id, text in draft.instruments.items()}
    n_lines = 0
    for place, text in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        filled, n = _fill(text, draft.questions, choose)
        place.write_text(filled, encoding="utf-8")
        n_lines += n
    return source, n_lines


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Walk a file through the README's steps as far as `check`."""
    monkeypatch.chdir(tmp_path)

    def go(path: Path, answers: Sequence[tuple[str, str | None]] = ()) -> Walk:
        draft = draft_source(path)
        source, n_lines = _write_sources(draft, lambda line, asked: _settle(line, asked, answers), tmp_path)
        with pytest.raises(SystemExit) as ended:
            main(["check", "--source", draft.name, "--path", str(path)])
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        print(f"{path.name}: {n_lines} lines by hand, {draft.n_questions} questions")
        assert n_lines <= draft.n_questions
        records = read_records(source, path, private_folder=tmp_path / "private")
        assert records.n_read == records.n_accepted + records.n_refused + records.n_repeated
        return Walk(draft, source, path, n_lines, records)

    return go


def _make_page(found: Walk, folder: Path) -> str:
    report = run_report(
        "therapy_comparison", {"audience": "team"}, source=found.source, path=found.path,
        out=folder / "html", private_folder=folder / "private",
    )  # fmt: skip
    return report.page.read_text(encoding="utf-8")


def _means(records: Records, by: str | None = None) -> pd.Series:
    table = records.assessments.merge(records.episodes[["episode_id", "therapy"]], on="episode_id")
    keys = ["instrument", "timepoint", *([by] if by else [])]
    return table.groupby(keys, observed=True)["score"].agg(["count", "mean"])


# Sheets of clinics in several countries, whose right answers follow from the list of patients.


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return list_patients()


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_clinics_sheet_is_read_as_its_patients_are(walk, tmp_path, patients, sheet: ClinicSheet):
    found = walk(sheet.write(tmp_path / sheet.name, patients), sheet.answers)
    instrument = sheet.pain.partition(":")[0]
    times_ten = 10 if instrument == "vas100" else 1
    table = found.records.assessments.merge(found.records.episodes, on="episode_id")
    for measure, factor, pick in (("odi", 1, "odi"), (instrument, times_ten, "pain")):
        for place, time in enumerate(TIMES):
            for number, therapy in enumerate(THERAPIES):
                here = table[
                    (table["instrument"] == measure)
                    & (table["timepoint"] == time)
                    & (table["therapy"] == therapy)
                ]
                right = [factor * getattr(p, pick)[place] for p in patients if p.therapy == number]
                assert sorted(here["score"]) == sorted(right), (measure, time, therapy)
    episodes = found.records.episodes
    assert (episodes["sex"] == "female").sum() == sum(p.female for p in patients)
    assert (episodes["region"] == "neck").sum() == sum(p.neck for p in patients)
    assert sorted(episodes["age_years"]) == sorted(p.age for p in patients)
    if sheet.dated == "start":
        days = pd.to_datetime(episodes["start_date"]).dt.date
        assert sorted(days) == sorted(p.start for p in patients)
    if sheet.dated == "visits":
        assert set(table["day"]) == {0, 42, 91}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_column_is_read_asked_or_listed(tmp_path, patients, sheet: ClinicSheet):
    path = sheet.write(tmp_path / sheet.name, patients[:40])
    draft = draft_source(path)
    told = {header for headers in draft.left_out.values() for header in headers}
    for header in _list_headers(path, sheet.encoding):
        assert json.dumps(header, ensure_ascii=False) in draft.text, header
        assert header in told or f"= {json.dumps(header, ensure_ascii=False)}" in draft.text, header


def _list_headers(path: Path, encoding: str) -> list[str]:
    """Return the headers of a file whose header is its first line; none of others."""
    if path.suffix != ".csv":
        return []
    first = path.read_text(encoding=encoding).splitlines()[0]
    return pd.read_csv(path, encoding=encoding, sep=";" if ";" in first else ",", nrows=0).columns.tolist()


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_draft_loads_with_each_allowed_answer(tmp_path, monkeypatch, patients, sheet: ClinicSheet):
    monkeypatch.chdir(tmp_path)
    path = sheet.write(tmp_path / sheet.name, patients[:24])
    assert try_every_answer(draft_source(path), path, sheet.answers, tmp_path) > 3


def try_every_answer(
    draft: Draft, path: Path, answers: Sequence[tuple[str, str | None]], folder: Path, most: int = 20
) -> int:
    """Read a file by its draft once for every answer to every question, the others answered as usual."""
    n = 0
    for asked in dict.fromkeys(draft.questions):
        choices = [*asked.answers[:most], *([""] if asked.may_go else [])]
        for choice in choices if len(choices) > 1 else ():

            def choose(line: str, other: Asked, asked: Asked = asked, choice: str = choice) -> str | None:
                told = choice if other == asked else _settle(line, other, answers)
                return told

            source, _ = _write_sources(draft, choose, folder)
            if _is_contradictory(source.read_text(encoding="utf-8")):
                continue
            n += 1
            try:
                read_records(source, path, private_folder=folder / "private")
            except RecordsError as error:
                # Where numbers or dates contradict the answer, reading asks again or refuses them.
                assert re.search(r"scale|day-first|time point|change", str(asked)), asked
                asks = all(finding.outcome != "refuse_file" for finding in error.findings)
                assert asks or isinstance(error, RefusedShareError), error
    return n


def _is_contradictory(text: str) -> bool:
    """Whether two occasions of a file were answered to be one time point."""
    part = re.search(r"\[file\.codes\.timepoint\]\n((?:.+\n)+)", text)
    values = re.findall(r'= "(\w+)"', part[1]) if part else []
    return len(values) > len(set(values))


# What a sheet may hold beside what is understood.


def _write(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _rows(n: int = 40) -> list[list[object]]:
    return [
        [f"P{i}", ("stretching", "usual care")[i % 2], 30 + 2 * (i % 15), 20 + 2 * (i % 11)] for i in range(n)
    ]


@pytest.mark.parametrize(
    ("header", "instrument"),
    [
        ("Pain relief 6 weeks", "pain_relief"),
        ("Satisfaction with pain 6 weeks", "satisfaction_with_pain"),
        ("Pain goal 6 weeks", "pain_goal"),
        ("Schmerzlinderung 6 Wochen", "schmerz_linderung"),
        ("Soulagement de la douleur 6 semaines", "soulagement_de_la_douleur"),
        ("Alivio del dolor 6 semanas", "alivio_del_dolor"),
        ("Steps 6 weeks", "steps"),
        ("六週 疼痛緩解", "own_measure_1"),
    ],
)
def test_a_measure_that_nobody_knows_gets_its_own_file(walk, tmp_path, header, instrument):
    rows = [[*row, i % 11] for i, row in enumerate(_rows())]
    path = _write(tmp_path / "own.csv", f"id,therapy,ODI baseline,ODI 6 weeks,{header}", rows)
    found = walk(path, ((r"^direction", "higher_better"),))
    assert list(found.draft.instruments) == [instrument]
    table = found.records.assessments
    own = table[table["instrument"] == instrument]
    assert (own["timepoint"] == "week_6").all() and sorted(own["score"]) == sorted(i % 11 for i in range(40))
    assert "nprs" not in set(table["instrument"].astype(str))
    text = (tmp_path / "data" / "instruments" / f"{instrument}.toml").read_text(encoding="utf-8")
    assert "higher_better" in text


def test_a_question_left_open_in_an_instrument_file_is_named(walk, tmp_path, capsys):
    rows = [[*row, i % 11] for i, row in enumerate(_rows())]
    path = _write(tmp_path / "own.csv", "id,therapy,ODI baseline,ODI 6 weeks,Pain relief 6 weeks", rows)
    with pytest.raises(SystemExit) as ended:
        main(["draft", str(path)])
    assert not ended.value.code
    source = tmp_path / "data" / "sources" / "own.toml"
    draft = draft_source(path)
    filled, _ = _fill(
        source.read_text(encoding="utf-8"), draft.questions, lambda line, asked: _settle(line, asked, ())
    )
    source.write_text(filled, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--source", "own", "--path", str(path)])
    assert ended.value.code == 2
    assert "pain_relief.toml still asks 3 questions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "answer", "week_6"),
    [
        ("ODI change 6 weeks", "improvement", [18, 16]),
        ("ODI change 6 weeks", "change", [42, 48]),
        ("ODI improvement 6 weeks", "score", [12, 16]),
        ("ODI Verbesserung 6 Wochen", "improvement", [18, 16]),
        ("六週ODI變化", "improvement", [18, 16]),
        ("Cambio de ODI 6 semanas", "change", [42, 48]),
    ],
)
def test_a_change_is_asked_about_and_becomes_a_score(walk, tmp_path, header, answer, week_6):
    rows = [
        [f"P{i}", ("stretching", "usual care")[i % 2], (30, 32)[i % 2], (12, 16)[i % 2]] for i in range(30)
    ]
    found = walk(
        _write(tmp_path / "change.csv", f"id,therapy,ODI baseline,{header}", rows), (("^holds", answer),)
    )
    assert found.draft.text.count("\nholds = ") == 1
    table = found.records.assessments
    assert sorted(set(table.loc[table["timepoint"] == "week_6", "score"])) == sorted(week_6)


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ("id,therapy,ODI baseline,ODI score baseline,ODI 6 weeks", "2 columns could be this score"),
        ("id,therapy,therapy group,ODI baseline,ODI 6 weeks", "2 columns could be the therapy"),
        ("id,therapy,arm,ODI baseline,ODI 6 weeks", "2 columns could be the therapy"),
        ("id,patient no,therapy,ODI baseline,ODI 6 weeks", "2 columns could be the patient_id"),
        ("id,therapy,site,clinic,ODI baseline", "2 columns could be the site"),
    ],
)
def test_one_column_never_replaces_another_in_silence(tmp_path, headers, asked):
    words = {"therapy": "usual care", "arm": "stretching", "therapy group": "stretching"}
    words |= {"site": "north", "clinic": "east"}
    rows = [
        [words.get(name) or (f"{name[0]}{i}" if "id" in name or "no" in name else 20 + 2 * (i * (k + 1) % 17))
         for k, name in enumerate(headers.split(","))]
        for i in range(24)
    ]  # fmt: skip
    draft = draft_source(_write(tmp_path / "two.csv", headers, rows))
    assert asked in draft.text
    assert all(f'"{name}' in draft.text or name in draft.text for name in headers.split(","))


@pytest.mark.parametrize(
    ("first", "second", "variants"),
    [
        ("Pain worst", "Pain now", ("worst", "now")),
        ("NRS average", "NRS worst", ("average", "worst")),
        ("Back pain", "Leg pain", ("back", "leg")),
        ("Rückenschmerz", "Beinschmerz", ("back", "leg")),
        ("腰痛", "腿痛", ("back", "leg")),
        ("Douleur actuelle", "Pire douleur", ("now", "worst")),
    ],
)
def test_two_pains_are_two_variants_and_the_main_one_is_asked(walk, tmp_path, first, second, variants):
    rows = [[f"P{i}", ("stretching", "usual care")[i % 2], 8, 3 + i % 5, 6, i % 4] for i in range(30)]
    header = f"id,therapy,{first} baseline,{second} baseline,{first} 6 weeks,{second} 6 weeks"
    path = _write(tmp_path / "pains.csv", header, rows)
    found = walk(path, ((r"the main outcome", f"nprs:{variants[1]}"),))
    table = found.records.assessments
    assert set(table["variant"].astype(str)) == set(variants)
    main_one = table[(table["variant"] == variants[1]) & (table["timepoint"] == "week_6")]
    assert sorted(main_one["score"]) == sorted(i % 4 for i in range(30))
    assert found.records.source.primary["variant"] == variants[1]


@pytest.mark.parametrize(
    ("words", "times"),
    [
        (("Ax", "6/52", "3/12"), TIMES),
        (("IE", "6wks", "D/C"), ("baseline", "week_6", "end_of_therapy")),
        (("pre", "wk6", "12-week follow-up"), TIMES),
        (("initial", "6 weeks", "6 months"), ("baseline", "week_6", "month_6")),
        (("Start", "nach 6 Wochen", "1 Jahr"), ("baseline", "week_6", "month_12")),
        (("première visite", "6 sem.", "un an"), ("baseline", "week_6", "month_12")),
        (("inicial", "6 semanas", "alta"), ("baseline", "week_6", "end_of_therapy")),
        (("初診", "六週後", "半年"), ("baseline", "week_6", "month_6")),
        (("基线", "6周", "12个月"), ("baseline", "week_6", "month_12")),
        (("治療前", "６週間後", "１年後"), ("baseline", "week_6", "month_12")),
        (("T0", "4 weeks", "8 weeks"), ("baseline", "week_4", "week_8")),
    ],
)
def test_words_of_time_points_are_understood(walk, tmp_path, words, times):
    rows = [
        [f"P{i}", ("stretching", "usual care")[i % 2], 40 + 2 * (i % 9), 30 + 2 * (i % 8), 20 + 2 * (i % 7)]
        for i in range(30)
    ]
    path = _write(tmp_path / "times.csv", "id,therapy," + ",".join(f"ODI {word}" for word in words), rows)
    followed = next(time for time in times if time not in ("baseline", "end_of_therapy"))
    found = walk(path, ((r"counts most", followed),))
    counts = found.records.assessments.groupby("timepoint", observed=True)["score"].sum().to_dict()
    assert counts == {time: sum(row[2 + place] for row in rows) for place, time in enumerate(times)}
    assert not any("time point is" in question for question in found.draft.questions)


@pytest.mark.parametrize(
    "words", [("T1", "T2"), ("Visit 2", "Visit 3"), ("review", "2nd review"), ("追蹤", "第二次")]
)
def test_occasions_without_a_time_are_asked(walk, tmp_path, words):
    rows = [
        [f"P{i}", ("stretching", "usual care")[i % 2], 40, 30 + 2 * (i % 8), 20 + 2 * (i % 7)]
        for i in range(30)
    ]
    path = _write(tmp_path / "times.csv", f"id,therapy,ODI T0,ODI {words[0]},ODI {words[1]}", rows)
    draft = draft_source(path)
    asked = [question for question in draft.questions if "which time point is" in question]
    assert len(asked) == 2
    order = iter(("week_6", "month_3"))
    found = walk(path, tuple((re.escape(str(question)), next(order)) for question in asked))
    assert set(found.records.assessments["timepoint"].astype(str)) == set(TIMES)


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
#: Files of which a page is made: one of each layout, for a page takes seconds.
PAGES = (
    "google-form.csv",
    "redcap.csv",
    "sheet-per-patient.xlsx",
    "colours.xlsx",
    "traps.csv",
    "silent-switch.csv",
)


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
    if case.file in PAGES:
        assert "A made-up clinic" in _make_page(found, tmp_path)


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
        read = _means(found.records)["mean"].round(2).to_dict()
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
    assert "A made-up clinic" in _make_page(found, tmp_path)


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


def test_means_are_those_of_the_list(patients):
    """Guard the right answers themselves: two of them, reckoned by hand."""
    assert statistics.mean(p.odi[0] for p in patients) == pytest.approx(46)
    assert list(itertools.islice((p.pain for p in patients), 2)) == [(4, 4, 3), (9, 8, 7)]


def test_forms_that_were_not_filled_in_are_missing(walk, tmp_path):
    """A REDCap export: blank forms hold zeros, and the status of each form says so."""
    lines = ["record_id,redcap_event_name,sex,therapy,odi_score,odi_complete,nprs,nprs_complete"]
    for i in range(40):
        for event, gain in (("baseline_arm_1", 0), ("6_weeks_arm_1", 10)):
            odi, pain = (2, 2) if gain == 0 else (0 if i % 5 == 0 else 2, 0 if i % 8 == 0 else 1 + i % 2)
            first = f"{1 + i % 2},{1 + i % 2}" if gain == 0 else ","
            score = 40 + 2 * (i % 7) - gain if odi == 2 else 0
            lines.append(f"{i + 1},{event},{first},{score},{odi},{7 - gain // 5 if pain == 2 else 0},{pain}")
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = walk(path, CODES)
    table = found.records.assessments
    counts = table.groupby(["instrument", "timepoint"], observed=True)["score"].count().to_dict()
    n_pain = sum(i % 8 != 0 and 1 + i % 2 == 2 for i in range(40))
    assert counts == {
        ("odi", "baseline"): 40, ("odi", "week_6"): 32, ("nprs", "baseline"): 40, ("nprs", "week_6"): n_pain,
    }  # fmt: skip
    right = [40 + 2 * (i % 7) - 10 for i in range(40) if i % 5]
    here = table[(table["instrument"] == "odi") & (table["timepoint"] == "week_6")]
    assert sorted(here["score"]) == sorted(right)


def test_before_and_after_without_a_time_or_a_therapy_become_a_page(walk, tmp_path):
    rows = [[30 + i % 40, "MF"[i % 2], 40 + 2 * (i % 7), 20 + 2 * (i % 6)] for i in range(60)]
    found = walk(_write(tmp_path / "prepost.csv", "Age,Gender,ODI pre,ODI post", rows))
    assert found.records.source.primary["timepoint"] == "after_therapy"
    assert found.scores["odi"]["after_therapy"].mean() == pytest.approx(
        statistics.mean(row[3] for row in rows)
    )
    assert set(found.records.episodes["therapy"]) == {"other"}
    assert "A made-up clinic" in _make_page(found, tmp_path)


@pytest.mark.parametrize("named", ["in a cell of its own", "after a colon", "as the title of the sheet"])
def test_cards_say_whose_they_are_in_several_ways(walk, tmp_path, named):
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Instructions"
    book.active.append(["Fill one sheet per patient"])
    for i in range(30):
        sheet = book.create_sheet(f"C{i:02}" if named.startswith("as") else f"Card {i}")
        if named == "in a cell of its own":
            sheet.append(["Patient", f"C{i:02}"])
        elif named == "after a colon":
            sheet.append([f"Patient: C{i:02}"])
        sheet.append(["Treatment", ("stretching", "usual care")[i % 2]])
        sheet.append([])
        sheet.append(["Visit", "ODI", "Pain"])
        for place, visit in enumerate(("baseline", "6 weeks")):
            sheet.append([visit, 40 + 2 * (i % 6) - 10 * place, 7 - place])
    path = tmp_path / "cards.xlsx"
    book.save(path)
    found = walk(path)
    assert len(found.records.episodes) == 30
    assert set(found.records.episodes["patient_id"].astype(str)) == {f"C{i:02}" for i in range(30)}
    assert sorted(found.scores["odi"]["week_6"]) == sorted(30 + 2 * (i % 6) for i in range(30))
    assert found.records.episodes["therapy"].value_counts().to_dict() == {"stretching": 15, "usual_care": 15}


def test_stripes_carry_no_meaning(tmp_path):
    from openpyxl import Workbook
    from openpyxl.styles import PatternFill

    book = Workbook()
    book.active.append(["ID", "ODI baseline", "ODI 6 weeks"])
    for i in range(30):
        book.active.append([f"P{i}", 40 + 2 * (i % 5), 30 + 2 * (i % 7)])
        if i % 2:
            book.active.cell(i + 2, 1).fill = PatternFill("solid", fgColor="DDDDDD")
    book.save(tmp_path / "striped.xlsx")
    assert "filled in" not in draft_source(tmp_path / "striped.xlsx").text
