"""What holds for every cohort, whatever the records."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.cohort import STATUSES, select_cohort
from outcomes.facts import read_timepoints
from outcomes.synthetic import simulate_clinic
from written_records import PRIMARY, lay_grid, write_records

CLINIC = simulate_clinic(150, seed=5)
COLUMNS = ("timepoint", "day", "score", "baseline", "improvement", "status", "therapy")


def content(cohort) -> pd.DataFrame:
    table = cohort.table[["episode_id", *COLUMNS]].astype("object")
    return table.sort_values(["episode_id", "timepoint"], ignore_index=True)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_the_order_of_rows_does_not_matter(seed):
    shuffled = {
        name: getattr(CLINIC, name).sample(frac=1, random_state=seed).reset_index(drop=True)
        for name in ("episodes", "assessments", "sessions", "events")
    }
    again = select_cohort(replace(CLINIC, **shuffled))
    pd.testing.assert_frame_equal(content(select_cohort(CLINIC)), content(again))
    private = ["patients", "patients_gone"]
    pd.testing.assert_frame_equal(
        select_cohort(CLINIC).flow.drop(columns=private), again.flow.drop(columns=private)
    )


@given(prefix=st.text("abcxyz", min_size=1, max_size=5))
@settings(max_examples=10)
def test_the_names_of_patients_and_episodes_do_not_matter(prefix):
    renamed = {
        name: getattr(CLINIC, name).assign(episode_id=_rename(getattr(CLINIC, name)["episode_id"], prefix))
        for name in ("episodes", "assessments", "sessions", "events")
    }
    renamed["episodes"]["patient_id"] = _rename(renamed["episodes"]["patient_id"], prefix)
    left, right = content(select_cohort(CLINIC)), content(select_cohort(replace(CLINIC, **renamed)))
    pd.testing.assert_frame_equal(left[list(COLUMNS)], right[list(COLUMNS)])


def _rename(ids: pd.Series, prefix: str) -> pd.Categorical:
    return pd.Categorical([prefix + str(id) for id in ids])


@given(
    low=st.integers(18, 60), width=st.integers(20, 60), episodes=st.sampled_from(["first", "all"]),
    instrument=st.sampled_from(["odi", "nprs"]), region=st.sampled_from([None, "low_back"]),
)  # fmt: skip
@settings(max_examples=25)
def test_the_flow_sums_and_the_grid_is_complete(low, width, episodes, instrument, region):
    where = {"age_years": (low, low + width)} | ({"region": region} if region else {})
    cohort = select_cohort(CLINIC, instrument=instrument, where=where, episodes=episodes)
    flow = cohort.flow
    for unit in ("episodes", "patients"):
        left = flow[f"n_{unit}"]
        assert (left.shift(1, fill_value=left.iloc[0]) - left == flow[f"n_excluded_{unit}"]).all()
    assert flow["n_episodes"].iloc[0] == len(CLINIC.episodes)
    assert flow["n_episodes"].iloc[-1] == len(cohort.episodes)
    assert flow["n_patients"].iloc[-1] == cohort.episodes["patient"].nunique()
    assert len(cohort.table) == len(cohort.episodes) * len(cohort.timepoints)
    assert set(cohort.table["status"]) <= set(STATUSES)
    assert (cohort.table["score"].notna() == (cohort.table["status"] == "seen")).all()


def test_no_argument_is_changed():
    names = ("episodes", "assessments", "sessions", "events")
    before = {name: getattr(CLINIC, name).copy(deep=True) for name in names}
    where, covariates = {"age_years": (18, 70)}, ["sex", "nprs:average@baseline"]
    select_cohort(CLINIC, where=where, covariates=covariates, intercurrent_events="while_on_therapy")
    for name in names:
        pd.testing.assert_frame_equal(before[name], getattr(CLINIC, name))
    assert where == {"age_years": (18, 70)} and covariates == ["sex", "nprs:average@baseline"]


def test_a_hundred_thousand_episodes_take_about_a_second():
    records = simulate_clinic(100_000, seed=2)
    start = time.perf_counter()
    cohort = select_cohort(records)
    assert time.perf_counter() - start < 10, "a generous bound for slow machines"
    assert len(cohort.episodes) > 70_000
    assert np.isfinite(cohort.table.loc[cohort.table["status"] == "seen", "score"]).all()


@given(
    days=st.lists(st.integers(-40, 600), min_size=1, max_size=12, unique=True),
    timepoint=st.sampled_from(["week_6", "month_3", "month_6", "month_12"]),
)
@settings(max_examples=60)
def test_windows_agree_with_looking_at_one_score_after_the_other(days, timepoint):
    window = read_timepoints()[timepoint]
    best = None
    for day in sorted(days):
        near = window.first_day <= day <= window.last_day
        if near and (best is None or abs(day - window.day) < abs(best - window.day)):
            best = day
    rows = "".join(f"a {day} {1 + number % 9}\n" for number, day in enumerate(days))
    text = "episode_id day score\nb 0 5\nb 42 5\nb 91 5\nb 183 5\nb 365 5\na -20 5\n"
    records = write_records("episode_id\na\nb", text + rows, primary={**PRIMARY, "timepoint": "month_6"})
    found = lay_grid(select_cohort(records), "day").loc["a", timepoint]
    assert (None if pd.isna(found) else found) == best
