"""What may differ by visit: the value at time zero counts, and what cannot change stays a finding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic_files import extend, list_asked, list_rules, read_clinic, read_place, score
from outcomes.cohort import select_cohort
from outcomes.records import read_records

LONG = {
    "path": "*.csv",
    "rows": "assessment",
    "columns": {"patient_id": "id", "therapy": "therapy", "date": "date", "sex": "sex", "age_years": "age"},
    "scores": [score(None, "odi")],
}
LABELLED = extend({**LONG, "columns": {"patient_id": "id", "therapy": "therapy", "timepoint": "visit"}})


@pytest.fixture
def read(tmp_path):
    return lambda table, block=LONG, **source: read_clinic(tmp_path, {"a.csv": table}, block, **source)


def make_visits(n: int, days: tuple[int, ...] = (0, 90), seed: int = 1) -> pd.DataFrame:
    """Return rows of visits in the order of patients and days."""
    random = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "id": [f"P{i:03}" for i in range(n)],
            "therapy": ["manual_therapy", "usual_care"] * (n // 2) + ["usual_care"] * (n % 2),
            "sex": random.choice(["female", "male"], n),
            "age": random.integers(20, 80, n),
            "start": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, n), unit="D"),
        }
    )
    visits = [
        people.assign(
            date=people["start"] + pd.Timedelta(days=day), visit=label, odi=random.integers(5, 30, n) * 2
        )
        for day, label in zip(days, ("baseline", "6 weeks", "3 months")[: len(days)], strict=True)
    ]
    return pd.concat(visits).sort_values(["id", "date"], kind="stable").reset_index(drop=True)


@pytest.mark.parametrize(("case", "column", "n"), [("age", "age_years", 15), ("sitech", "site", 6)])
def test_age_and_site_at_time_zero_count(shared, tmp_path, case, column, n):
    folder = shared / "cases" / "reading" / "05-age-or-site-differs-by-visit"
    records = read_records(
        folder / f"{case}.toml", folder / case, run_date="2026-11-30", private_folder=tmp_path
    )
    assert (records.n_read, records.n_accepted, len(records.episodes)) == (120, 120, 60)
    (noted,) = [f for f in records.findings if f.rule == "ATTRIBUTE_BY_VISIT"]
    assert (noted.count, noted.column) == (n, column.removesuffix("_years"))
    given_ = (
        pd.read_csv(folder / case / "x.csv").sort_values("date").drop_duplicates("pid").sort_values("pid")
    )
    assert records.episodes[column].tolist() == given_[column.removesuffix("_years")].tolist()
    assert any("time zero counts" in said for said in map(str, records.list_said("odi")))


CHANGING = {
    "site": ("north", "south"), "therapist": ("T1", "T2"), "work_status": ("off_work", "working"),
    "bmi": (24, 25), "risk_group": ("high", "low"), "duration_weeks": (8, 20),
    "duration": ("acute", "chronic"),
}  # fmt: skip


@pytest.mark.parametrize("column", sorted(CHANGING))
@pytest.mark.parametrize("turned", [False, True])
def test_what_may_change_is_taken_at_time_zero_in_any_order_of_rows(read, column, turned):
    first, later = CHANGING[column]
    table = make_visits(30)
    table["own"] = np.where((table["visit"] != "baseline") & (table["id"] < "P004"), later, first)
    rows = table[::-1] if turned else table
    records = read(rows, extend(LONG, columns={column: "own"}))
    assert (records.n_refused, records.episodes[column].unique().tolist()) == (0, [first])
    (noted,) = [f for f in records.findings if f.rule == "ATTRIBUTE_BY_VISIT"]
    assert noted.count == 4


@given(st.permutations(range(6)))
@settings(max_examples=20)
def test_labels_and_days_order_visits_too(read, order):
    lines = [
        "A,usual_care,north,0,baseline,40", "A,usual_care,south,42,6 weeks,30",
        "A,usual_care,west,91,3 months,20", "B,usual_care,west,0,baseline,42",
        "B,usual_care,south,40,6 weeks,32", "B,usual_care,north,90,3 months,22",
    ]  # fmt: skip
    table = "\n".join(["id,therapy,clinic,day,visit,odi", *(lines[i] for i in order)])
    for when in ({"timepoint": "visit"}, {"day": "day"}):
        columns = {"patient_id": "id", "therapy": "therapy", "site": "clinic", **when}
        records = read(table, {**LONG, "columns": columns})
        assert records.episodes["site"].tolist() == ["north", "west"]


def test_the_order_of_the_file_counts_where_no_time_is_known(tmp_path):
    block = {
        "path": "*.csv", "rows": "episode", "scores": [score("baseline", "odi0"), score("month_3", "odi3")],
        "columns": {"patient_id": "id", "therapy": "therapy", "site": "clinic"},
    }  # fmt: skip
    table = "id,therapy,clinic,odi0,odi3\nA,usual_care,north,40,\nA,usual_care,south,40,20\n"
    records = read_clinic(tmp_path, {"a.csv": table}, block)
    assert records.episodes["site"].tolist() == ["north"]
    assert (len(records.assessments), records.n_accepted, records.n_repeated) == (2, 1, 1)


@pytest.mark.parametrize(("change", "possible"), [(1, True), (0, True), (2, False), (-1, False), (-5, False)])
def test_an_age_may_rise_by_a_year_within_one_and_never_falls(read, change, possible):
    table = make_visits(30)
    table.loc[1, "age"] = table.loc[0, "age"] + change
    records = read(table)
    assert records.n_refused == (0 if possible else 2)
    assert ("KEY_ATTRIBUTE_CONFLICT" in list_rules(records, "quarantine_patient_pair")) is not possible


def test_an_age_may_rise_with_the_years(read):
    table = make_visits(30, days=(0, 42, 730))
    table.loc[table["visit"] == "3 months", "age"] += 2
    assert read(table).n_refused == 0


def test_a_sex_that_changes_stays_a_finding(read):
    table = make_visits(40)
    table.loc[1, "sex"] = {"male": "female", "female": "male"}[table.loc[0, "sex"]]
    records = read(table)
    assert (records.n_refused, len(records.episodes)) == (2, 39)


def test_what_cannot_change_and_does_everywhere_is_asked_about(read):
    table = make_visits(20).assign(part="neck")
    table.loc[table["visit"] == "baseline", "part"] = "low back"
    block = extend(LONG, columns={"region": "part"})
    (asked,) = list_asked(lambda: read(table, block))
    assert asked.rule == "KEY_ATTRIBUTE_CONFLICT"
    assert "20 of 20 episodes" in str(asked.what)
    records = read(table, {**block, "confirmed": ["region_changes"]})
    assert records.episodes["region"].unique().tolist() == ["low_back"]


# Therapy


def test_the_therapy_at_time_zero_counts_and_a_later_one_is_a_switch(shared, tmp_path):
    path = shared / "cases" / "spreadsheets" / "silent-switch.csv"
    block = {**LABELLED, "path": path.name, "scores": [score(None, "ODI")]}
    primary = {"instrument": "odi", "timepoint": "month_3"}
    records = read_place(path.parent, block, private=tmp_path / "private", primary=primary)
    table = pd.read_csv(path)
    start = table[table["visit"] == "baseline"].sort_values("id")["therapy"]
    ids = start.str.replace("manual therapy", "manual_therapy").str.replace("usual care", "usual_care")
    assert records.episodes["therapy"].astype(str).str.split("_").str[0].tolist() == [
        name.split("_")[0].replace("strengthening exercise", "strengthening") for name in ids
    ]
    switched = table[table["therapy"] == "injection"]["id"].unique()
    assert sorted(records.events["episode_id"]) == sorted(switched)
    assert records.events["event"].unique().tolist() == ["therapy_switch"]
    assert any("later other one is a switch" in said for said in map(str, records.list_said("odi")))
    without = select_cohort(records, intercurrent_events="while_on_therapy", timepoints=["month_3"]).table
    late = without[(without["timepoint"] == "month_3") & without["episode_id"].isin(switched)]
    assert set(late["status"]) == {"after_event"}


@pytest.mark.parametrize("turned", [False, True])
def test_a_first_row_without_a_date_is_still_the_first(read, turned):
    table = make_visits(20, days=(0, 42))
    undated = table["date"].astype(str).where(table["visit"] != "baseline", "")
    table = table.assign(date=undated)
    table.loc[table["visit"] != "baseline", "therapy"] = "injection"
    block = extend(LONG, columns={"timepoint": "visit", "start_date": "start"})
    records = read(table[::-1] if turned else table, block)
    assert records.episodes["therapy"].value_counts().to_dict() == {"manual_therapy": 10, "usual_care": 10}
    assert (len(records.events), set(records.events["day"])) == (20, {42})


# A baseline in every row


def test_a_baseline_repeated_in_every_row_is_one_baseline(read):
    table = make_visits(20, days=(0, 42, 91))
    table["odi_start"] = table.groupby("id")["odi"].transform("first")
    late = table[table["visit"] != "baseline"]
    for rows, undated in ((table, 0), (late, 20)):
        block = {**LONG, "scores": [score("baseline", "odi_start"), score(None, "odi")]}
        records = read(rows.assign(first=rows["start"]), extend(block, columns={"start_date": "first"}))
        baseline = records.assessments[records.assessments["timepoint"] == "baseline"]
        assert (len(baseline), records.n_refused) == (20, 0)
        start = table[table["visit"] == "baseline"]
        assert baseline["score"].tolist() == start["odi"].tolist()
        assert baseline["day"].isna().sum() == undated
        follow = select_cohort(records, timepoints=["week_6", "month_3"]).table
        means = follow.groupby("timepoint", observed=True)["score"].mean()
        assert means["baseline"] == pytest.approx(start["odi"].mean())
        assert means["week_6"] == pytest.approx(table[table["visit"] == "6 weeks"]["odi"].mean())


def test_a_repeated_baseline_that_differs_stays_a_finding(read):
    table = make_visits(30, days=(42, 91))
    table["odi_start"] = 40
    table.loc[1, "odi_start"] = 60
    block = {**LONG, "scores": [score("baseline", "odi_start"), score(None, "odi")]}
    records = read(table.assign(first=table["start"]), extend(block, columns={"start_date": "first"}))
    assert set(records.refused["rule"]) == {"KEY_CONFLICT"}
    assert records.n_refused == 2
