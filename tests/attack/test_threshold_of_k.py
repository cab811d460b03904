"""One patient more or less at the threshold (A4), and one patient more or less in the records (A5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_editions import open_series

from handmade import assemble_cohort
from outcomes.analyses import (
    bound_regression_to_mean,
    check_comparability,
    compare_at_timepoints,
    compare_over_time,
    compare_respondents,
    compare_sites,
    count_at_ends,
    count_completeness,
    count_flow,
    count_responders,
    describe_baseline,
    estimate_effect_sizes,
    monitor_periods,
    standardise_responders,
    summarise_change,
    trace_cumulative,
)
from outcomes.disclosure import release
from outcomes.result import Patients, build_result
from outcomes.synthetic import simulate_clinic

K = 11
DESCRIBING = (
    summarise_change,
    describe_baseline,
    count_completeness,
    count_responders,
    trace_cumulative,
    count_at_ends,
    bound_regression_to_mean,
    estimate_effect_sizes,
)
COMPARING = (compare_at_timepoints, compare_over_time, standardise_responders, check_comparability)


def build(n: int, *, column: str = "therapy", name: str = "c", missed: int = 0, seed: int = 3):
    """Build a cohort of two groups of 60 and one of n, of whom some are not seen again."""
    draw = np.random.default_rng(seed)
    parts = []
    for group, size in (("a", 60), ("b", 60), (name, n)):
        part = pd.DataFrame({"patient": [f"{group}/{i}" for i in range(size)], "therapy": "a"})
        part[column] = group
        part["age_years"] = draw.integers(20, 80, size)
        part["sex"] = draw.choice(["female", "male"], size)
        part["baseline"] = draw.integers(4, 10, size)
        later = np.clip(part["baseline"] - draw.integers(-1, 5, size), 0, 10).astype("object")
        if group == name and missed:
            later.iloc[:missed] = "missing"
        part["month_6"] = later
        parts.append(part)
    wide = pd.concat(parts, ignore_index=True)
    first = [name for name in wide if name not in ("baseline", "month_6")]
    return assemble_cohort(
        wide[[*first, "baseline", "month_6"]], covariates=("age_years", "sex"), design="randomised"
    )


def tell(table: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the rows that tell a number about a group: none of nobody."""
    about = (table["group"] == group) | (table["versus"] == group) | (table["level"] == group)
    numbers = table[["estimate", "conf_low", "conf_high", "n", "n_versus"]].fillna(0)
    told = (numbers != 0).any(axis=1) & table["shown"]
    return table[about & told & ~table["statistic"].isin(["verdict"])]


@pytest.mark.parametrize("n", [K - 1, K, K + 1])
@pytest.mark.parametrize("analyse", [*DESCRIBING, *COMPARING], ids=lambda analyse: analyse.__name__)
def test_ten_patients_are_never_told_of_and_eleven_may_be(analyse, n):
    told = tell(release(analyse(build(n))).table, "c")
    if n < K:
        assert told.empty, told[["statistic", "term", "group", "n", "display"]].head()
    elif analyse in (summarise_change, describe_baseline):
        assert len(told)


@pytest.mark.parametrize("n", [K - 1, K, K + 1])
@pytest.mark.parametrize("analyse", [compare_sites, monitor_periods], ids=lambda analyse: analyse.__name__)
def test_ten_patients_of_a_site_or_period_are_never_told_of(analyse, n):
    column, name = ("site", "c") if analyse is compare_sites else ("start_date", "2023-05-10")
    cohort = build(n, column=column, name=name)
    if column == "start_date":
        episodes = cohort.episodes
        days = episodes["start_date"].replace({"a": "2023-01-10", "b": "2023-08-10"})
        cohort = replace(cohort, episodes=episodes.assign(start_date=days))
    told = tell(release(analyse(cohort)).table, "c" if column == "site" else "2023Q2")
    assert told.empty or n >= K


@pytest.mark.parametrize("missed", [K - 1, K, K + 1])
def test_ten_who_were_not_seen_again_are_never_told_of(missed):
    table = release(compare_respondents(build(60, missed=missed))).table
    assert tell(table, "not_seen").empty == (missed < K)
    told = release(count_completeness(build(60, missed=missed))).table
    row = told[(told["statistic"] == "n_missing") & (told["group"] == "c") & (told["timepoint"] == "month_6")]
    assert row["shown"].tolist() in ([missed >= K], [False], []), "completeness stands in bands"


@pytest.mark.parametrize("n", [K - 1, K, K + 1])
@pytest.mark.parametrize("k", [5, 8, 11])
def test_the_threshold_is_that_of_the_page(n, k):
    told = tell(release(summarise_change(build(n)), k=k).table, "c")
    assert told.empty == (n < k)


# With and without one patient

#: A share of one level is fresh, of the patients of now, beside one of another level that is of those of
#: before.
PAGE = (
    count_flow,
    summarise_change,
    count_responders,
    describe_baseline,
    count_completeness,
    compare_respondents,
)
NUMBERS = [
    "outcome",
    "statistic",
    "term",
    "level",
    "group",
    "timepoint",
    "x",
    "estimate",
    "conf_low",
    "conf_high",
    "n",
]


@pytest.fixture(scope="module")
def records():
    return simulate_clinic(220, seed=31)


def leave_out(records, patient: str):
    episodes = records.episodes[records.episodes["patient_id"].astype(str) != patient]
    kept = set(episodes["episode_id"].astype(str))

    def pick(table):
        return table[table["episode_id"].astype(str).isin(kept)].reset_index(drop=True)

    return replace(
        records, episodes=episodes.reset_index(drop=True), assessments=pick(records.assessments),
        sessions=pick(records.sessions), events=pick(records.events),
    )  # fmt: skip


def list_members(records) -> list[str]:
    """Return patients whose score at the start is known, so that they are on the page."""
    scores = records.assessments
    scored = scores.loc[(scores["instrument"] == "odi") & (scores["day"] <= 0), "episode_id"].astype(str)
    return (
        records.episodes.loc[records.episodes["episode_id"].astype(str).isin(scored), "patient_id"]
        .astype(str)
        .tolist()
    )


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(40, marks=pytest.mark.slow),
        90,
    ],
)
def test_a_page_is_the_same_with_and_without_a_patient(records, tmp_path, place):
    patient = list_members(records)[place]
    with open_series(tmp_path) as series:
        first = series.publish(records, PAGE).rows
        second = series.publish(leave_out(records, patient), PAGE).rows
    merged = first[NUMBERS].merge(second[NUMBERS], how="outer", indicator=True, on=NUMBERS)
    told = merged[(merged["_merge"] == "right_only") & merged["estimate"].notna()]
    assert told.empty, told[["statistic", "term", "group", "timepoint", "estimate", "n"]].head()


@pytest.mark.slow
def test_without_the_ledger_a_page_tells_of_one_patient(records, tmp_path, monkeypatch):
    import outcomes.disclosure.page_context as page_context

    monkeypatch.setattr(page_context, "read_earlier_cells", lambda folder: None)
    patient = list_members(records)[0]
    with open_series(tmp_path) as series:
        first = series.publish(records, PAGE).rows
        second = series.publish(leave_out(records, patient), PAGE).rows
    assert not first[NUMBERS].equals(second[NUMBERS])


def change_groups(tmp_path, *sizes: dict[str, int]) -> list[pd.DataFrame]:
    """Make editions of means of groups of so many patients each, the same patients first."""
    with open_series(tmp_path) as series:
        return [
            series.publish_results(lambda size=size: [measure(size)]).rows.set_index("group")
            for size in sizes
        ]


def measure(sizes: dict[str, int]):
    ids = [f"{name}{number}" for name, n in sizes.items() for number in range(n)]
    patients = Patients(np.array(ids, dtype=object), np.arange(len(ids), dtype="uint64") * 0 + 7)
    rows, sets, start = [], [], 0
    for name, n in sizes.items():
        rows.append({"statistic": "mean_score", "outcome": "odi", "timepoint": "month_6", "group": name,
                     "estimate": 30.0 + n / 100, "n": n, "unit": "points"})  # fmt: skip
        sets.append({"all": np.arange(start, start + n)})
        start += n
    return build_result("change", rows, method="Mean.", support=sets, patients=patients)


def test_a_group_that_one_patient_left_keeps_its_number(tmp_path):
    """Eleven patients, then ten: "withheld" where a number stood says that the one who left was among
    them."""
    first, second = change_groups(tmp_path, {"a": K, "b": 60}, {"a": K - 1, "b": 60})
    assert first.at["a", "estimate"] == second.at["a", "estimate"]
    assert second.at["b", "estimate"] == first.at["b", "estimate"]


def test_a_group_that_one_patient_made_large_enough_waits_for_k_of_them(tmp_path):
    """Ten patients, then eleven: a number where "withheld" stood says that somebody came.

    Those who came are counted from the edition that had too few, so that it appears once there are k.
    """
    *before, last = change_groups(tmp_path, *({"a": n, "b": 60} for n in (K - 1, K, K + 4, 2 * K - 2, 2 * K)))
    assert all(np.isnan(edition.at["a", "estimate"]) for edition in before)
    assert last.at["a", "estimate"] == pytest.approx(30.2)


def test_a_group_that_one_patient_joined_keeps_its_number(tmp_path):
    first, second = change_groups(tmp_path, {"a": 30, "b": 60}, {"a": 31, "b": 60})
    assert first.at["a", "estimate"] == second.at["a", "estimate"]
