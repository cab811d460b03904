"""The adjusted comparison of groups at each time point by itself: analysis of covariance."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from outcomes.analyses._clusters import estimate_clustered
from outcomes.analyses._comparison import Comparison, count_clusters, plan_comparison
from outcomes.analyses._covariates import Design, build_design, fit_least_squares
from outcomes.analyses._declaration import (
    conclude,
    label_timepoint,
    list_follow_ups,
    percent,
    say,
    say_set_aside,
    state_estimand,
    trace_origin,
)
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import adjust_holm, check_level, p_value_t, quantile_t
from outcomes.analyses.comparability import check_comparability, check_follow_up
from outcomes.cohort import Cohort
from outcomes.facts import read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.result import ALL, Adjustment, Result

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
        Level of each interval, a proportion; intervals are not adjusted for the number of comparisons.
    cluster : str
        ``auto``, ``therapist``, ``site``, ``patient`` or ``none``: see
        `outcomes.analyses._comparison.choose_clusters`. Clustered standard errors are CR2 with Satterthwaite
        degrees of freedom, otherwise those of least squares with residual degrees of freedom.

    Returns
    -------
    Result
        Per time point ``marginal_mean`` of each group (covariates at their means over the fitted patients),
        ``contrast`` of every pair (group - versus, in score units, p adjusted by Holm within the time point)
        and ``n_missing`` per covariate that some fitted patients lack. Missing covariates are kept by a
        level "not recorded" or the mean with an indicator. States: ``degenerate`` (one group, constant
        scores), ``too_few``, ``rank_deficient`` (groups cannot be told from covariates), ``few_clusters``.
        A measure without direction: no rows and a warning.

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
        state = "ok"
        if (
            gate.comparable
            and timepoint != cohort.primary
            and not check_follow_up(cohort, by, grid, timepoint)
        ):
            state = "too_few"
        reason = _compare(rows, plan, timepoint, state)
        if reason and len(grid.groups) > 1:
            warnings.append(say(reason, time=label_timepoint(cohort, timepoint)))
    sentence = say("ancova.method", covariates=plan.name_covariates(), level=percent(conf_level))
    adjusted = Adjustment(tuple(entry.name for entry in plan.covariates), "holm", "none")
    return conclude(
        "ancova",
        cohort,
        rows,
        method=(sentence, *plan.describe("least_squares")),
        warnings=[*warnings, *say_set_aside(cohort)],
        estimand=state_estimand(cohort, "ancova.summary", compared),
        origin=replace(trace_origin(cohort), adjustment=adjusted),
        comparable=gate.comparable,
    )


def _compare(rows: Rows, plan: Comparison, timepoint: str, state: str) -> str | None:
    """Add the rows of a time point; return what a reader must know of it, if anything."""
    grid = plan.grid
    scores = grid.score[:, grid.column(timepoint)]
    usable = ~np.isnan(scores) & grid.based
    members = {name: np.flatnonzero(usable & (grid.group == grid.groups.index(name))) for name in plan.groups}
    patients = {name: grid.patients(held) for name, held in members.items()}
    present = tuple(name for name in plan.groups if len(patients[name]) > 1)
    fitted = (
        np.sort(np.concatenate([members[name] for name in present])) if present else np.array([], dtype=int)
    )
    reason = "comparison.not_followed_up" if state != "ok" else None
    estimates: dict[Any, dict[str, Any]] = {}
    if state == "ok":
        state, estimates = _estimate(plan, scores, fitted, present)
        absent = "comparison.empty_group" if len(present) < len(plan.groups) else None
        reason = f"ancova.{state}" if state != "ok" else absent
    _add_rows(rows, plan, timepoint, patients, present, state, estimates)
    _count_missing(rows, plan, timepoint, fitted)
    return reason


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
    if plan.clustering.codes is None:
        std_error, df = fit.measure_errors(contrasts), np.full(len(keys), float(fit.df))
    else:
        clusters = plan.clustering.codes[fitted]
        if count_clusters(clusters) < read_facts("comparability")["clusters"]["at_least"]:
            return "few_clusters", {}
        std_error, df = estimate_clustered(fit.basis, fit.triangle, fit.residuals, clusters, contrasts)
    return "ok", _summarise(keys, contrasts @ fit.coefficients, std_error, df, plan)


def _summarise(
    keys: list[Any], estimates: np.ndarray, std_error: np.ndarray, df: np.ndarray, plan: Comparison
) -> dict[Any, dict[str, Any]]:
    trusted = np.ones(len(keys), dtype=bool)
    if plan.clustering.codes is not None:
        trusted = df >= read_facts("comparability")["cluster_df"]["at_least"]
    margin = quantile_t(plan.conf_level, df) * std_error
    p_values = np.where(trusted, p_value_t(estimates / std_error, df), np.nan)
    is_pair = np.array([isinstance(key, tuple) for key in keys])
    p_values[is_pair] = adjust_holm(p_values[is_pair])
    p_values[~is_pair] = np.nan
    return {
        key: {
            "estimate": estimates[i],
            "std_error": std_error[i],
            "df": df[i],
            "conf_low": estimates[i] - margin[i],
            "conf_high": estimates[i] + margin[i],
            "p_value": p_values[i],
            "state": "ok" if trusted[i] else "few_clusters",
        }
        for i, key in enumerate(keys)
    }


def _add_rows(
    rows: Rows,
    plan: Comparison,
    timepoint: str,
    patients: dict[str, np.ndarray],
    present: tuple[str, ...],
    state: str,
    estimates: dict[Any, dict[str, Any]],
) -> None:
    for name in plan.groups:
        found = estimates.get(name, {"state": state if name in present and state != "ok" else "too_few"})
        if len(plan.groups) < 2:
            found = {"state": "degenerate"}
        place = {"statistic": "marginal_mean", "group": name, "timepoint": timepoint}
        rows.add({"all": patients[name]}, **place, n=len(patients[name]), **found)
    for first, second in combinations(plan.groups, 2):
        both = first in present and second in present
        found = estimates.get((first, second), {"state": state if both and state != "ok" else "too_few"})
        sets = {"group": patients[first], "versus": patients[second]}
        place = {"statistic": "contrast", "group": first, "versus": second, "timepoint": timepoint}
        rows.add(sets, **place, n=len(patients[first]), n_versus=len(patients[second]), **found)


def _count_missing(rows: Rows, plan: Comparison, timepoint: str, fitted: np.ndarray) -> None:
    for covariate in plan.covariates:
        absent = plan.grid.patients(fitted[~covariate.recorded[fitted]])
        if len(absent):
            place = {"term": covariate.name, "group": ALL, "timepoint": timepoint}
            rows.add_count(absent, statistic="n_missing", **place)
