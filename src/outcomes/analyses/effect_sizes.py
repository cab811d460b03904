"""Effect sizes: standardised response mean, standardised effect size, Hedges g."""

from typing import Any

import numpy as np
from scipy import optimize, special

from outcomes.analyses._declaration import (
    conclude,
    explain_no_improvement,
    label_timepoint,
    list_follow_ups,
    percent,
    say,
)
from outcomes.analyses._grid import Grid, Rows, arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.analyses.comparability import check_comparability, is_followed_up
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.result import Result

__all__ = ["estimate_effect_sizes"]

#: Above so many patients the sums that a resample is made of are drawn from their normal limit.
_MOST_RESAMPLED = 1000


def estimate_effect_sizes(
    cohort: Cohort,
    *,
    by: str = "therapy",
    conf_level: float = 0.95,
    resamples: int = 2000,
    seed: int = 20261123,
) -> Result:
    """Estimate effect sizes of improvement, within groups and between each group and the reference.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of each interval, a proportion.
    resamples, seed : int
        Of the bootstrap of the standardised effect size.

    Returns
    -------
    Result
        Per group, then for ``all``, and follow-up ``srm`` (mean over standard deviation of improvement;
        noncentral t interval) and ``ses`` (mean improvement over the standard deviation at baseline of the
        same patients; bootstrap interval); per comparable follow-up and group against the reference
        ``hedges_g`` of improvement, not adjusted. All of patients seen who have a baseline score. Improvement
        not defined: no rows and a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, there is no such column, or no bootstrap can be drawn.
    """
    check_level(conf_level)
    if not all(isinstance(value, int) for value in (resamples, seed)) or resamples < 100 or seed < 0:
        raise AnalysisError("resamples is a whole number of at least 100, seed one of at least 0.")
    absent = explain_no_improvement(cohort)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, unit="sd")
    gate = check_comparability(cohort, by=by)
    for column, timepoint in () if absent else grid.follow_ups:
        amount = grid.improvement[:, column]
        for group, members in grid.members():
            held = members[~np.isnan(amount[members])]
            patients = grid.patients(held)
            place = {"group": group, "timepoint": timepoint}
            srm = estimate_standardised_mean(amount[held], len(patients), conf_level)
            start = grid.baseline[held]
            ses = bootstrap_ses(amount[held], start, grid.patient[held], conf_level, resamples, seed)
            rows.add_of(patients, statistic="srm", **place, **srm)
            rows.add_of(patients, statistic="ses", **place, **ses)
    warnings = [*gate.warnings, absent or say("effect_sizes.description")]
    for timepoint in () if absent else list_follow_ups(cohort, comparable=True):
        enough = is_followed_up(cohort, by, grid, timepoint, gate)
        if not enough:
            warnings.append(say("comparison.not_followed_up", time=label_timepoint(cohort, timepoint)))
        _add_between(rows, cohort, grid, timepoint, conf_level, enough)
    method = say("effect_sizes.method", level=percent(conf_level), resamples=resamples)
    return conclude(
        "effect_sizes", cohort, rows, method=method, warnings=warnings, comparable=gate.comparable
    )


def _add_between(
    rows: Rows, cohort: Cohort, grid: Grid, timepoint: str, conf_level: float, enough: bool
) -> None:
    if cohort.reference not in grid.groups:
        return
    amount = grid.improvement[:, grid.column(timepoint)]
    held = {name: members[~np.isnan(amount[members])] for name, members in grid.members()}
    second = held.pop(cohort.reference)
    versus = grid.patients(second)
    for name in [name for name in grid.groups if name in held]:
        patients = grid.patients(held[name])
        found = {"state": "too_few"}
        if enough:
            sizes = len(patients), len(versus)
            found = estimate_hedges_g(amount[held[name]], amount[second], *sizes, conf_level)
        place = {"group": name, "versus": cohort.reference, "timepoint": timepoint}
        rows.add_pair(patients, versus, statistic="hedges_g", **place, **found)


def estimate_standardised_mean(values: np.ndarray, n: int, conf_level: float) -> dict[str, Any]:
    """Estimate mean over standard deviation with its exact interval by the noncentral t distribution.

    The `n` distinct patients are the sample.

    >>> pre, post = np.array([42, 50, 36, 60, 44, 38, 52, 48]), np.array([30, 40, 30, 40, 36, 34, 30, 44])
    >>> round(estimate_standardised_mean((pre - post).astype(float), 8, 0.95)["estimate"], 4)
    1.5528
    """
    if n < 2:
        return {"state": "too_few"}
    sd = values.std(ddof=1)
    if not sd > 0:
        return {"state": "degenerate"}
    ratio = float(values.mean() / sd)
    low, high = bound_noncentrality(ratio * np.sqrt(n), n - 1, conf_level) / np.sqrt(n)
    return {"estimate": ratio, "df": n - 1, "conf_low": low, "conf_high": high, "state": "ok"}


def estimate_hedges_g(
    first: np.ndarray, second: np.ndarray, n: int, n_versus: int, conf_level: float
) -> dict[str, Any]:
    """Estimate Hedges g (1981, J Educ Stat 6:107, doi 10.3102/10769986006002107), first less second.

    The `n` and `n_versus` distinct patients are the samples. The noncentral t interval is corrected for bias
    as the estimate is.

    >>> first, second = np.array([12, 10, 6, 20, 8, 4, 22, 4.0]), np.array([6, 2, 8, 4, 10, 0, 5, 3.0])
    >>> round(float(estimate_hedges_g(first, second, 8, 8, 0.95)["estimate"]), 3)
    1.049
    """
    if min(n, n_versus) < 2:
        return {"state": "too_few"}
    df = n + n_versus - 2
    squares = sum(((values - values.mean()) ** 2).sum() for values in (first, second))
    pooled = np.sqrt(squares / (len(first) + len(second) - 2))
    if not pooled > 0:
        return {"state": "degenerate"}
    d = float((first.mean() - second.mean()) / pooled)
    correction = np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)
    root = np.sqrt(1 / n + 1 / n_versus)
    low, high = correction * root * bound_noncentrality(d / root, df, conf_level)
    return {"estimate": correction * d, "df": df, "conf_low": low, "conf_high": high, "state": "ok"}


def bound_noncentrality(statistic: float, df: float, conf_level: float) -> np.ndarray:
    """Return the two noncentralities under which a t statistic lies at the edges of its distribution.

    Steiger and Fouladi 1997 (in What if there were no significance tests?, Erlbaum). Missing where no root is
    found.
    """
    tail = (1 - conf_level) / 2
    lower = _find_noncentrality(statistic, df, 1 - tail, -1)
    return np.array([lower, _find_noncentrality(statistic, df, tail, 1)])


def _find_noncentrality(statistic: float, df: float, probability: float, side: int) -> float:
    """Search from the statistic outwards: far from it the distribution function cannot be evaluated."""

    def miss(shift: float) -> float:
        return side * (float(special.nctdtr(df, shift, statistic)) - probability)

    step = 1.0
    while step < 100 * (1 + abs(statistic)) and miss(statistic + side * step) > 0:
        step *= 1.5
    if not miss(statistic + side * step) <= 0:
        return np.nan
    return float(optimize.brentq(miss, statistic + side * step, statistic, xtol=1e-12))


def bootstrap_ses(
    improvement: np.ndarray,
    baseline: np.ndarray,
    patients: np.ndarray,
    conf_level: float,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Estimate mean improvement over the standard deviation at baseline, with a bootstrap interval.

    Percentile interval. Patients are resampled, each with all episodes; above a thousand patients the sums
    that a resample is made of are drawn from their joint normal limit. The same seed and records give the
    same interval, whatever the order of the records.
    """
    distinct, position = np.unique(patients, return_inverse=True)
    n = len(distinct)
    if n < 2:
        return {"state": "too_few"}
    if not np.ptp(baseline) > 0:
        return {"state": "degenerate"}
    centre = baseline.mean()
    parts = (np.ones_like(baseline), improvement, baseline - centre, (baseline - centre) ** 2)
    sums = np.column_stack([np.bincount(position, weights=part) for part in parts])
    ordered, random = sums[np.lexsort(sums.T)], np.random.default_rng(seed)
    drawn: np.ndarray
    if n <= _MOST_RESAMPLED:
        drawn = random.multinomial(n, np.full(n, 1 / n), size=resamples) @ ordered
    else:
        spread = np.cov(ordered, rowvar=False) * n
        drawn = random.multivariate_normal(ordered.sum(axis=0), spread, size=resamples, method="eigh")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = _form_ses(drawn)
    ratios = ratios[np.isfinite(ratios)]
    tail = (1 - conf_level) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail]) if len(ratios) else (np.nan, np.nan)
    estimate = float(_form_ses(sums.sum(axis=0)[None, :])[0])
    return {"estimate": estimate, "conf_low": low, "conf_high": high, "state": "ok"}


def _form_ses(sums: np.ndarray) -> np.ndarray:
    count, gained, start, squares = sums.T
    return gained / count / np.sqrt((squares - start**2 / count) / (count - 1))
