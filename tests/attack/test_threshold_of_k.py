"""One patient more or less at the threshold (A4), and one patient more or less in the records (A5)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

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


def build_sides(n: int):
    """Build three groups: 60 patients of each get worse, 60 others (of c: n) reach the lowest score.

    So n is the smaller side of each share of c.
    """
    draw = np.random.default_rng(3)
    parts = []
    for group, reached in {"a": 60, "b": 60, "c": n}.items():
        size = reached + 60
        part = pd.DataFrame({"patient": [f"{group}/{i}" for i in range(size)], "therapy": group})
        part["age_years"] = draw.integers(20, 80, size)
        part["sex"] = draw.choice(["female", "male"], size)
        part["baseline"] = draw.integers(5, 9, size)
        part["month_6"] = np.where(np.arange(size) < reached, 0, part["baseline"] + 1)
        parts.append(part)
    return assemble_cohort(
        pd.concat(parts, ignore_index=True), covariates=("age_years", "sex"), design="randomised"
    )


def build_with_reference(n: int):
    """Build the cohort of n patients in group c, with a reference that bounds regression to the mean."""
    made = {"instrument": "nprs", "mean": 4.0, "sd": 2.0, "retest_correlation": 0.8, "citation": "made up"}
    cohort = build(n)
    source = replace(cohort.records.source, reference_scores=(made,))
    return replace(cohort, records=replace(cohort.records, source=source))


def build_period(n: int):
    """Build quarters of 60, n and 60 patients."""
    cohort = build(n, column="start_date", name="2023-05-10")
    days = cohort.episodes["start_date"].replace({"a": "2023-01-10", "b": "2023-08-10"})
    return replace(cohort, episodes=cohort.episodes.assign(start_date=days))


def build_sites(n: int):
    return build(n, column="site")


#: What tells of a group of n patients, by analysis: how the group is made, its name, and the statistics that
#: are told of it once n reaches k. Of a share both sides count, so that n is its smaller side.
TOLD = {
    summarise_change: (build, "c", {"mean_score", "mean_expected", "mean_improvement"}),
    describe_baseline: (build, "c", {"n", "mean", "sd", "smd"}),
    count_completeness: (build, "c", {"n_due", "n_seen"}),
    estimate_effect_sizes: (build, "c", {"srm", "ses", "hedges_g"}),
    compare_at_timepoints: (build, "c", {"marginal_mean", "contrast"}),
    compare_over_time: (build, "c", {"marginal_mean", "contrast"}),
    check_comparability: (build, "c", {"check"}),
    bound_regression_to_mean: (
        build_with_reference,
        "c",
        {"regression_to_mean_low", "regression_to_mean_high"},
    ),
    count_responders: (build_sides, "c", {"share_improved", "share_in_state"}),
    trace_cumulative: (build_sides, "c", {"share_improved_by"}),
    count_at_ends: (build_sides, "c", {"share_at_floor"}),
    standardise_responders: (build_sides, "c", {"share_improved_standardised"}),
    monitor_periods: (build_period, "2023Q2", {"mean_improvement"}),
}


@cache
def analyse_group(analyse, n: int):
    return analyse(TOLD[analyse][0](n))


def list_told(analyse, n: int, k: int) -> set[str]:
    """Return the statistics that a page of this k tells of the group of n, shares only with both sides."""
    make, group, _ = TOLD[analyse]
    told = tell(release(analyse_group(analyse, n), k=k).table, group)
    if make is build_sides:
        told = told[(told["estimate"] > 0) & (told["estimate"] < 1)]
    return set(told["statistic"])


@pytest.mark.parametrize("n", [K - 1, K, K + 1])
@pytest.mark.parametrize("analyse", TOLD, ids=lambda analyse: analyse.__name__)
def test_ten_patients_are_never_told_of_and_eleven_may_be(analyse, n):
    assert list_told(analyse, n, K) == (TOLD[analyse][2] if n >= K else set())


@pytest.mark.parametrize("analyse", TOLD, ids=lambda analyse: analyse.__name__)
def test_it_is_the_threshold_that_keeps_them_back(analyse):
    """The same ten are told of where ten are enough, and the same eleven are not where twelve are needed."""
    assert list_told(analyse, K - 1, K - 1) == TOLD[analyse][2]
    assert not list_told(analyse, K, K + 1)


@pytest.mark.parametrize("k", [30, 40])
def test_a_site_of_fewer_than_k_is_never_told_of(k):
    """The funnel has no small site, whatever k is, so that k is above the smallest."""
    for n in (k - 1, k):
        told = set(tell(release(compare_sites(build_sites(n)), k=k).table, "c")["statistic"])
        assert told >= {"mean_improvement", "adjusted_improvement", "position"} if n >= k else not told
    assert tell(release(compare_sites(build_sites(K)), "team").table, "c").empty


@pytest.mark.parametrize("missed", [K - 1, K, K + 1])
def test_ten_who_were_not_seen_again_are_never_told_of(missed):
    table = release(compare_respondents(build(60, missed=missed))).table
    assert tell(table, "not_seen").empty == (missed < K)
    result = count_completeness(build(60, missed=missed))
    row = {"statistic": "n_missing", "group": "c", "timepoint": "month_6"}
    assert result.where(**row).table["estimate"].tolist() == [missed]
    assert not release(result).where(**row, shown=True).table.size, "for the team only"


@pytest.mark.parametrize("k", [5, 8, 11])
def test_the_threshold_is_that_of_the_page(k):
    for n in (k - 1, k, k + 1):
        assert tell(release(summarise_change(build(n)), k=k).table, "c").empty == (n < k)


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
