"""The adjusted comparison of groups at each time point by itself: analysis of covariance."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from outcomes.analyses._clusters import relate_clustered
from outcomes.analyses._comparison import Comparison, count_clusters, plan_comparison
from outcomes.analyses._covariates import Design, build_design, fit_least_squares
from outcomes.analyses._declaration import (
    conclude,
    label_timepoint,
    list_follow_ups,
    say,
    say_set_aside,
    state_estimand,
    trace_origin,
)
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level, hold_to_scale, quantile_t
from outcomes.analyses._simultaneous import judge_together
from outcomes.analyses.comparability import check_comparability, is_followed_up
from outcomes.cohort import Cohort
from outcomes.facts import read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.result import ALL, ESTIMATE, Adjustment, Result

__all__ = ["compare_at_timepoints"]


@in_one_thread
def compare_at_timepoints(
    cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95, cluster: str = "auto"
) -> Result:
    """Compare groups at each comparable time point, adjusted for baseline score and covariates.

    Least squares of the score on group, baseline score and the cohort's covariates, one model a time point,
    from the patients seen then. Baseline as covariate, not change as outcome: Vickers and Altman 2001 (BMJ
    323:1123, doi 10.1136/bmj.323.7321.1123).

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of intervals, a proportion; of contrasts that of the family.
    cluster : str
        ``auto``, ``therapist``, ``site``, ``patient`` or ``none``: see
        `outcomes.analyses._comparison.choose_clusters`. Clustered standard errors are CR2 with Satterthwaite
        degrees of freedom.

    Returns
    -------
    Result
        Per time point ``marginal_mean`` of each group (covariates at their means over the fitted patients),
        ``contrast`` of every pair (group - versus, in score units; p-values and intervals by max-t, all pairs
        at the time point being one family) and ``n_missing`` per covariate that some fitted patients lack;
        these stay, by a level "not recorded" or the mean with an indicator. A mean that lies beyond the ends
        of the measure, and its differences: state ``out_of_range``. A measure without direction: no rows and
        a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, or there is no such column or cluster.
    """
    check_level(conf_level)
    grid = arrange_grid(cohort, by)
    gate = check_comparability(cohort, by=by)
    rows = Rows(outcome=cohort.outcome, term=by, unit=cohort.instrument.unit)
    plan = plan_comparison(cohort, grid, by, conf_level, cluster)
    warnings = [*gate.warnings, *plan.clustering.warnings]
    directed = cohort.instrument.direction != "none"
    warnings += [] if directed else [say("comparison.no_direction")]
    compared = list_follow_ups(cohort, comparable=True) if directed else []
    for timepoint in compared:
        enough = is_followed_up(cohort, by, grid, timepoint, gate)
        ends = (cohort.instrument.minimum, cohort.instrument.maximum)
        reason = _compare(rows, plan, timepoint, "ok" if enough else "too_few", ends)
        if reason and len(grid.groups) > 1:
            warnings.append(say(reason, time=label_timepoint(cohort, timepoint)))
    sentence = say("ancova.method", covariates=plan.name_covariates())
    adjusted = Adjustment(tuple(entry.name for entry in plan.covariates), "max-t", "max-t")
    return conclude(
        "ancova",
        cohort,
        rows,
        method=(sentence, plan.describe_family(), *plan.describe("least_squares")),
        warnings=[*warnings, *say_set_aside(cohort)],
        estimand=state_estimand(cohort, "ancova.summary", compared),
        origin=replace(trace_origin(cohort), adjustment=adjusted),
        comparable=gate.comparable,
    )


def _compare(
    rows: Rows, plan: Comparison, timepoint: str, state: str, ends: tuple[float, float]
) -> str | None:
    """Add the rows of a time point; return what a reader must know of it, if anything."""
    grid = plan.grid
    scores = grid.score[:, grid.column(timepoint)]
    usable = ~np.isnan(scores) & grid.based
    patients = {name: grid.patients(np.flatnonzero(usable & grid.is_in(name))) for name in plan.groups}
    present = tuple(name for name in plan.groups if len(patients[name]) > 1)
    fitted = np.flatnonzero(usable & np.isin(grid.group, [grid.groups.index(name) for name in present]))
    reason = "comparison.not_followed_up" if state != "ok" else None
    estimates: dict[Any, dict[str, Any]] = {}
    if state == "ok":
        state, estimates = _estimate(plan, scores, fitted, present)
        estimates, beyond = _hold_to_scale(estimates, ends)
        absent = "comparison.empty_group" if len(present) < len(plan.groups) else beyond
        reason = f"ancova.{state}" if state != "ok" else absent

    def find(key: Any, *names: str) -> dict[str, Any]:
        """Return an estimate, or why there is none."""
        missing = state if state != "ok" and set(names) <= set(present) else "too_few"
        return estimates.get(key, {"state": missing if len(plan.groups) > 1 else "degenerate"})

    for name in plan.groups:
        place = {"statistic": "marginal_mean", "group": name, "timepoint": timepoint}
        rows.add_of(patients[name], **place, **find(name, name))
    for first, second in combinations(plan.groups, 2):
        place = {"statistic": "contrast", "group": first, "versus": second, "timepoint": timepoint}
        rows.add_pair(patients[first], patients[second], **place, **find((first, second), first, second))
    for covariate in plan.covariates:
        lacking = grid.patients(fitted[~covariate.recorded[fitted]])
        if len(lacking):
            place = {"term": covariate.name, "group": ALL, "timepoint": timepoint}
            rows.add_count(lacking, statistic="n_missing", **place)
    return reason


def _hold_to_scale(
    estimates: dict[Any, dict[str, Any]], ends: tuple[float, float]
) -> tuple[dict[Any, dict[str, Any]], str | None]:
    """Withhold means beyond the ends of the scale with their differences; return a warning where any is."""
    held = {key: hold_to_scale(row, ends) for key, row in estimates.items() if isinstance(key, str)}
    beyond = {name for name, row in held.items() if row["state"] == "out_of_range"}
    for pair, row in estimates.items():
        if not isinstance(pair, str):
            held[pair] = {"state": "out_of_range"} if beyond & set(pair) else row
    return held, "ancova.out_of_range" if beyond else None


def _estimate(
    plan: Comparison, scores: np.ndarray, fitted: np.ndarray, present: tuple[str, ...]
) -> tuple[str, dict[Any, dict[str, Any]]]:
    """Fit one time point; return its state and the estimates by group and by pair of groups."""
    if len(present) < 2:
        return "degenerate" if len(plan.groups) < 2 else "too_few", {}
    if np.ptp(scores[fitted]) == 0:
        return "degenerate", {}
    design = build_design(plan.grid, plan.covariates, fitted, present)
    if design.state != "ok":
        return design.state, {}
    if len(fitted) <= design.columns.shape[1]:
        return "too_few", {}
    return _fit(plan, scores[fitted], fitted, design)


def _fit(
    plan: Comparison, scores: np.ndarray, fitted: np.ndarray, design: Design
) -> tuple[str, dict[Any, dict[str, Any]]]:
    fit = fit_least_squares(design.columns, scores)
    means = design.average_for_groups()
    pairs = list(combinations(range(len(design.groups)), 2))
    contrasts = np.vstack([means, *(means[i] - means[j] for i, j in pairs)])
    keys = [*design.groups, *((design.groups[i], design.groups[j]) for i, j in pairs)]
    if not fit.variance > 1e-20 * scores.var():
        return "degenerate", {}
    facts = read_facts("comparability")
    state = np.full(len(keys), "ok", dtype=object)
    if plan.clustering.codes is None:
        covariance, df = fit.relate(contrasts), np.full(len(keys), float(fit.df))
    else:
        clusters = plan.clustering.codes[fitted]
        if count_clusters(clusters) < facts["clusters"]["at_least"]:
            return "few_clusters", {}
        covariance, df = relate_clustered(fit.basis, fit.triangle, fit.residuals, clusters, contrasts)
        state[~(df >= facts["cluster_df"]["at_least"])] = "few_clusters"
    estimates, std_error = contrasts @ fit.coefficients, np.sqrt(np.diag(covariance))
    margin = quantile_t(plan.conf_level, df) * std_error
    low, high, p_values = estimates - margin, estimates + margin, np.full(len(keys), np.nan)
    family = len(means) + np.flatnonzero(state[len(means) :] == "ok")
    if len(family):
        of_family = covariance[np.ix_(family, family)]
        found = judge_together(estimates[family], of_family, df[family], plan.conf_level)
        p_values[family], low[family], high[family] = found
    columns = (estimates, std_error, df, low, high, p_values, state)
    rows = zip(*columns, strict=True)
    return "ok", {key: dict(zip(ESTIMATE, row, strict=True)) for key, row in zip(keys, rows, strict=True)}
