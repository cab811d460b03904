"""Checks of the repeated-measures model behind a comparison: its fit, residuals, and other choices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from outcomes.analyses._comparison import Comparison, plan_comparison
from outcomes.analyses._declaration import conclude, list_follow_ups, percent, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.analyses._residual_bins import add_bins, add_shapes, add_spreads, list_residuals
from outcomes.analyses._visits import LADDER, Visits, fit_alternative, fit_visits, gather_visits
from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.mmrm import MmrmFit
from outcomes.analyses.over_time import compare_over_time
from outcomes.cohort import Cohort
from outcomes.machine.threads import in_one_thread
from outcomes.result import ALL, WITH_ESTIMATE, Result

__all__ = ["check_model"]

#: Models beside the reported one, as options of `fit`; the first is asked for other errors too.
_MODELS: dict[str, dict[str, Any]] = {
    **{name: {"covariance": name} for name in (*LADDER, "cs")},
    "by_group": {"group": "group"},
}
_ERRORS = {
    "kenward-roger": {"df": "kenward-roger"},
    "satterthwaite": {"df": "satterthwaite"},
    "robust": {"vcov": "CR2"},
}
#: Columns of an estimate.
_ESTIMATE = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "state")


@in_one_thread
def check_model(
    cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95, cluster: str = "auto"
) -> Result:
    """Check the model of `outcomes.analyses.over_time.compare_over_time`, for the team.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of each interval, a proportion; nothing is adjusted for the number of comparisons here.
    cluster : str
        As in `outcomes.analyses.ancova.compare_at_timepoints`.

    Returns
    -------
    Result
        All rows are aggregates; none is released to stakeholders.

        - ``model`` with ``level`` what was used or found for each ``term``: ``state``, ``covariance``,
          ``given_up`` (covariances without a trustworthy maximum), ``errors`` (``model``, or the unit of
          cluster-robust ones), ``df`` (estimate 1); and for ``patients`` and ``rows`` their number.
        - ``visit_pattern`` (``level`` the time points seen, joined by ``+``): patients with that pattern.
        - ``n_parameters, deviance, aic, bic`` per covariance (``level``), by restricted likelihood.
        - ``f_test`` per time point (whether groups differ at all), and with ``level`` ``interaction`` whether
          their differences change between time points: F, ``x`` and ``df`` its degrees of freedom.
        - ``alternative_contrast`` of every pair at the primary time point under other choices (``level``):
          ``reported``, covariances, one covariance per group, other degrees of freedom, cluster-robust
          errors, and ``complete_cases`` (analysis of covariance of those seen).
        - ``residual_sd`` and ``residual_correlation`` (``level`` the earlier time point) of the model, beside
          ``observed_residual_sd`` (also per group) and ``observed_residual_correlation``.
        - ``standardised_sd, standardised_skewness, standardised_beyond`` per time point.
        - ``mean_residual`` (normalised) in bins of at least so many patients as ``facts/model_checks.toml``
          says, by ``level``: ``ranked`` (``x`` what the normal distribution has there), ``fitted`` (``x`` the
          fitted mean) and ``baseline`` (``x`` the baseline score).

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, or there is no such column or cluster.
    """
    check_level(conf_level)
    reported = compare_over_time(cohort, by=by, conf_level=conf_level, cluster=cluster, adjust="none")
    grid = arrange_grid(cohort, by)
    plan = plan_comparison(cohort, grid, by, conf_level, cluster)
    rows = Rows(outcome=cohort.outcome, term=by, unit=cohort.instrument.unit)
    visits = gather_visits(plan, list_follow_ups(cohort, comparable=True))
    if cohort.instrument.direction != "none" and len(plan.groups) > 1:
        visits = fit_visits(visits, plan, covariance="us", method="reml", df="kenward-roger-linear")
        _describe_model(rows, plan, visits)
        _count_patterns(rows, plan, visits)
        _add_sensitivity(rows, cohort, plan, visits, reported)
        if visits.fitted is not None and visits.state in WITH_ESTIMATE:
            _add_tests(rows, plan, visits, visits.fitted)
            residuals = list_residuals(visits)
            add_spreads(rows, plan, visits, residuals)
            add_shapes(rows, plan, visits, residuals)
            add_bins(rows, plan, residuals)
    return conclude(
        "model_checks",
        cohort,
        rows,
        method=(reported.method, say("model_checks.method", level=percent(conf_level))),
        warnings=reported.warnings,
        estimand=reported.estimand,
        origin=reported.origin,
        comparable=reported.comparable,
    )


def _describe_model(rows: Rows, plan: Comparison, visits: Visits) -> None:
    """Say what was used in the end, and whether it can be trusted."""
    unit = "episode" if plan.clustering.unit == "none" else plan.clustering.unit
    said = {
        "state": visits.state,
        "covariance": visits.covariance,
        "given_up": "+".join(visits.given_up),
        "errors": unit if visits.robust else "model",
        "df": "bell-mccaffrey" if visits.robust else visits.df,
    }
    patients = plan.grid.patients(visits.episodes)
    place = {"statistic": "model", "group": ALL, "n": len(patients)}
    for term, level in said.items():
        if level:
            rows.add({"all": patients}, **place, term=term, level=level, estimate=1.0, unit="")
    for term, number in (("patients", len(patients)), ("rows", len(visits.table))):
        rows.add({"all": patients}, **place, term=term, estimate=number, unit=term)


def _count_patterns(rows: Rows, plan: Comparison, visits: Visits) -> None:
    """Count the patients of each pattern of follow-ups, those with none included."""
    seen = plan.grid.seen[:, [plan.grid.column(id) for id in visits.timepoints]] & plan.grid.based[:, None]
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        patients = plan.grid.patients(np.flatnonzero(which.ravel() == number))
        level = "+".join(id for id, there in zip(visits.timepoints, pattern, strict=True) if there)
        place = {"term": "pattern", "level": level or "none", "group": ALL}
        rows.add_count(patients, statistic="visit_pattern", **place)


def _add_sensitivity(rows: Rows, cohort: Cohort, plan: Comparison, visits: Visits, reported: Result) -> None:
    """Add criteria of each covariance, and the contrasts at the primary time point under each choice."""
    _copy_contrasts(rows, reported, cohort.primary, "reported")
    patients = plan.grid.patients(visits.episodes)
    for name, fitted in _fit_alternatives(visits):
        place = {"term": "covariance", "level": name, "group": ALL, "unit": "", "n": len(patients)}
        for statistic in ("n_parameters", "deviance", "aic", "bic") if name in _MODELS else ():
            value = float(getattr(fitted, statistic))
            rows.add({"all": patients}, statistic=statistic, **place, estimate=value, state=fitted.state)
        _add_alternative(rows, cohort, plan, visits, name, fitted)
    single = compare_at_timepoints(
        cohort, by=str(rows.shared["term"]), conf_level=plan.conf_level, cluster=plan.clustering.unit
    )
    _copy_contrasts(rows, single, cohort.primary, "complete_cases")


def _fit_alternatives(visits: Visits) -> Iterator[tuple[str, MmrmFit]]:
    """Yield each choice with its model; with one follow-up the covariances are all the same."""
    if not len(visits.table) or visits.state in ("too_few", "degenerate"):
        return
    first, *others = _MODELS
    free = fit_alternative(visits, **_MODELS[first])
    yield first, free
    for name in others if len(visits.timepoints) > 1 else ["by_group"]:
        yield name, fit_alternative(visits, **_MODELS[name])
    for name, options in _ERRORS.items():
        yield name, free.with_inference(**options)


def _add_alternative(
    rows: Rows, cohort: Cohort, plan: Comparison, visits: Visits, name: str, fitted: MmrmFit
) -> None:
    found: dict[Any, Any] = {}
    if fitted.state in WITH_ESTIMATE:
        table = fitted.contrasts(
            "group", weights="observed", over="patients", conf_level=plan.conf_level, adjust="none"
        )
        found = {(row["visit"], row["group"], row["versus"]): row for row in table.to_dict("records")}
    for first, second in combinations(plan.groups, 2):
        # a therapy that nobody attended then is no part of the model
        state = "too_few" if fitted.state in WITH_ESTIMATE else fitted.state
        row = found.get((cohort.primary, first, second), {"state": state})
        sets = {
            "group": visits.patients[cohort.primary, first],
            "versus": visits.patients[cohort.primary, second],
        }
        sizes = {"n": len(sets["group"]), "n_versus": len(sets["versus"])}
        place = {"level": name, "group": first, "versus": second, "timepoint": cohort.primary}
        columns = {column: row[column] for column in _ESTIMATE if column in row}
        rows.add(sets, statistic="alternative_contrast", **place, **sizes, **columns)


def _copy_contrasts(rows: Rows, result: Result, timepoint: str, level: str) -> None:
    held = result.where(statistic="contrast", timepoint=timepoint)
    for row, sets in zip(held.table.to_dict("records"), held.support, strict=True):
        columns = {name: row[name] for name in ("group", "versus", "n", "n_versus", *_ESTIMATE)}
        columns |= {"level": level, "timepoint": timepoint}
        rows.add(sets, statistic="alternative_contrast", **columns)


def _add_tests(rows: Rows, plan: Comparison, visits: Visits, fitted: MmrmFit) -> None:
    """Add joint tests: whether groups differ at each time point, and whether differences change."""
    table = fitted.joint_tests("group", weights="observed", over="patients")
    patients = plan.grid.patients(visits.episodes)
    for row in table.to_dict("records"):
        place = {"level": "interaction"} if row["visit"] == "interaction" else {"timepoint": row["visit"]}
        known = np.isfinite(row["p_value"])
        columns = {
            "estimate": row["statistic"],
            "x": row["num_df"],
            "df": row["den_df"],
            "p_value": row["p_value"],
            "state": "ok" if known else "rank_deficient",
        }
        shared = {"statistic": "f_test", "group": ALL, "n": len(patients), "unit": ""}
        rows.add({"all": patients}, **shared, **place, **columns)
