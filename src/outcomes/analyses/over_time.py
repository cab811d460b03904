"""The adjusted comparison of groups over all follow-ups at once: a repeated-measures model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from outcomes.analyses._comparison import Comparison, plan_comparison
from outcomes.analyses._covariates import SCORE
from outcomes.analyses._declaration import list_follow_ups, say, state_estimand, trace_provenance
from outcomes.analyses._grid import arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.analyses._model_sentences import describe_model, list_warnings
from outcomes.analyses._rows import Rows
from outcomes.analyses._visits import Visits, choose_df, fit_visits, gather_visits
from outcomes.analyses.comparability import check_comparability, check_follow_up
from outcomes.analyses.mmrm import ADJUSTMENTS, METHODS, check_choices
from outcomes.cohort import Cohort, list_patients
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.result import WITH_ESTIMATE, Result, build_result

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
    adjust: str = "holm",
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
    adjust : str
        ``holm`` (p-values by Holm, intervals by Bonferroni), ``bonferroni``, ``tukey`` or ``none``; a family
        is the contrasts at one time point.
    conf_level : float
        Level of intervals, a proportion; of contrasts that of the family.
    cluster : str
        As in `outcomes.analyses.ancova.compare_at_timepoints`.

    Returns
    -------
    Result
        Per time point ``marginal_mean`` of each group (covariates as observed among the fitted patients) and
        ``contrast`` of every pair (group - versus, in score units), ``n`` the patients seen then;
        ``n_missing`` per covariate that some fitted patients lack, kept as in ``ancova``;
        ``n_excluded_patients`` with term ``no_follow_up``: no compared follow-up was seen; for the team
        ``residual_sd`` per time point and ``residual_correlation`` (``level`` the earlier time point).
        States: ``not_converged``, ``boundary``, ``degenerate`` (one group, constant scores), ``too_few``,
        ``rank_deficient`` (groups cannot be told from covariates), ``few_clusters``. With one follow-up the
        model is an analysis of covariance, and the method sentence says so. A measure without direction: no
        rows and a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, or a column, covariate, cluster or choice is unknown.
    """
    check_level(conf_level)
    _check_choices(covariance, method, df, adjust)
    grid = arrange_grid(cohort, by)
    gate = check_comparability(cohort, by=by)
    plan = _choose_covariates(plan_comparison(cohort, grid, by, conf_level, cluster), adjust_for)
    directed = cohort.instrument.direction != "none"
    compared = list_follow_ups(cohort, comparable=True) if directed else []
    visits = gather_visits(plan, compared)
    if directed:
        visits = fit_visits(visits, plan, covariance=covariance, method=method, df=df)
    rows = Rows(outcome=cohort.outcome, term=by, unit=cohort.instrument.unit)
    enough = {
        id: not gate.comparable or id == cohort.primary or check_follow_up(cohort, by, grid, id)
        for id in compared
    }
    _add_means(rows, plan, visits, enough)
    _add_contrasts(rows, plan, visits, enough, adjust)
    if directed:
        _count_missing(rows, plan, visits)
    _add_checks(rows, plan, visits)
    warnings = [*gate.warnings, *plan.clustering.warnings]
    warnings += (
        list_warnings(cohort, plan, visits, enough, rows) if directed else [say("comparison.no_direction")]
    )
    return build_result(
        "over_time", rows.table, support=rows.support,
        patients=list_patients(cohort.records), warnings=warnings,
        method=describe_model(plan, visits, method, adjust),
        provenance=trace_provenance(cohort) | {
            "adjusted_for": [entry.name for entry in plan.covariates],
            "p_adjustment": adjust, "interval_adjustment": ADJUSTMENTS[adjust],
            "simplified": bool(visits.given_up),
        },
        estimand=state_estimand(cohort, "over_time.summary", compared), comparable=gate.comparable,
    )  # fmt: skip


def _check_choices(covariance: str, method: str, df: str, adjust: str) -> None:
    """Refuse unknown choices, whatever the cohort."""
    check_choices(covariance=covariance, method=method, df=choose_df(df, method, robust=False))
    if df not in METHODS or adjust not in ADJUSTMENTS:
        what, value, known = ("df", df, METHODS) if df not in METHODS else ("adjust", adjust, ADJUSTMENTS)
        raise AnalysisError(f"There is no {what} {value!r}; choose one of: {', '.join(known)}.")


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


def _find_state(plan: Comparison, visits: Visits, enough: bool, sizes: list[int]) -> str:
    """Return why a row has no estimate, before the model is asked."""
    if len(plan.groups) < 2:
        return "degenerate"
    if not enough or min(sizes) < 2:
        return "too_few"
    return visits.state


def _copy(found: dict[str, Any], state: str, robust: bool) -> dict[str, Any]:
    """Return the columns of an estimate that may be trusted, else its state."""
    if state not in WITH_ESTIMATE:
        return {"state": state}
    if found["state"] not in WITH_ESTIMATE:
        return {"state": found["state"]}
    if robust and not found["df"] >= read_facts("comparability")["cluster_df"]["at_least"]:
        return {"state": "few_clusters"}
    names = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value", "state")
    return {name: found[name] for name in names}


def _add_means(rows: Rows, plan: Comparison, visits: Visits, enough: dict[str, bool]) -> None:
    means = visits.tabulate_means(plan.conf_level)
    for timepoint in visits.timepoints:
        for name in plan.groups:
            patients = visits.patients[timepoint, name]
            state = _find_state(plan, visits, enough[timepoint], [len(patients)])
            found = _copy(means.get((timepoint, name), {"state": "too_few"}), state, visits.robust)
            found.pop("p_value", None)
            rows.add(
                {"all": patients},
                statistic="marginal_mean",
                group=name,
                timepoint=timepoint,
                n=len(patients),
                **found,
            )


def _add_contrasts(
    rows: Rows, plan: Comparison, visits: Visits, enough: dict[str, bool], adjust: str
) -> None:
    contrasts = visits.tabulate_contrasts(plan.conf_level, adjust)
    for timepoint in visits.timepoints:
        for first, second in combinations(plan.groups, 2):
            sets = {"group": visits.patients[timepoint, first], "versus": visits.patients[timepoint, second]}
            sizes = [len(codes) for codes in sets.values()]
            state = _find_state(plan, visits, enough[timepoint], sizes)
            found = contrasts.get((timepoint, first, second), {"state": "too_few"})
            rows.add(
                sets, statistic="contrast", group=first, versus=second, timepoint=timepoint, n=sizes[0],
                n_versus=sizes[1], **_copy(found, state, visits.robust),
            )  # fmt: skip


def _count_missing(rows: Rows, plan: Comparison, visits: Visits) -> None:
    rows.add_count(visits.without, statistic="n_excluded_patients", term="no_follow_up", group="all")
    for covariate in plan.covariates:
        absent = plan.grid.patients(visits.episodes[~covariate.recorded[visits.episodes]])
        if len(absent):
            rows.add_count(absent, statistic="n_missing", term=covariate.name, group="all")


def _add_checks(rows: Rows, plan: Comparison, visits: Visits) -> None:
    """Add the standard deviations and correlations that the model found between time points."""
    if visits.fitted is None or visits.state not in WITH_ESTIMATE:
        return
    covariance = visits.fitted.visit_covariance.to_numpy()
    sd = np.sqrt(np.diag(covariance))
    held = visits.fitted.layout.visits
    for place, timepoint in enumerate(held):
        seen = plan.grid.seen[visits.episodes, plan.grid.column(timepoint)]
        rows.add(
            {"all": plan.grid.patients(visits.episodes[seen])}, statistic="residual_sd", group="all",
            timepoint=timepoint, estimate=sd[place], n=len(plan.grid.patients(visits.episodes[seen])),
        )  # fmt: skip
        for earlier in range(place):
            both = seen & plan.grid.seen[visits.episodes, plan.grid.column(held[earlier])]
            patients = plan.grid.patients(visits.episodes[both])
            rows.add(
                {"all": patients}, statistic="residual_correlation", level=held[earlier], group="all",
                timepoint=timepoint, estimate=covariance[place, earlier] / (sd[place] * sd[earlier]),
                n=len(patients), unit="correlation",
            )  # fmt: skip
