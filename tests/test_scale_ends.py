"""Intervals of means stay on the scale of the measure, and a model's mean beyond it is not given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from handmade import assemble_cohort
from outcomes import (
    compare_at_timepoints,
    compare_over_time,
    draw_forest,
    draw_marginal_means,
    release,
    say_comparison,
    summarise_change,
    tabulate_contrasts,
    tabulate_marginal_means,
)
from outcomes.analyses._interval import estimate_mean, hold_to_scale

ENDS = (0.0, 10.0)


def estimate(values, ends=ENDS):
    return estimate_mean(np.asarray(values, dtype=float), np.arange(len(values)), 0.95, ends=ends)


def test_an_interval_within_the_scale_is_that_of_student():
    values = np.array([3.0, 4, 5, 6, 7, 5, 4, 6])
    low, high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    found = estimate(values)
    assert (found["conf_low"], found["conf_high"]) == pytest.approx((low, high))


def test_an_interval_that_would_leave_the_scale_is_taken_on_the_logit_scale():
    """Nine at 0 and one at 4: t gives -0.5 to 1.3; around logit(0.04), the margin times 10 / (0.4 * 9.6)."""
    values = [0.0] * 9 + [4.0]
    margin = stats.t.ppf(0.975, 9) * 0.4
    ends = special.expit(special.logit(0.04) + np.array([-1, 1]) * margin * 10 / (0.4 * 9.6)) * 10
    found = estimate(values)
    assert 0.4 - margin < 0 < found["conf_low"] < 0.4 < found["conf_high"]
    assert [found["conf_low"], found["conf_high"]] == pytest.approx(ends, abs=1e-4)
    assert found["state"] == "ok"
    assert [found[name] for name in ("estimate", "std_error", "df")] == pytest.approx([0.4, 0.4, 9])
    above = estimate([10.0 - value for value in values])
    assert [10 - above["conf_high"], 10 - above["conf_low"]] == pytest.approx(ends, abs=1e-4)


@pytest.mark.parametrize("n", [11, 20, 30])
def test_near_the_floor_it_covers_the_mean_more_often_than_a_cut_interval(n):
    random, values = np.random.default_rng(n), np.round(10 * np.random.default_rng(1).beta(0.3, 3, 200_000))
    true, hits, cut = values.mean(), 0, 0
    for _ in range(1500):
        found = estimate(random.choice(values, n))
        if found["state"] != "ok":
            continue
        assert 0 <= found["conf_low"] <= found["estimate"] <= found["conf_high"] <= 10
        margin = stats.t.ppf(0.975, n - 1) * found["std_error"]
        hits += found["conf_low"] <= true <= found["conf_high"]
        cut += max(found["estimate"] - margin, 0) <= true <= found["estimate"] + margin
    assert hits / 1500 > 0.9 and hits >= cut


def test_a_group_near_its_floor_keeps_its_result_on_a_page():
    wide = pd.DataFrame({"patient": range(40), "therapy": ["x", "y"] * 20, "baseline": [6, 7] * 20})
    wide["month_6"] = [0, 4] * 18 + [1, 5, 3, 6]
    cohort = assemble_cohort(wide, design="randomised")
    for audience in ("team", "stakeholder"):
        table = release(summarise_change(cohort), audience).where(group="x", timepoint="month_6").table
        row = table[table["statistic"] == "mean_expected"].iloc[0]
        assert row["shown"] and row["state"] == "ok"
        assert 0 <= row["conf_low"] <= row["estimate"] <= row["conf_high"] <= 10
    alike = summarise_change(assemble_cohort(wide.assign(month_6=0))).where(
        statistic="mean_expected", group="x"
    )
    last = alike.table.iloc[-1]
    assert (last["estimate"], last["state"]) == (0, "boundary"), "no spread is no matter of numbers"


def test_a_models_interval_is_cut_at_the_ends_and_its_mean_beyond_them_has_a_state():
    row = {"estimate": 0.2, "conf_low": -0.1, "conf_high": 0.5, "std_error": 0.15, "state": "ok"}
    assert hold_to_scale(row, ENDS) == {**row, "conf_low": 0.0}
    assert hold_to_scale({**row, "estimate": -0.1}, ENDS) == {"state": "out_of_range"}
    assert hold_to_scale({**row, "estimate": -1e-12}, ENDS)["state"] == "ok"
    assert hold_to_scale({"state": "too_few"}, ENDS) == {"state": "too_few"}


def make_extrapolated():
    """Patients of y start high and end at 0: as if they had started where all did, they would end below 0."""
    random = np.random.default_rng(1)
    therapy = np.repeat(["x", "y", "z"], 40)
    wide = pd.DataFrame({"patient": range(120), "therapy": therapy})
    wide["baseline"] = random.integers(1, 4, 120) + 6 * (therapy == "y")
    gained = np.where(therapy == "y", 8, 0)
    for name in ("month_3", "month_6"):
        wide[name] = np.maximum(wide["baseline"] - gained + random.integers(0, 2, 120), 0)
    wide["month_6"] = np.where(therapy == "y", 5, wide["month_6"])
    return assemble_cohort(wide, design="randomised")


@pytest.mark.parametrize("compare", [compare_over_time, compare_at_timepoints])
def test_a_mean_beyond_the_scale_is_not_given_nor_the_differences_that_would_tell_it(compare):
    result = compare(make_extrapolated())
    early = result.where(timepoint="month_3").table
    means = early[early["statistic"] == "marginal_mean"].set_index("group")
    assert means.loc["y", "state"] == "out_of_range" and np.isnan(means.loc["y", "estimate"])
    assert set(means.loc[["x", "z"], "state"]) == {"ok"}
    assert means.loc[["x", "z"], ["conf_low", "conf_high"]].to_numpy().min() >= 0
    pairs = early[early["statistic"] == "contrast"]
    own = (pairs["group"] == "y") | (pairs["versus"] == "y")
    assert set(pairs.loc[own, "state"]) == {"out_of_range"} and set(pairs.loc[~own, "state"]) == {"ok"}
    late = result.where(timepoint="month_6", statistic=["marginal_mean", "contrast"]).table
    assert set(late["state"]) == {"ok"}
    assert any("beyond the ends of the measure" in str(text) for text in result.warnings)


@pytest.mark.parametrize("audience", ["team", "stakeholder"])
def test_pages_say_that_a_mean_lies_beyond_the_scale(audience):
    released = release(compare_over_time(make_extrapolated()), audience)
    table = released.where(statistic="marginal_mean", group="y", timepoint="month_3").table
    assert table["display"].tolist() == ["beyond the ends of the measure"]
    assert "beyond the ends of the measure" in say_comparison(released).alt
    views = [draw_forest(released), draw_marginal_means(released)]
    views += [tabulate_contrasts(released), tabulate_marginal_means(released)]
    assert all(len(view.alt) > 20 for view in views)
