"""The few who were not seen again: a pocket calculator gives of their start no more than the mean of all.

Mean score at a visit plus mean improvement is the mean start of those whose numbers these are. Were they of
those seen, the start of all would give that of the few others; of all who began they give the start of all.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from handmade import FUNCTION, PERCENT, assemble_cohort
from outcomes.analyses import summarise_change
from outcomes.disclosure import release

N_GROUPS = 60


def build_group(rng, instrument):
    """Return a cohort of one group of which 1 to 10 were not seen again, and these few's mean start."""
    n, few = int(rng.integers(30, 90)), int(rng.integers(1, 11))
    high = instrument.maximum
    start = np.clip(rng.normal(0.5, 0.15, n), 0.05, 0.95) * high
    later = np.clip(start * rng.uniform(0.3, 0.8) + rng.normal(0, 0.08, n) * high + 0.1 * high, 0, high)
    gone = np.argsort(start * rng.choice([-1, 1]) + rng.normal(0, 0.2 * high, n))[:few]
    cells = later.round().astype(object)
    cells[gone] = "lost"
    wide = pd.DataFrame({"patient": range(n), "therapy": "x", "baseline": start.round(), "month_6": cells})
    return assemble_cohort(wide, instrument=instrument), n, few, float(start.round()[gone].mean())


def solve(numbers, n, few, sign, names):
    """Return the mean start of the few, were later score and improvement of those seen."""
    start, later, gain = (float(numbers[name]) for name in names)
    return (n * start - (n - few) * (later - sign * gain)) / few


@pytest.mark.parametrize("instrument", [PERCENT, FUNCTION], ids=["lower is better", "higher is better"])
def test_a_pocket_calculator_gives_the_mean_of_all_and_no_more(instrument):
    """Whoever is told the exact numbers of patients is left with the guess that the few are like all."""
    rng, errors = np.random.default_rng(14), []
    for _ in range(N_GROUPS):
        cohort, n, few, truth = build_group(rng, instrument)
        result = summarise_change(cohort)
        names = ("mean_score", "mean_expected", "mean_improvement")
        table = release(result).table
        assert not set(table["statistic"]) - {*names}
        shown = table[(table["group"] == "x") & table["shown"]].set_index("statistic")["estimate"]
        if len(shown) < 3:
            continue
        solved = solve(shown, n, few, instrument.sign, names)
        assert solved == pytest.approx(shown["mean_score"], abs=1e-6), "as written the three agree"
        team = result.where(group="x").table.set_index("statistic")["estimate"].astype(float)
        seen = ("mean_score", "mean_score_seen", "mean_improvement_seen")
        errors.append(
            (solved - truth, shown["mean_score"] - truth, solve(team, n, few, instrument.sign, seen) - truth)
        )
    tried, guessed, known = np.sqrt(np.mean(np.square(errors), axis=0))
    assert len(errors) > 0.9 * N_GROUPS
    assert tried >= 0.99 * guessed, "no better than guessing the mean of all"
    assert known < 1e-6 * guessed, "numbers of those seen, which only the team has, would give it exactly"


def test_intervals_do_not_give_the_few_either():
    """Least squares of the few's start on all that is shown, learnt from half of the groups."""
    rng, rows = np.random.default_rng(15), []
    for _ in range(N_GROUPS):
        cohort, n, few, truth = build_group(rng, PERCENT)
        table = release(summarise_change(cohort)).table
        shown = table[(table["group"] == "x") & table["shown"]].set_index("statistic")
        if len(shown) == 3:
            width = (shown["conf_high"] - shown["conf_low"]).to_numpy()
            told = [*shown["estimate"], *width, *np.square(width), n, few]
            rows.append((truth - shown.at["mean_score", "estimate"], *told))
    found = np.array(rows)
    learnt, tried = found[::2], found[1::2]
    design = [np.column_stack([np.ones(len(half)), half[:, 1:]]) for half in (learnt, tried)]
    slopes = np.linalg.lstsq(design[0], learnt[:, 0], rcond=None)[0]
    left = np.sqrt(np.mean((tried[:, 0] - design[1] @ slopes) ** 2))
    assert left > 0.9 * np.sqrt(np.mean(tried[:, 0] ** 2)), "hardly better than the mean of all"
