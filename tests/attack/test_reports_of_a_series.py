"""Attacks on the tables of the three further reports: sites, periods, and one therapy over all domains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import assemble_cohort
from outcomes.analyses import compare_sites, monitor_periods, summarise_domains
from outcomes.cohort import select_cohort
from outcomes.disclosure import release
from outcomes.synthetic import simulate_clinic
from outcomes.views import draw_domains, tabulate_domains, tabulate_periods, tabulate_sites

K = 11
COLUMNS = ["outcome", "statistic", "term", "level", "group", "versus", "timepoint", "x"]
QUARTERS = [f"{year}-{month:02d}-10" for year in (2021, 2022, 2023) for month in (1, 4, 7, 10)]


def build(sizes, seed, names=QUARTERS, column="start_date"):
    """Build a cohort with so many patients of each quarter (or site), as scattered as patients are."""
    draw = np.random.default_rng(seed)
    parts = []
    for name, n in zip(names, sizes, strict=False):
        part = pd.DataFrame({"patient": [f"{name}/{i}" for i in range(n)], "therapy": "x", column: name})
        part["baseline"] = draw.integers(4, 10, n)
        part["month_6"] = np.clip(part["baseline"] - draw.integers(-1, 5, n), 0, 10)
        parts.append(part)
    return assemble_cohort(pd.concat(parts, ignore_index=True))


def match_support(result, released):
    """Return each released row with the patients behind it."""

    def key(table):
        return [tuple(map(str, values)) for values in table[COLUMNS].itertuples(index=False)]

    behind = dict(zip(key(result.table), result.support, strict=True))
    for row, place in zip(released.table.itertuples(index=False), key(released.table), strict=True):
        yield row, behind[place]


def check_every_side(result, released):
    """Check that k patients stand behind every shown number, and on both sides of a share."""
    for row, sets in match_support(result, released):
        if not row.shown or row.statistic in ("n_sites", "position"):
            continue
        sizes = {name: len(np.unique(codes)) for name, codes in sets.items()}
        whole = sizes.pop("all")
        assert whole >= K or (row.statistic == "n_recorded" and row.estimate == 0), row
        if row.statistic == "share_seen":  # in bands
            continue
        assert all(size >= K or (size == 0 and whole >= 3 * K) for size in sizes.values()), row
    assert (released.table["n"].dropna() % 5 == 0).all()
    hidden = released.table.loc[~released.table["shown"], ["estimate", "conf_low", "conf_high"]]
    assert hidden.isna().all(axis=None)


@settings(max_examples=12)
@given(
    sizes=st.lists(st.one_of(st.integers(3, 30), st.integers(25, 60)), min_size=9, max_size=12),
    seed=st.integers(0, 10_000),
    measured=st.sampled_from(["improvement", "responders"]),
)
def test_periods_of_few_cannot_be_worked_out(sizes, seed, measured):
    options = {"threshold": "absolute:2"} if measured == "responders" else {}
    result = monitor_periods(build(sizes, seed), measured=measured, **options)
    released = release(result)
    check_every_side(result, released)
    table = released.table[released.table["term"] == "baseline"]
    periods, centre = table[table["group"] != "all"], table[table["group"] == "all"]
    hidden = set(periods.loc[~periods["shown"], "group"])
    if len(centre) and centre["shown"].all() and hidden:
        # the mean of all less those shown is that of the hidden ones together: at least k patients
        together = [
            sets["all"] for row, sets in match_support(result, released)
            if row.group in hidden and row.term == "baseline"
        ]  # fmt: skip
        assert len(together) > 1 and sum(len(np.unique(codes)) for codes in together) >= K
    if not centre["shown"].any():
        assert not released.table["statistic"].isin(["control_limit", "control_limit_share", "signal"]).any()
    told = released.table[
        released.table["statistic"].isin(["control_limit", "control_limit_share", "signal"])
    ]
    everything = released.table[released.table["statistic"].isin(["mean_improvement", "share_improved"])]
    assert set(told["group"]) <= set(everything.loc[everything["shown"], "group"])
    view = tabulate_periods(released)
    if view.table is not None:
        # a band of completeness is of the patients due, who are judged by themselves
        told = view.table[view.table["estimate"].notna() & (view.table["statistic"] != "share_seen")]
        assert not set(told["group"]) & hidden


@settings(max_examples=12)
@given(
    sizes=st.lists(st.integers(5, 90), min_size=3, max_size=6),
    seed=st.integers(0, 10_000),
    k=st.sampled_from([5, 11, 40]),
    measured=st.sampled_from(["improvement", "responders"]),
)
def test_sites_are_told_together_or_not_at_all(sizes, seed, k, measured):
    names = [f"site{i}" for i in range(len(sizes))]
    options = {"threshold": "absolute:2"} if measured == "responders" else {}
    cohort = build(sizes, seed, names, "site")
    result = compare_sites(cohort, measured=measured, **options)
    released = release(result, k=k)
    named = {str(group) for group in released.table["group"]} - {"all"}
    every = {name for name, n in zip(names, sizes, strict=True) if n >= 30}
    assert named in (set(), every)
    assert not {name for name in names if name not in every} & named
    if named:
        assert len(named) >= 3 and min(n for n in sizes if n >= 30) >= k
        assert max(sizes) <= 0.85 * sum(n for n in sizes if n >= 30)
        shown = released.table[released.table["statistic"] != "share_seen"]
        assert shown["shown"].all()
    else:
        assert set(released.table["statistic"]) <= {"n_sites"}
    view = tabulate_sites(released)
    assert all(name.capitalize() not in view.html for name in set(names) - named)


@pytest.mark.parametrize(("episodes", "seed"), [(40, 1), (90, 2), (300, 3)])
def test_no_domain_tells_of_few(episodes, seed):
    cohort = select_cohort(simulate_clinic(episodes, seed=seed), needs_baseline=False)
    result = summarise_domains(cohort)
    released = release(result)
    check_every_side(result, released)
    for view in (draw_domains(released), tabulate_domains(released)):
        assert view.table is None or view.table["std_error"].isna().all()


@pytest.mark.parametrize(("n", "shown"), [(K - 1, False), (K, True), (K + 1, True)])
def test_one_patient_decides_at_the_threshold_and_nowhere_else(n, shown):
    sizes = [40] * 9
    sizes[8] = n
    released = release(monitor_periods(build(sizes, 4)))
    row = released.where(statistic="mean_improvement", group="2023Q1").table
    assert row["shown"].tolist() == [shown]


def test_what_is_withheld_depends_on_counts_and_not_on_scores():
    sizes = [40, 40, 7, 40, 40, 40, 40, 40, 40]
    first, second = build(sizes, 1), build(sizes, 2)
    shown = [release(monitor_periods(cohort)).table for cohort in (first, second)]
    places = [
        table[table["statistic"].isin(["mean_improvement", "control_limit"])][["group", "statistic", "shown"]]
        for table in shown
    ]
    assert places[0].reset_index(drop=True).equals(places[1].reset_index(drop=True))


def test_the_order_of_rows_changes_nothing():
    cohort = build([40, 35, 50, 45, 12, 40, 40, 40, 40], 3)
    order = np.random.default_rng(0).permutation(len(cohort.episodes))
    width = len(cohort.timepoints)
    rows = (order[:, None] * width + np.arange(width)).ravel()
    shuffled = replace(
        cohort,
        table=cohort.table.iloc[rows].reset_index(drop=True),
        episodes=cohort.episodes.iloc[order].reset_index(drop=True),
    )
    first, second = (release(monitor_periods(one)).table for one in (cohort, shuffled))
    assert first["display"].tolist() == second["display"].tolist()
