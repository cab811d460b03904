"""Sheets of clinics in several countries and layouts become the records that their patients had."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from clinic_sheets import SHEETS, THERAPIES, ClinicSheet, Patient, list_patients
from outcomes.cli import main
from outcomes.drafting import draft_source
from walking import TIMES, fill_answers, make_page, settle_answer, try_every_answer, walk_file


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Walk a file through the README's steps as far as `check`."""
    monkeypatch.chdir(tmp_path)
    return lambda path, answers=(): walk_file(path, answers, tmp_path)


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
    filled, _ = fill_answers(
        source.read_text(encoding="utf-8"),
        draft.questions,
        lambda line, asked: settle_answer(line, asked, ()),
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


def test_means_are_those_of_the_list(patients):
    """Guard the right answers themselves: two of them, reckoned by hand."""
    assert statistics.mean(p.odi[0] for p in patients) == pytest.approx(46)
    assert list(itertools.islice((p.pain for p in patients), 2)) == [(4, 4, 3), (9, 8, 7)]


REDCAP = (
    (r"^1 = .*female", "female"), (r"^2 = .*female", "male"), (r"^1 = .*low_back", "low_back"),
    (r"^2 = .*low_back", "neck"), (r"^1 = .*which therapy", "strengthening"),
    (r"^2 = .*which therapy", "manual_therapy"), (r"^3 = .*which therapy", "usual_care"),
)  # fmt: skip


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
    found = walk(path, REDCAP)
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
    assert "A made-up clinic" in make_page(found, tmp_path)


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
