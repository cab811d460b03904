"""Small trials without any effect: how often the repeated-measures model finds one at the last visit.

Two therapies, 30 patients each, four visits, a third of the patients lost by the last visit at random given
the score before. Either both therapies lose those who do badly, or one loses those who do badly and the other
those who do well: then the patients left at the end are not alike, though the therapies are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from outcomes.analyses.mmrm import fit

N_TRIALS = 10_000
N_EACH = 30
LEVEL = 0.05
MEAN = 38.0 - np.array([4.0, 7.0, 9.0, 10.0])
SD = np.array([14.0, 15.0, 16.0, 17.0])
CORRELATION = np.array(
    [[1, 0.72, 0.60, 0.52], [0.72, 1, 0.74, 0.63], [0.60, 0.74, 1, 0.77], [0.52, 0.63, 0.77, 1]]
)
ROOT = np.linalg.cholesky(np.outer(SD, SD) * CORRELATION)
METHODS = ("kenward-roger-linear", "kenward-roger", "satterthwaite")
# The last visit is the reference, so that the therapy's coefficient is the contrast at it.
VISITS = ["v4", "v1", "v2", "v3"]


def draw_trial(random: np.random.Generator, opposite: bool) -> pd.DataFrame:
    n = 2 * N_EACH
    base, arm = 40 + 15 * random.standard_normal(n), np.repeat([0, 1], N_EACH)
    score = MEAN + 0.6 * (base - 40)[:, None] + random.standard_normal((n, 4)) @ ROOT.T
    sign = np.where(opposite & (arm == 1), -1, 1)
    seen = np.ones((n, 4), bool)
    for visit in range(1, 4):
        last = (score[:, visit - 1] - MEAN[visit - 1]) / 18
        leaves = random.random(n) < 1 / (1 + np.exp(2.52 - 1.5 * sign * last))
        seen[:, visit] = seen[:, visit - 1] & ~leaves
    patient, visit = np.nonzero(seen)
    visits = pd.Categorical(np.array(["v1", "v2", "v3", "v4"])[visit], categories=VISITS)
    return pd.DataFrame(
        {
            "id": patient, "visit": visits, "base": base[patient], "score": score[patient, visit],
            "therapy": pd.Categorical(np.array(["A", "B"])[arm[patient]]),
        }
    )  # fmt: skip


def compare_complete_cases(trial: pd.DataFrame) -> tuple[float, float]:
    """Return estimate and p-value of the analysis of covariance of those seen at the last visit."""
    last = trial[trial["visit"] == "v4"]
    columns = np.column_stack([np.ones(len(last)), last["base"], last["therapy"] == "B"]).astype(float)
    beta, rest, *_ = np.linalg.lstsq(columns, last["score"].to_numpy(), rcond=None)
    df = len(last) - 3
    error = np.sqrt(rest[0] / df * np.linalg.inv(columns.T @ columns)[2, 2])
    return float(beta[2]), float(2 * stats.t.sf(abs(beta[2] / error), df))


def simulate_trials(opposite: bool, n_trials: int) -> pd.DataFrame:
    """Return one row a trial: p-values of each method, estimates, share lost."""
    rows = []
    for seed in range(n_trials):
        trial = draw_trial(np.random.default_rng([20261123, int(opposite), seed]), opposite)
        found = fit("score ~ therapy*visit + base*visit", trial, subject="id", visit="visit")
        row = {"state": found.state, "lost": 1 - (trial["visit"] == "v4").sum() / (2 * N_EACH)}
        if found.state == "ok":
            for method in METHODS:
                line = found.with_inference(df=method).coefficients.set_index("term").loc["therapy[T.B]"]
                row[method] = line["p_value"]
            row |= {"estimate": line["estimate"], "z": 2 * stats.norm.sf(abs(line["statistic"]))}
        row["ancova_estimate"], row["ancova"] = compare_complete_cases(trial)
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.slow
@pytest.mark.parametrize("opposite", [False, True], ids=["same-rule", "opposite-rules"])
def test_the_default_keeps_its_level_where_complete_cases_may_not(opposite, capsys):
    found = simulate_trials(opposite, N_TRIALS)
    p_values, estimates = found[[*METHODS, "z", "ancova"]], found[["estimate", "ancova_estimate"]]
    rejected = (p_values < LEVEL).sum() / p_values.notna().sum()
    bias, error = estimates.mean(), estimates.std() / np.sqrt(estimates.count())
    with capsys.disabled():
        rule = "opposite rules" if opposite else "the same rule"
        print(f"\n{rule}: {len(found)} trials, {found['lost'].mean():.1%} lost")
        print(f"states: {found['state'].value_counts().to_dict()}")
        print("rejected, percent:", (100 * rejected).round(2).to_dict())
        print("bias:", bias.round(3).to_dict(), "Monte Carlo error:", error.round(3).to_dict())
    assert 0.28 <= found["lost"].mean() <= 0.34
    assert (found["state"] == "ok").mean() > 0.99
    assert 0.040 <= rejected["kenward-roger-linear"] <= 0.065
    assert abs(bias["estimate"]) <= 4 * error["estimate"]
    assert (abs(bias["ancova_estimate"]) > 5 * error["ancova_estimate"]) == opposite
