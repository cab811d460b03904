"""Responder shares that can be compared: what each therapy's share would be if all had received it."""

from typing import Any

import numpy as np
from scipy import special

from outcomes.analyses._clusters import estimate_clustered
from outcomes.analyses._comparison import Comparison, count_clusters, plan_comparison
from outcomes.analyses._covariates import Design, build_design, fit_logistic
from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    label_timepoint,
    percent,
    say,
    state_estimand,
)
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level, quantile_t
from outcomes.analyses._thresholds import choose_threshold, describe_threshold, mark_improved
from outcomes.analyses.comparability import check_comparability
from outcomes.cohort import Cohort
from outcomes.facts import read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.result import Result

__all__ = ["standardise_responders"]

#: Log odds beyond which a fitted chance is 0 or 1 in all but name: something recorded decides the outcome
#: alone, and estimates depend on when the iterations stop (Albert and Anderson 1984, doi
#: 10.1093/biomet/71.1.1). A rare category may do so without touching the shares; more patients may not.
_DECIDED = 12.0
_DECIDED_SHARE = 0.05
#: A patient's fitted chance is at least so far from 0 and 1, so that its weight is a number.
_LEAST_CHANCE = 1e-12
_ESTIMATE = ("estimate", "std_error", "df", "conf_low", "conf_high")


@in_one_thread
def standardise_responders(
    cohort: Cohort,
    *,
    by: str = "therapy",
    conf_level: float = 0.95,
    threshold: str | None = None,
    timepoint: str | None = None,
    cluster: str = "auto",
) -> Result:
    """Standardise each group's share of responders to the whole cohort.

    A logistic regression of reaching the threshold on group, baseline score and covariates among the
    patients seen predicts, for every episode of the cohort with a baseline score, the chance under each
    group; its mean is the share (g-computation: Snowden, Rose and Mortimer 2011, Am J Epidemiol 173:731, doi
    10.1093/aje/kwq472).

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the delta-method interval, made on the logit scale; the cohort's covariates count as fixed.
    threshold : str, optional
        Id or rule as in `outcomes.analyses.responders.count_responders`; by default that of the source, else
        the instrument's default.
    timepoint : str, optional
        Id of a comparable follow-up; the primary one where absent.
    cluster : str
        As in `outcomes.analyses.ancova.compare_at_timepoints`, errors and degrees of freedom included.

    Returns
    -------
    Result
        ``share_improved_standardised`` (of a state ``share_in_state_standardised``) per group (proportion;
        ``level`` the threshold, ``x`` its value;
        ``n`` the patients of the group who were seen). No row where no threshold is named and the instrument
        has no verified one.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion; when there is no such threshold, follow-up, column or cluster.
    """
    check_level(conf_level)
    directed = cohort.instrument.direction != "none"
    chosen = choose_threshold(cohort, threshold) if directed else None
    if chosen is None:
        key = "responders.none" if directed else "change.no_direction"
        nobody = say(key, instrument=cohort.instrument.called_short)
        return conclude("standardised", cohort, Rows(), method=nobody)
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort, by)
    gate = check_comparability(cohort, by=by, timepoint=timepoint)
    plan = plan_comparison(cohort, grid, by, conf_level, cluster)
    column = grid.column(timepoint)
    improved, _, defined = (mark[:, column] for mark in mark_improved(cohort, grid, chosen))
    members = {name: np.flatnonzero(defined & grid.based & grid.is_in(name)) for name in plan.groups}
    state, shares = _estimate(plan, members, improved)
    name = "share_in_state" if chosen.rule == "state" else "share_improved"
    rows = Rows(outcome=cohort.outcome, statistic=f"{name}_standardised", unit="proportion")
    for name, held in members.items():
        sets = grid.split(held, improved[held])
        place = {"level": chosen.id, "x": chosen.value, "group": name, "timepoint": timepoint}
        rows.add(sets, **place, n=len(sets["all"]), **shares.get(name, {"state": state}))
    time = label_timepoint(cohort, timepoint)
    reasons = [say(f"standardised.{state}", time=time)] if state != "ok" and len(grid.groups) > 1 else []
    sentence = say(
        "standardised.method",
        rule=describe_threshold(cohort, chosen),
        time=time,
        covariates=plan.name_covariates(),
        level=percent(conf_level),
    )
    return conclude(
        "standardised",
        cohort,
        rows,
        method=(sentence, *plan.describe("likelihood")),
        warnings=[*gate.warnings, *plan.clustering.warnings, *reasons],
        estimand=state_estimand(cohort, "standardised.summary", [timepoint]),
        comparable=gate.comparable,
    )


def _estimate(
    plan: Comparison, members: dict[str, np.ndarray], improved: np.ndarray
) -> tuple[str, dict[str, dict[str, Any]]]:
    if len(plan.groups) < 2:
        return "degenerate", {}
    if min(len(plan.grid.patients(held)) for held in members.values()) < 2:
        return "too_few", {}
    if any(improved[held].all() or not improved[held].any() for held in members.values()):
        return "separated", {}
    fitted = np.sort(np.concatenate(list(members.values())))
    whole = np.flatnonzero(plan.grid.based)
    design = build_design(plan.grid, plan.covariates, fitted, plan.groups, whole)
    if design.state != "ok":
        return design.state, {}
    if len(fitted) <= design.columns.shape[1]:
        return "too_few", {}
    return _fit(plan, design, improved[fitted].astype("float64"), fitted)


def _fit(
    plan: Comparison, design: Design, outcome: np.ndarray, fitted: np.ndarray
) -> tuple[str, dict[str, dict[str, Any]]]:
    clusters = None if plan.clustering.codes is None else plan.clustering.codes[fitted]
    facts = read_facts("comparability")
    if clusters is not None and count_clusters(clusters) < facts["clusters"]["at_least"]:
        return "few_clusters", {}
    fit = fit_logistic(design.columns, outcome)
    if fit is None:
        return "separated", {}
    decided = np.abs(design.columns @ np.asarray(fit.params)) > _DECIDED
    if decided.mean() > _DECIDED_SHARE:
        return "separated", {}
    if not fit.converged:
        return "not_converged", {}
    share, gradients = _predict_shares(design, np.asarray(fit.params))
    std_error, df = _measure_errors(design.columns, outcome, fit, clusters, gradients)
    if clusters is not None and not (df >= facts["cluster_df"]["at_least"]).all():
        return "few_clusters", {}
    normal = special.ndtri((1 + plan.conf_level) / 2)
    quantile = normal if clusters is None else quantile_t(plan.conf_level, df)
    centre, margin = special.logit(share), quantile * std_error / (share * (1 - share))
    columns = (share, std_error, df, special.expit(centre - margin), special.expit(centre + margin))
    found = zip(design.groups, *columns, strict=True)
    return "ok", {name: dict(zip(_ESTIMATE, row, strict=True)) for name, *row in found}


def _predict_shares(design: Design, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return per group the mean chance of all, shape (k,), and its gradient in the coefficients, (k, p)."""
    shares, gradients = [], []
    for number in range(len(design.groups)):
        columns = design.place_in(number)
        chance = special.expit(columns @ params)
        shares.append(chance.mean())
        gradients.append((chance * (1 - chance)) @ columns / len(columns))
    return np.array(shares), np.array(gradients)


def _measure_errors(
    columns: np.ndarray, outcome: np.ndarray, fit: Any, clusters: np.ndarray | None, gradients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors and degrees of freedom, the latter not a number without clusters; shapes (k,).

    The last step of the regression is a weighted least-squares fit; CR2 takes its weights as working model.
    """
    if clusters is None:
        variance = np.einsum("kp,pq,kq->k", gradients, np.asarray(fit.cov_params()), gradients)
        return np.sqrt(variance), np.full(len(gradients), np.nan)
    chance = np.clip(fit.fittedvalues, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
    root = np.sqrt(chance * (1 - chance))
    basis, triangle = np.linalg.qr(columns * root[:, None])
    return estimate_clustered(basis, triangle, (outcome - chance) / root, clusters, gradients)
