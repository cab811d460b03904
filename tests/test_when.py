"""When something happened: how dates are written, what a spreadsheet does to them, labels against dates."""

from __future__ import annotations

import datetime as dt
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic_files import WIDE, extend, list_asked, list_rules, read_clinic, read_place, score
from outcomes.cohort import select_cohort
from outcomes.facts import read_facts
from outcomes.records import read_records
from outcomes.records.columns.dates import NO_DATE, DateForm, parse_dates

DATED = extend(
    WIDE,
    columns={"start_date": "start"},
    scores=[score("baseline", "odi0"), score("month_3", "odi3", date_column="seen")],
)


@pytest.fixture
def read(tmp_path):
    return lambda table, block=DATED, **source: read_clinic(tmp_path, {"a.csv": table}, block, **source)


def make_visits(n: int, seed: int = 1, days: int = 90) -> pd.DataFrame:
    """Return patients with a first day and one visit so many days later, give or take five."""
    random = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 360, n), unit="D")
    return pd.DataFrame(
        {
            "id": [f"P{i:03}" for i in range(n)],
            "therapy": ["manual_therapy", "usual_care"] * (n // 2) + ["usual_care"] * (n % 2),
            "start": start,
            "odi0": random.integers(20, 40, n) * 2,
            "odi3": random.integers(0, 20, n) * 2,
            "seen": start + pd.to_timedelta(days + random.integers(-5, 6, n), unit="D"),
        }
    )


def write_dates(table: pd.DataFrame, form: str) -> pd.DataFrame:
    return table.assign(**{name: table[name].dt.strftime(form) for name in ("start", "seen")})


def parse(text: str, **form: object) -> tuple[str | None, list[str]]:
    days, rules = parse_dates(np.array([text], dtype=object), np.array([True]), DateForm(**form))
    date = None if days[0] == NO_DATE else str(np.datetime64(int(days[0]), "D"))
    return date, sorted(rules)


# Months by name


def test_months_by_name_are_read(shared, tmp_path):
    folder = shared / "cases" / "reading" / "10-month-by-name"
    records = read_records(
        folder / "monname.toml", folder / "monname", run_date="2026-11-30", private_folder=tmp_path
    )
    given_ = pd.read_csv(folder / "monname" / "x.csv")
    start, seen = (pd.to_datetime(given_[name], format="%d-%b-%Y") for name in ("start", "d3"))
    assert (records.n_read, records.n_accepted, len(records.assessments)) == (60, 60, 120)
    assert records.episodes["start_date"].tolist() == start.tolist()
    late = records.assessments[records.assessments["timepoint"] == "month_3"]
    assert late["day"].tolist() == (seen - start).dt.days.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "05-Mar-2024", "5 March 2024", "Mar 5, 2024", "March 5th, 2024", "5TH OF MARCH 2024", "05MAR2024",
        "2024-Mar-05", "Tue, 5 Mar 2024", "5 Mar 2024 14:30", "5-Mar-2024 2:30 PM", "5. März 2024",
        "Dienstag, 5. März 2024", "5 de marzo de 2024", "martes 5 de marzo de 2024", "5 mars 2024",
        "mar. 5 mars 2024", "5 maart 2024", "5 mrt. 2024", "5-三月-2024", "5-3月-2024", "2024年3月5日 14:30",
        "2024/3/5 下午 2:30:00", "2024-03-05T14:30:00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["year-first", "day-first", "month-first"])
def test_a_month_in_words_leaves_nothing_open(text, order):
    assert parse(text, order=order) == ("2024-03-05", [])


MONTHS = [
    (month, name)
    for month, names in enumerate(read_facts("months")["months"], start=1)
    for name in names
    if not name.startswith("m1") and name != f"m{month}"
]


@given(
    st.sampled_from(MONTHS), st.integers(1, 28), st.integers(1990, 2026),
    st.sampled_from(["{d} {m} {y}", "{d:02}-{m}-{y}", "{m} {d}, {y}", "{y} {m} {d}", "{d}. {m} {y}"]),
    st.sampled_from([str.lower, str.upper, str.title]),
)  # fmt: skip
@settings(max_examples=200)
def test_every_name_of_a_month_is_read_in_every_order(named, day, year, form, spell):
    month, name = named
    text = form.format(d=day, m=spell(name), y=year)
    assert parse(text) == (dt.date(year, month, day).isoformat(), [])


@pytest.mark.parametrize(
    "text",
    [
        "5 Foo 2024",
        "Mar 2024",
        "31 Feb 2024",
        "5 Mar Apr 2024",
        "5 Mar",
        "5 5 Mar 2024",
        "March",
        "12345 Mar 5",
    ],
)
def test_what_is_no_date_stays_none(text):
    assert parse(text) == (None, ["DATE_INVALID"])


# Years of two digits


@pytest.mark.parametrize(
    ("text", "order", "date"),
    [
        ("3.11.25", "day-first", "2025-11-03"),
        ("03/11/25", "day-first", "2025-11-03"),
        ("03/11/25", "month-first", "2025-03-11"),
        ("3/11/25 08:15", "day-first", "2025-11-03"),
    ],
)
def test_years_of_two_digits_are_read_where_the_order_is_declared(text, order, date):
    assert parse(text, order=order) == (date, ["DATE_SHORT_YEAR"])
    assert parse(text) == (None, ["DATE_TWO_DIGIT_YEAR"])


@pytest.mark.parametrize("text", ["3-Nov-25", "03 nov 25", "3. November 25", "Nov 3, 25"])
def test_a_short_year_beside_a_month_by_name_needs_no_order(text):
    assert parse(text) == ("2025-11-03", ["DATE_SHORT_YEAR"])


def test_a_column_of_short_years_asks_for_the_order_and_is_then_read(read):
    table = write_dates(make_visits(30), "%d.%m.%y")
    with pytest.raises(Exception, match="date_order"):
        read(table)
    records = read(table, {**DATED, "date_order": "day-first"})
    assert records.assessments["day"].dropna().between(85, 95).all()
    assert "DATE_SHORT_YEAR" in list_rules(records, "repair_and_log")


def test_a_short_year_is_never_after_the_day_of_reading(read):
    table = write_dates(make_visits(30), "%d.%m.%y")
    table.loc[0, "start"] = "01.02.69"
    records = read(table, {**DATED, "date_order": "day-first"})
    assert records.n_refused == 1
    assert "DATE_FUTURE" in list_rules(records, "quarantine_row")


def test_no_episode_starts_after_the_day_of_reading(read):
    table = make_visits(20)
    table.loc[3, "start"] = pd.Timestamp("2031-01-01")
    records = read(table)
    assert (records.n_refused, len(records.episodes)) == (1, 19)
    assert list_rules(records, "quarantine_row") == {"DATE_FUTURE"}


# Swapped by a spreadsheet


def swap_dates(table: pd.DataFrame) -> pd.DataFrame:
    """Do what a month-first spreadsheet does to day-first text: what it can take for a date becomes one."""

    def swap(day: pd.Timestamp) -> str:
        return f"{day:%Y-%d-%m}" if day.day <= 12 else f"{day:%d/%m/%Y}"

    return table.assign(**{name: [swap(day) for day in table[name]] for name in ("start", "seen")})


@pytest.mark.parametrize("order", ["year-first", "day-first", "month-first"])
def test_dates_that_a_spreadsheet_swapped_are_asked_about_whatever_is_declared(read, order):
    table = swap_dates(make_visits(40))
    block = {**DATED, "date_order": order}
    asked = [f for f in list_asked(lambda: read(table, block)) if f.rule == "DATE_SWAPPED"]
    assert {f.column for f in asked} == {"start", "seen"}
    assert all('confirmed = ["typed_dates"]' in str(f.remedy) for f in asked)


def test_swapped_dates_are_put_back_where_the_source_says_so(read):
    straight = make_visits(40)
    block = {**DATED, "date_order": "day-first", "confirmed": ["swapped_dates"]}
    records = read(swap_dates(straight), block)
    assert records.episodes["start_date"].tolist() == straight["start"].tolist()
    assert "DATE_SWAPPED" in list_rules(records, "answered")
    assert any("put back" in said for said in map(str, records.list_said("odi")))


def test_cells_of_a_workbook_are_dates_and_texts_that_tell_of_a_swap(tmp_path):
    straight = make_visits(40)
    cells = straight.astype({"start": object})
    cells["start"] = [
        dt.datetime(day.year, day.day, day.month) if day.day <= 12 else f"{day:%d/%m/%Y}"
        for day in straight["start"]
    ]
    cells.drop(columns="seen").to_excel(tmp_path / "clinic.xlsx", index=False)
    block = {**DATED, "path": "*.xlsx", "date_order": "day-first", "scores": WIDE["scores"]}
    private = tmp_path / "private"
    asked = list_asked(lambda: read_place(tmp_path, block, private=private))
    assert [f.rule for f in asked] == ["DATE_SWAPPED"]
    records = read_place(tmp_path, {**block, "confirmed": ["swapped_dates"]}, private=private)
    assert records.episodes["start_date"].tolist() == straight["start"].tolist()


@given(st.integers(0, 10_000), st.integers(4, 60), st.sampled_from(["%d/%m/%Y", "%Y-%m-%d", "%d-%b-%Y"]))
@settings(max_examples=40)
def test_clean_dates_of_any_form_ask_nothing(read, seed, n, form):
    table = write_dates(make_visits(n, seed=seed), form)
    block = {**DATED, "date_order": "day-first" if form == "%d/%m/%Y" else "year-first"}
    records = read(table, block)
    assert records.n_refused == 0
    assert records.assessments["day"].dropna().between(85, 95).all()


def test_two_forms_of_one_column_are_no_swap(read):
    table = make_visits(60)
    mixed = write_dates(table, "%d/%m/%Y")
    mixed.loc[:30, ["start", "seen"]] = write_dates(table, "%Y-%m-%d").loc[:30, ["start", "seen"]]
    assert read(mixed, {**DATED, "date_order": "day-first"}).n_refused == 0


# The order of day and month


def test_dates_up_to_the_twelfth_are_asked_about_and_read_as_declared(shared, tmp_path):
    folder = shared / "cases" / "spreadsheets"
    block = {
        "path": "silent-dates.csv", "rows": "episode",
        "columns": {"patient_id": "id", "therapy": "therapy", "start_date": "start date"},
        "scores": [
            score("baseline", "ODI baseline"),
            score("week_6", "ODI 6 weeks", date_column="date 6 weeks"),
        ],
    }  # fmt: skip

    def read_it(**more):
        return read_place(folder, {**block, **more}, private=tmp_path / "private")

    with pytest.raises(Exception, match='date_order = "day-first"'):
        read_it()
    given_ = pd.read_csv(folder / "silent-dates.csv")
    records = read_it(date_order="day-first")
    start = pd.to_datetime(given_["start date"], format="%d/%m/%Y")
    assert records.episodes["start_date"].tolist() == start.tolist()
    (asked,) = list_asked(lambda: read_it(date_order="month-first"))
    assert asked.rule == "LABEL_DATE"
    assert 'date_order = "day-first"' in str(asked.remedy)


@pytest.mark.parametrize(
    ("written", "declared"), [("day-first", "month-first"), ("month-first", "day-first")]
)
def test_an_order_that_most_dates_contradict_is_asked_about(read, written, declared):
    form = "%d/%m/%Y" if written == "day-first" else "%m/%d/%Y"
    table = write_dates(make_visits(40), form)
    asked = list_asked(lambda: read(table, {**DATED, "date_order": declared}))
    assert {f.rule for f in asked} >= {"DATE_ORDER_DECLARED"}
    assert all(f'date_order = "{written}"' in str(f.remedy) for f in asked if f.rule == "DATE_ORDER_DECLARED")
    assert read(table, {**DATED, "date_order": written}).n_refused == 0


def test_one_slip_among_many_dates_is_refused_alone(read):
    table = write_dates(make_visits(60), "%d/%m/%Y")
    table.loc[5, "seen"] = "03/25/2024"
    records = read(table, {**DATED, "date_order": "day-first"})
    assert records.refused["rule"].tolist() == ["DATE_INVALID"]


def test_days_after_the_year_are_asked_about(read):
    asked = list_asked(lambda: read(write_dates(make_visits(40), "%Y-%d-%m")))
    assert {f.rule for f in asked} >= {"DATE_YEAR_DAY"}


# Labels against dates


def test_a_visit_dated_in_another_window_is_counted_and_named(read):
    table = make_visits(40)
    table.loc[:2, "seen"] = table["start"] + pd.Timedelta(days=180)
    records = read(table)
    (found,) = [f for f in records.findings if f.rule == "LABEL_WINDOW"]
    assert (found.count, found.column) == (3, "seen")
    assert "the date counts" in " ".join(map(str, records.list_said("odi")))
    grid = select_cohort(records, timepoints=["month_3", "month_6"]).table
    assert grid[grid["timepoint"] == "month_6"]["score"].notna().sum() == 3


def test_a_visit_dated_before_the_start_is_refused_as_a_cell(read):
    table = make_visits(40)
    table.loc[:1, "seen"] = table["start"] - pd.Timedelta(days=20)
    records = read(table)
    assert (records.n_refused, len(records.episodes), len(records.assessments)) == (0, 40, 78)
    assert [(f.rule, f.count) for f in records.findings if f.outcome == "quarantine_cell"] == [
        ("DATE_ORDER", 2)
    ]


@pytest.mark.parametrize("days", [30, 42, 180, 365])
def test_a_label_whose_dates_lie_elsewhere_is_a_question(read, days):
    table = make_visits(40, days=days)
    (asked,) = list_asked(lambda: read(table))
    assert asked.rule == "LABEL_DATE"
    assert str(asked.what).startswith("40 of 40 scores of month_3")
    confirmed = read(table, {**DATED, "confirmed": ["label_dates"]})
    assert "LABEL_DATE" in list_rules(confirmed, "answered")
    window = {"month_3": {"first_day": days - 10, "last_day": days + 10, "day": days}}
    assert not {f.rule for f in read(table, timepoints=window).findings} & {"LABEL_DATE", "LABEL_WINDOW"}


@given(st.integers(0, 1000), st.integers(75, 115))
@settings(max_examples=20)
def test_visits_within_their_window_are_not_named(read, seed, days):
    records = read(make_visits(30, seed=seed, days=days))
    assert not {f.rule for f in records.findings} & {"LABEL_DATE", "LABEL_WINDOW", "DATE_ORDER"}


def test_the_same_dates_however_written_give_the_same_records(tmp_path):
    table = make_visits(30)
    forms = {
        "%Y-%m-%d": "year-first", "%d/%m/%Y": "day-first", "%m/%d/%Y": "month-first",
        "%d-%b-%Y": "year-first", "%d.%m.%y": "day-first", "%B %d, %Y": "year-first",
    }  # fmt: skip
    found = [
        read_clinic(tmp_path, {"a.csv": write_dates(table, form)}, {**DATED, "date_order": order})
        for form, order in forms.items()
    ]
    for records in found[1:]:
        pd.testing.assert_frame_equal(records.episodes, found[0].episodes)
        pd.testing.assert_frame_equal(records.assessments, found[0].assessments)
    shutil.rmtree(tmp_path)


def test_an_order_that_does_not_fit_the_labels_of_a_long_file_is_asked_about(tmp_path):
    random = np.random.default_rng(3)
    start = [dt.date(2025, int(random.integers(1, 10)), int(random.integers(1, 13))) for _ in range(40)]
    rows = [(f"P{i}", day, "baseline", 40) for i, day in enumerate(start)]
    later = [dt.date(day.year, day.month + 3, day.day) for day in start]
    rows += [(f"P{i}", day, "3 months", 30) for i, day in enumerate(later)]
    table = pd.DataFrame(rows, columns=["id", "date", "visit", "odi"])
    table["date"] = [f"{day:%d/%m/%Y}" for day in table["date"]]
    block = {
        "path": "*.csv", "rows": "assessment", "scores": [score(None, "odi")],
        "columns": {"patient_id": "id", "date": "date", "timepoint": "visit"},
    }  # fmt: skip
    read = {order: {**block, "date_order": order} for order in ("day-first", "month-first")}
    assert read_clinic(tmp_path, {"a.csv": table}, read["day-first"]).n_refused == 0
    (asked,) = list_asked(lambda: read_clinic(tmp_path, {"a.csv": table}, read["month-first"]))
    assert asked.rule == "LABEL_DATE"
    assert 'date_order = "day-first"' in str(asked.remedy)


def test_a_swap_shows_in_cells_that_a_spreadsheet_wrote_with_months_by_name(read):
    table = make_visits(40)
    table["start"] = [
        f"{dt.date(day.year, day.day, day.month):%d-%b-%Y}" if day.day <= 12 else f"{day:%d/%m/%Y}"
        for day in table["start"]
    ]
    asked = list_asked(
        lambda: read(
            table.drop(columns="seen"), {**DATED, "date_order": "day-first", "scores": WIDE["scores"]}
        )
    )
    assert [f.rule for f in asked] == ["DATE_SWAPPED"]
