"""Each question of the reader stands in a draft, and each answer leads to the key that it needs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from clinic_sheets import write_csv, write_xlsx
from outcomes.drafting import Draft, draft_source
from outcomes.drafting.question import OpenQuestion
from outcomes.errors import FactsError
from outcomes.facts import read_source
from outcomes.records import Records, read_records
from walking import settle_answer, write_sources


def _find(draft: Draft, words: str) -> OpenQuestion:
    (asked,) = dict.fromkeys(question for question in draft.questions if words in question)
    return asked


def _read(draft: Draft, path: Path, asked: OpenQuestion, answer: str) -> Records:
    """Read a file by its draft with one question answered so, the others as usual."""
    assert answer in asked.answers

    def choose(line: str, other: OpenQuestion) -> str | None:
        return answer if other == asked else settle_answer(line, other, ())

    source, _ = write_sources(draft, choose, path.parent)
    return read_records(source, path, private_folder=path.parent / "private")


def _write_two_clinics(path: Path) -> Path:
    """Codes 1 to 30 at each of two clinics, of other people."""
    rows: list[Sequence[object]] = [["id", "clinic", "therapy", "sex", "ODI baseline", "ODI 6 weeks"]]
    for place, clinic in enumerate(("north", "south")):
        for i in range(30):
            care, sex = ("stretching", "usual care")[i % 2], "FM"[(i + place) % 2]
            rows.append([f"A{i}", clinic, care, sex, 30 + 2 * (i % 9) + place, 20 + 2 * (i % 8)])
    return write_csv(path, rows)


def test_codes_that_restart_at_each_clinic(tmp_path):
    path = _write_two_clinics(tmp_path / "clinics.csv")
    draft = draft_source(path)
    asked = _find(draft, "several sites")
    assert asked.answers == ("within = 'site'", "shared_ids")
    records = _read(draft, path, asked, "within = 'site'")
    assert (len(records.episodes), records.n_refused) == (60, 0)
    assert records.episodes["patient_id"].nunique() == 60
    assert records.source.files[0].within == "site"
    assert not any("=" in answer for answer in records.source.files[0].confirmed)


def test_a_column_that_numbers_courses_is_offered(tmp_path):
    rows: list[Sequence[object]] = [["id", "therapy", "round", "ODI baseline", "ODI 6 weeks"]]
    for i in range(60):
        for course in range(1 + (i % 2)):
            score = 30 + 2 * (i % 9) + 6 * course
            rows.append([f"A{i}", ("stretching", "usual care")[i % 3 % 2], 1 + course, score, score - 10])
    path = write_csv(tmp_path / "courses.csv", rows)
    draft = draft_source(path)
    asked = _find(draft, "Which is first?")
    assert {"file_order", "columns.episode_number = 'round'"} <= set(asked.answers)
    records = _read(draft, path, asked, "columns.episode_number = 'round'")
    assert (len(records.episodes), records.n_refused) == (90, 0)
    assert records.episodes["episode_number"].value_counts().to_dict() == {1: 60, 2: 30}
    second = records.episodes.loc[records.episodes["episode_number"] == 2, "episode_id"]
    scores = records.assessments
    first = scores[scores["episode_id"].isin(second) & (scores["timepoint"] == "baseline")]["score"]
    assert sorted(first) == sorted(36 + 2 * (i % 9) for i in range(60) if i % 2)


@pytest.mark.parametrize(("answer", "factor"), [("raw_0_50", 2), ("own", 1)])
def test_a_scale_of_a_long_file(tmp_path, answer, factor):
    rows: list[Sequence[object]] = [["id", "visit", "measure", "score", "therapy"]]
    for i in range(60):
        care = ("stretching", "usual care")[i % 2]
        rows += [
            [f"A{i}", "baseline", "ODI", 9 + i * 7 % 31, care],
            [f"A{i}", "6 weeks", "ODI", 3 + i * 5 % 23, care],
            [f"A{i}", "baseline", "NPRS", i % 11, care],
        ]  # fmt: skip
    path = write_csv(tmp_path / "long.csv", rows)
    draft = draft_source(path)
    asked = _find(draft, "recorded as")
    assert set(asked.answers) == {"raw_0_50", "own"}
    records = _read(draft, path, asked, answer)
    assert records.source.files[0].scales == {"odi": answer}
    scores = records.assessments[records.assessments["instrument"] == "odi"]
    assert sorted(scores["score"]) == sorted(factor * row[3] for row in rows[1:] if row[2] == "ODI")


def _write_visits(path: Path, ids: Sequence[str], names: tuple[str, str]) -> Path:
    """Patients on one sheet, visits on another, whose ids may be spelt otherwise."""
    book = Workbook()
    book.active.title = names[0]
    book.active.append(["patient id", "therapy", "sex"])
    visits = book.create_sheet(names[1])
    visits.append(["patient id", "visit", "ODI"])
    for i, id in enumerate(ids):
        book.active.append([f"{i + 1:04}", ("stretching", "usual care")[i % 2], "FM"[i % 2]])
        for place, visit in enumerate(("baseline", "6 weeks")):
            visits.append([id, visit, 40 + 2 * (i % 9) - 10 * place])
    book.save(path)
    return path


def test_ids_that_lost_their_zeros(tmp_path):
    path = _write_visits(tmp_path / "zeros.xlsx", [str(i + 1) for i in range(40)], ("Patients", "Visits"))
    draft = draft_source(path)
    asked = _find(draft, "leading zeros")
    assert asked.answers == ("key_normalise = ['leading_zeros']", "leading_zeros")
    records = _read(draft, path, asked, "key_normalise = ['leading_zeros']")
    assert len(records.episodes) == 40 and records.episodes["sex"].notna().all()
    assert all(file.key_normalise == ("leading_zeros",) for file in records.source.files)


@pytest.mark.parametrize("answer", ["swapped_dates", "typed_dates"])
def test_dates_that_a_spreadsheet_swapped(tmp_path, answer):
    first = datetime.date(2025, 1, 6)
    days = [first + datetime.timedelta(days=5 * i) for i in range(60)]
    header = ["id", "therapy", "start date", "ODI baseline", "ODI 6 weeks"]
    rows: list[Sequence[object]] = [header]
    for i, day in enumerate(days):
        typed = datetime.datetime(day.year, day.day, day.month) if day.day <= 12 else None
        care = ("stretching", "usual care")[i % 2]
        rows.append([f"A{i}", care, typed or day.strftime("%d/%m/%Y"), 30 + 2 * (i % 9), 20 + 2 * (i % 8)])
    path = write_xlsx(tmp_path / "swapped.xlsx", rows)
    draft = draft_source(path)
    asked = _find(draft, "swap")
    assert asked.answers == ("swapped_dates", "typed_dates")
    records = _read(draft, path, asked, answer)
    starts = sorted(str(day)[:10] for day in records.episodes["start_date"])
    assert (starts == sorted(map(str, days))) == (answer == "swapped_dates")


def test_items_that_are_coded_from_one(tmp_path):
    rows: list[Sequence[object]] = [["id", "therapy", "visit", *(f"ODI {k}" for k in range(1, 11))]]
    answers = {}
    for i in range(40):
        for visit in ("baseline", "6 weeks"):
            items = [1 + (i * 3 + k * (k + i)) % 6 for k in range(10)]
            answers.setdefault(visit, []).append(2 * sum(item - 1 for item in items))
            rows.append([f"A{i}", ("stretching", "usual care")[i % 2], visit, *items])
    path = write_csv(tmp_path / "items.csv", rows)
    draft = draft_source(path)
    asked = _find(draft, "coded from 1")
    assert "item_coding" in asked.answers
    (codes,) = [answer for answer in asked.answers if answer.startswith("item_codes = {")]
    records = _read(draft, path, asked, codes)
    scores = records.assessments
    for visit, timepoint in (("baseline", "baseline"), ("6 weeks", "week_6")):
        assert sorted(scores.loc[scores["timepoint"] == timepoint, "score"]) == sorted(answers[visit])


def test_a_line_that_is_no_toml_is_refused_with_its_place(tmp_path):
    text = '[[file]]\npath = "a.csv"\nrows = "episode"\nconfirmed = ["within = site"]\n'
    place = tmp_path / "own.toml"
    place.write_text(f'name = "own"\nlabel = "A clinic"\n{text}', encoding="utf-8")
    with pytest.raises(FactsError, match=r"own.toml, \[\[file\]\] 1, confirmed: a line in it is no TOML"):
        read_source(place)


def test_a_line_takes_the_place_of_its_key(tmp_path):
    place = tmp_path / "own.toml"
    place.write_text(
        'name = "own"\nlabel = "A clinic"\n[[file]]\npath = "a.csv"\nrows = "episode"\n'
        'confirmed = ["date_order = \'month-first\'", "columns.episode_number = \'round\'", "file_order"]\n'
        'date_order = "day-first"\n[file.columns]\npatient_id = "id"\n',
        encoding="utf-8",
    )
    (file,) = read_source(place).files
    assert (file.date_order, file.confirmed) == ("month-first", ("file_order",))
    assert file.columns == {"patient_id": "id", "episode_number": "round"}
