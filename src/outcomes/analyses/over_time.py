"""The adjusted comparison of groups over all follow-ups at once: a repeated-measures model."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from outcomes.analyses._comparison import (
    Comparison,
    Visits,
    choose_df,
    fit_visits,
    gather_visits,
    plan_comparison,
)
from outcomes.analyses._covariates import SCORE
from outcomes.analyses._declaration import (
    conclude,
    label_covariate,
    label_timepoint,
    list_follow_ups,
    say,
    say_set_aside,
    state_estimand,
    trace_origin,
)
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level, hold_to_scale
from outcomes.analyses.comparability import check_comparability, is_followed_up
from outcomes.analyses.mmrm import METHODS, check_choices
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Count, Listing, Text, read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.result import ALL, ESTIMATE, WITH_ESTIMATE, Adjustment, Result, Said

__all__ = ["compare_over_time"]


@in_one_thread
def compare_over_time(
    cohort: Cohort,
    *,
    by: str = "therapy",
    adjust_for: Sequence[str] | None = None,
    covariance: str = "us",
    method: str = "reml",
    df: str = "kenward-roger-linear",
    conf_level: float = 0.95,
    cluster: str = "auto",
) -> Result:
    """Compare groups at each comparable time point from all follow-ups together, adjusted for case mix.

    One model of the scores at all comparable follow-ups: group by time point, baseline score by time point,
    and the covariates, with correlated errors between time points. Every episode with any follow-up counts,
    so that it is valid where scores are missing at random given what the model holds (Mallinckrodt et al.
    2008, Drug Inf J 42:303, doi 10.1177/009286150804200402).

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    adjust_for : sequence of str, optional
        Covariates of the cohort to adjust for beside the baseline score; all where absent.
    covariance : str
        Between time points: ``us`` (free), ``adh``, ``csh``, ``ad`` or ``cs``. Where ``us`` (or ``adh``) has
        no trustworthy maximum, ``adh`` and then ``csh`` take its place, with cluster-robust (CR2) standard
        errors; the method sentence says so.
    method : str
        ``reml`` or ``ml``.
    df : str
        Degrees of freedom where standard errors are the model's: ``kenward-roger-linear``,
        ``kenward-roger``, ``satterthwaite``, ``residual`` or ``between-within``. Cluster-robust standard
        errors have those of Bell and McCaffrey.
    conf_level : float
        Level of intervals, a proportion; of contrasts that of the family.
    cluster : str
        As in `outcomes.analyses.ancova.compare_at_timepoints`.

    Returns
    -------
    Result
        Per time point ``marginal_mean`` of each group (covariates as observed among the fitted patients) and
        ``contrast`` of every pair (group - versus, in score units; p-values and intervals by max-t, all pairs
        at the time point being one family), ``n`` the patients seen then;
        ``n_missing`` per covariate that some fitted patients lack, kept as in ``ancova``;
        ``n_excluded_patients`` with term ``no_follow_up``: no compared follow-up was seen; for the team
        ``residual_sd`` per time point and ``residual_correlation`` (``level`` the earlier time point).
        A mean that lies beyond the ends of the measure, and its differences: state ``out_of_range``. A
        measure without direction: no rows and a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, or a column, covariate, cluster or choice is unknown.
    """
    check_level(conf_level)
    _check_choices(covariance, method, df)
    grid = arrange_grid(cohort, by)
    gate = check_comparability(cohort, by=by)
    plan = _choose_covariates(plan_comparison(cohort, grid, by, conf_level, cluster), adjust_for)
    directed = cohort.instrument.direction != "none"
    compared = list_follow_ups(cohort, comparable=True) if directed else []
    visits = gather_visits(plan, compared)
    if directed:
        visits = fit_visits(visits, plan, covariance=covariance, method=method, df=df)
    rows = Rows(outcome=cohort.outcome, term=by, unit=cohort.instrument.unit)
    enough = {id: is_followed_up(cohort, by, grid, id, gate) for id in compared}
    ends = (cohort.instrument.minimum, cohort.instrument.maximum)
    beyond = _add_means(rows, plan, visits, enough, ends)
    _add_contrasts(rows, plan, visits, enough, beyond)
    found = [say("comparison.no_direction")]
    if directed:
        _count_missing(rows, plan, visits)
        _add_checks(rows, plan, visits)
        found = _list_warnings(cohort, plan, visits, enough, rows)
    terms = tuple(entry.name for entry in plan.covariates)
    adjusted = Adjustment(terms, "max-t", "max-t", bool(visits.given_up))
    return conclude(
        "over_time",
        cohort,
        rows,
        method=_describe_model(plan, visits, method),
        warnings=[*gate.warnings, *plan.clustering.warnings, *found],
        estimand=state_estimand(cohort, "over_time.summary", compared),
        origin=replace(trace_origin(cohort), adjustment=adjusted),
        comparable=gate.comparable,
    )


def _check_choices(covariance: str, method: str, df: str) -> None:
    """Refuse unknown choices, whatever the cohort."""
    check_choices(covariance=covariance, method=method, df=choose_df(df, method, robust=False))
    if df not in METHODS:
        raise AnalysisError(f"There is no df {df!r}; choose one of: {', '.join(METHODS)}.")


def _choose_covariates(plan: Comparison, adjust_for: Sequence[str] | None) -> Comparison:
    if adjust_for is None:
        return plan
    known = [entry.name for entry in plan.covariates]
    unknown = [name for name in adjust_for if name not in known]
    if unknown:
        raise AnalysisError(
            f"{unknown[0]!r} is no covariate of this cohort; it has: {', '.join(known)}. "
            "Name it in select_cohort(covariates=...)."
        )
    chosen = [entry for entry in plan.covariates if entry.name in (SCORE, "site", *adjust_for)]
    return replace(plan, covariates=chosen)


def _find_state(plan: Comparison, visits: Visits, enough: bool, patients: list[np.ndarray]) -> str:
    """Return why a row has no estimate, before the model is asked."""
    if len(plan.groups) < 2:
        return "degenerate"
    return visits.state if enough and min(map(len, patients)) > 1 else "too_few"


def _copy(found: dict[str, Any], state: str, robust: bool) -> dict[str, Any]:
    """Return the columns of an estimate that may be trusted, else its state."""
    if state not in WITH_ESTIMATE:
        return {"state": state}
    if found["state"] not in WITH_ESTIMATE:
        return {"state": found["state"]}
    if robust and not found["df"] >= read_facts("comparability")["cluster_df"]["at_least"]:
        return {"state": "few_clusters"}
    return {name: found[name] for name in ESTIMATE}


def _add_means(
    rows: Rows, plan: Comparison, visits: Visits, enough: dict[str, bool], ends: tuple[float, float]
) -> set[tuple[str, str]]:
    """Add the marginal means; return the time points and groups whose mean lies beyond the scale's ends."""
    means, beyond = visits.tabulate_means(plan.conf_level), set()
    for timepoint in visits.timepoints:
        for name in plan.groups:
            patients = visits.patients[timepoint, name]
            state = _find_state(plan, visits, enough[timepoint], [patients])
            found = _copy(means.get((timepoint, name), {"state": "too_few"}), state, visits.robust)
            found.pop("p_value", None)
            found = hold_to_scale(found, ends)
            if found["state"] == "out_of_range":
                beyond.add((timepoint, name))
            place = {"statistic": "marginal_mean", "group": name, "timepoint": timepoint}
            rows.add_of(patients, **place, **found)
    return beyond


def _add_contrasts(
    rows: Rows, plan: Comparison, visits: Visits, enough: dict[str, bool], beyond: set[tuple[str, str]]
) -> None:
    """Add the differences of all pairs; one from a mean beyond the scale's ends would give that mean away."""
    contrasts = visits.tabulate_contrasts(plan.conf_level)
    for timepoint in visits.timepoints:
        for first, second in combinations(plan.groups, 2):
            left, right = (visits.patients[timepoint, name] for name in (first, second))
            state = _find_state(plan, visits, enough[timepoint], [left, right])
            if state in WITH_ESTIMATE and {(timepoint, first), (timepoint, second)} & beyond:
                state = "out_of_range"
            found = contrasts.get((timepoint, first, second), {"state": "too_few"})
            place = {"statistic": "contrast", "group": first, "versus": second, "timepoint": timepoint}
            rows.add_pair(left, right, **place, **_copy(found, state, visits.robust))


def _count_missing(rows: Rows, plan: Comparison, visits: Visits) -> None:
    rows.add_count(visits.without, statistic="n_excluded_patients", term="no_follow_up", group=ALL)
    for covariate in plan.covariates:
        absent = plan.grid.patients(visits.episodes[~covariate.recorded[visits.episodes]])
        if len(absent):
            rows.add_count(absent, statistic="n_missing", term=covariate.name, group=ALL)


def _add_checks(rows: Rows, plan: Comparison, visits: Visits) -> None:
    """Add the standard deviations and correlations that the model found between time points."""
    if visits.fitted is None or visits.state not in WITH_ESTIMATE:
        return
    covariance = visits.fitted.visit_covariance.to_numpy()
    sd = np.sqrt(np.diag(covariance))
    held = visits.fitted.layout.visits
    for place, timepoint in enumerate(held):
        seen = plan.grid.seen[visits.episodes, plan.grid.column(timepoint)]
        patients = plan.grid.patients(visits.episodes[seen])
        shared = {"group": ALL, "timepoint": timepoint}
        rows.add_of(patients, statistic="residual_sd", **shared, estimate=sd[place])
        for earlier in range(place):
            both = seen & plan.grid.seen[visits.episodes, plan.grid.column(held[earlier])]
            patients = plan.grid.patients(visits.episodes[both])
            correlation = covariance[place, earlier] / (sd[place] * sd[earlier])
            named = {"level": held[earlier], "unit": "correlation", **shared}
            rows.add_of(patients, statistic="residual_correlation", **named, estimate=correlation)


def _list_warnings(
    cohort: Cohort, plan: Comparison, visits: Visits, enough: dict[str, bool], rows: Rows
) -> list[Text]:
    """Return what a reader must know: time points set aside, states, what the model left out."""
    found = say_set_aside(cohort)
    if len(plan.groups) < 2:
        return found
    if visits.state != "ok":
        found.append(say(f"over_time.{visits.state}"))
    if visits.n_absent:
        found.append(say("over_time.repeated_columns", count=Count(visits.n_absent)))
    for timepoint in visits.timepoints:
        time = label_timepoint(cohort, timepoint)
        contrasts = [row for row in rows.table if row["statistic"] == "contrast"]
        states = {row.get("state") for row in contrasts if row["timepoint"] == timepoint}
        if not enough[timepoint]:
            found.append(say("comparison.not_followed_up", time=time))
        elif min(len(visits.patients[timepoint, name]) for name in plan.groups) < 2:
            found.append(say("comparison.empty_group", time=time))
        if "rank_deficient" in states:
            found.append(say("over_time.rank_deficient", time=time))
        if "out_of_range" in states:
            found.append(say("over_time.out_of_range", time=time))
        if "few_clusters" in states and visits.state == "ok":
            found.append(say("over_time.few_clusters"))
    return list(dict.fromkeys(found))


def _describe_model(plan: Comparison, visits: Visits, method: str) -> Said:
    """Return the method sentences: model, covariance, margins, adjustment, errors, missing covariates."""
    if not visits.timepoints:
        return say("comparison.no_direction")
    likelihood = say(f"over_time.{method}")
    parts = [_describe_terms(plan, visits, likelihood), say("over_time.margins")]
    if visits.fitted is None:
        return tuple(parts)
    parts.append(plan.describe_family())
    if visits.given_up:
        gone = tuple(say(f"over_time.covariance_{name}") for name in visits.given_up)
        parts.append(say("over_time.ladder", given_up=Listing(gone)))
    parts.append(say(f"clusters.by_{plan.clustering.unit}"))
    parts.append(say("clusters.robust" if visits.robust else f"over_time.df_{visits.df}".replace("-", "_")))
    if plan.clustering.site_effect:
        parts.append(say("clusters.site_effect"))
    return (*parts, say("clusters.missing"))


def _describe_terms(plan: Comparison, visits: Visits, likelihood: Text) -> Text:
    """Say which model it is; with one follow-up nothing is repeated."""
    names = [label_covariate(entry.name) for entry in plan.covariates if entry.name != SCORE]
    based = len(names) < len(plan.covariates)
    if len(visits.timepoints) == 1:
        start = [label_covariate(SCORE)] if based else []
        terms = Listing((say("over_time.group"), *start, *names))
        return say("over_time.method_one", method=likelihood, terms=terms)
    start = [say("over_time.term_baseline")] if based else []
    return say(
        "over_time.method",
        method=likelihood,
        terms=Listing((say("over_time.term_group"), *start, *names)),
        covariance=say(f"over_time.covariance_{visits.covariance}"),
        based=say(f"over_time.{'with' if based else 'without'}_baseline"),
    )
