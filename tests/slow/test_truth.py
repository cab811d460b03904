"""The adjusted comparison finds the truth of the made-up clinic, over 1,000 clinics that share it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.cohort import select_cohort
from outcomes.synthetic import simulate_clinic, true_effects

N_CLINICS = 1_000
TIMEPOINT = "month_6"
FIRST_SEED = 1


@pytest.fixture(scope="module")
def truth() -> pd.Series:
    effects = true_effects(1_000_000, seed=900_001)
    both = pd.concat([effects, _turn_round(effects)])
    assert both["std_error"].max() < 0.01
    return both.set_index(["timepoint", "group", "versus"])["difference"]


def _turn_round(effects: pd.DataFrame) -> pd.DataFrame:
    turned = effects.rename(columns={"group": "versus", "versus": "group"})
    return turned.assign(difference=-turned["difference"])


def estimate(seed: int, *, drop_out: bool) -> pd.DataFrame:
    """Return the contrasts at the primary time point of one clinic, with the spread of its scores."""
    cohort = select_cohort(simulate_clinic(seed=seed, drop_out=drop_out), timepoints=[TIMEPOINT])
    table = compare_at_timepoints(cohort).table
    contrasts = table.loc[
        table["statistic"] == "contrast", ["group", "versus", "estimate", "conf_low", "conf_high"]
    ]
    scores = cohort.table.loc[cohort.table["timepoint"] == TIMEPOINT, "score"]
    return contrasts.assign(seed=seed, sd=scores.std())


def gather(truth: pd.Series, n_clinics: int, *, drop_out: bool) -> pd.DataFrame:
    found = pd.concat([estimate(FIRST_SEED + number, drop_out=drop_out) for number in range(n_clinics)])
    keys = pd.MultiIndex.from_arrays([[TIMEPOINT] * len(found), found["group"], found["versus"]])
    found["true"] = truth.loc[keys].to_numpy()
    found["error"] = found["estimate"] - found["true"]
    found["covered"] = (found["conf_low"] <= found["true"]) & (found["true"] <= found["conf_high"])
    return found


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    by = found.groupby(["group", "versus"], sort=False)
    n = by.size()
    return pd.DataFrame(
        {
            "true": by["true"].first(),
            "bias": by["error"].mean(),
            "monte_carlo_error": by["error"].std() / np.sqrt(n),
            "coverage": by["covered"].mean(),
            "n": n,
        }
    )


@pytest.mark.slow
def test_without_drop_out_the_comparison_is_unbiased_and_its_intervals_cover(truth, capsys):
    found = gather(truth, N_CLINICS, drop_out=False)
    summary = summarise(found)
    with capsys.disabled():
        print(f"\nno drop-out, {N_CLINICS} clinics, {TIMEPOINT}:\n{summary.round(4).to_string()}")
        print(f"pooled coverage {found['covered'].mean():.4f}, SD of scores {found['sd'].mean():.2f}")
    assert (summary["n"] == N_CLINICS).all(), "some clinic gave no estimate"
    assert (summary["bias"].abs() <= 3 * summary["monte_carlo_error"]).all()
    assert (summary["bias"].abs() <= 0.02 * found["sd"].mean()).all()
    assert 0.94 <= found["covered"].mean() <= 0.96
    assert summary["coverage"].between(0.93, 0.97).all()


@pytest.mark.slow
def test_with_drop_out_the_bias_is_printed_not_bounded(truth, capsys):
    summary = summarise(gather(truth, 200, drop_out=True))
    with capsys.disabled():
        print(f"\nwith drop-out by earlier scores, 200 clinics, {TIMEPOINT}:\n{summary.round(4).to_string()}")
    assert np.isfinite(summary["bias"]).all()
