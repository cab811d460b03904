"""Adjusted comparisons find the truth of the made-up clinic, over 1,000 clinics that share it.

Patients leave and skip visits depending on earlier scores, with another rule for each therapy, so that those
seen at the end are not alike: the analysis of covariance of those seen is biased, the model of all follow-ups
nearly not (drop-out follows all measures of the visit before, seen or not, the model only those seen of one).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.over_time import compare_over_time
from outcomes.cohort import select_cohort
from outcomes.synthetic import simulate_clinic, true_effects

N_CLINICS = 1_000
N_WITH_DROP_OUT = 500
TIMEPOINT = "month_6"
FIRST_SEED = 1


@pytest.fixture(scope="module")
def truth() -> pd.Series:
    effects = true_effects(1_000_000, seed=900_001).query("subgroup == 'all'")
    both = pd.concat([effects, _turn_round(effects)])
    assert both["std_error"].max() < 0.01
    return both.set_index(["timepoint", "group", "versus"])["difference"]


def _turn_round(effects: pd.DataFrame) -> pd.DataFrame:
    turned = effects.rename(columns={"group": "versus", "versus": "group"})
    return turned.assign(difference=-turned["difference"])


def estimate(seed: int, *, drop_out: bool) -> pd.DataFrame:
    """Return the contrasts at the primary time point of one clinic by both methods, and the scores' spread.

    Those of the model of all follow-ups twice: with intervals for each by itself, and for all together.
    """
    cohort = select_cohort(simulate_clinic(seed=seed, drop_out=drop_out), primary=TIMEPOINT)
    scores = cohort.table.loc[cohort.table["timepoint"] == TIMEPOINT, "score"]
    columns = ["group", "versus", "estimate", "std_error", "df", "conf_low", "conf_high"]
    single, together = (
        result.where(statistic="contrast", timepoint=TIMEPOINT).table[columns]
        for result in (compare_at_timepoints(cohort), compare_over_time(cohort))
    )
    margin = stats.t.ppf(0.975, together["df"]) * together["std_error"]
    alone = together.assign(conf_low=together["estimate"] - margin, conf_high=together["estimate"] + margin)
    found = {"ancova": single, "over_time": alone, "together": together}
    return pd.concat([table.assign(method=name) for name, table in found.items()]).assign(
        seed=seed, sd=scores.std()
    )


def gather(truth: pd.Series, n_clinics: int, *, drop_out: bool) -> pd.DataFrame:
    found = pd.concat([estimate(FIRST_SEED + number, drop_out=drop_out) for number in range(n_clinics)])
    keys = pd.MultiIndex.from_arrays([[TIMEPOINT] * len(found), found["group"], found["versus"]])
    found["true"] = truth.loc[keys].to_numpy()
    found["error"] = found["estimate"] - found["true"]
    found["covered"] = (found["conf_low"] <= found["true"]) & (found["true"] <= found["conf_high"])
    return found


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    by = found.groupby(["method", "group", "versus"], sort=False)
    n = by["estimate"].count()
    return pd.DataFrame(
        {
            "true": by["true"].first(),
            "bias": by["error"].mean(),
            "monte_carlo_error": by["error"].std() / np.sqrt(n),
            "coverage": by["covered"].mean(),
            "n": n,
        }
    )


def print_found(found: pd.DataFrame, title: str) -> None:
    print(
        f"\n{title}, {found['seed'].nunique()} clinics, {TIMEPOINT}, SD of scores {found['sd'].mean():.2f}:"
    )
    print(summarise(found).round(4).to_string())
    print("pooled coverage:", found.groupby("method")["covered"].mean().round(4).to_dict())
    print("all six intervals of a clinic cover:", share_all_covered(found).round(4).to_dict())


def share_all_covered(found: pd.DataFrame) -> pd.Series:
    return found.groupby(["method", "seed"])["covered"].all().groupby("method").mean()


@pytest.mark.slow
def test_without_drop_out_both_comparisons_are_unbiased_and_their_intervals_cover(truth, capsys):
    found = gather(truth, N_CLINICS, drop_out=False)
    summary = summarise(found)
    with capsys.disabled():
        print_found(found, "no drop-out")
    assert (summary["n"] == N_CLINICS).all(), "some clinic gave no estimate"
    assert (summary["bias"].abs() <= 3 * summary["monte_carlo_error"]).all()
    assert (summary["bias"].abs() <= 0.02 * found["sd"].mean()).all()
    for method in ("ancova", "over_time"):
        assert 0.94 <= found.loc[found["method"] == method, "covered"].mean() <= 0.96
        assert summary.loc[method, "coverage"].between(0.93, 0.97).all()
    # 95 % less three Monte Carlo errors; Bonferroni is conservative.
    assert share_all_covered(found)["together"] >= 0.93


@pytest.mark.slow
def test_with_drop_out_the_model_of_all_follow_ups_stays_near_the_truth(truth, capsys):
    found = gather(truth, N_WITH_DROP_OUT, drop_out=True)
    summary = summarise(found)
    with capsys.disabled():
        print_found(found, "with drop-out by earlier scores")
    model, single = summary.loc["over_time"], summary.loc["ancova"]
    assert (model["n"] >= 0.99 * N_WITH_DROP_OUT).all()
    assert (model["bias"].abs() <= 0.02 * found["sd"].mean()).all()
    assert 0.93 <= found.loc[found["method"] == "over_time", "covered"].mean() <= 0.97
    assert model["bias"].abs().max() < 0.5 * single["bias"].abs().max(), "complete cases are worse"
