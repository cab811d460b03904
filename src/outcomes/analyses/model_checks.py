"""Checks of the repeated-measures model behind a comparison: its fit, residuals, and other choices."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy import special, stats

from outcomes.analyses._clusters import estimate_clustered_mean
from outcomes.analyses._comparison import (
    LADDER,
    Comparison,
    Visits,
    fit_alternative,
    fit_visits,
    gather_visits,
    plan_comparison,
)
from outcomes.analyses._declaration import conclude, list_follow_ups, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level, quantile_t
from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.mmrm import MmrmFit
from outcomes.analyses.over_time import compare_over_time
from outcomes.cohort import Cohort
from outcomes.facts import read_facts
from outcomes.machine.threads import in_one_thread
from outcomes.result import ALL, ESTIMATE, WITH_ESTIMATE, Result

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
          cluster-robust ones), ``df``; and for ``patients`` and ``rows`` their number.
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
    reported = compare_over_time(cohort, by=by, conf_level=conf_level, cluster=cluster)
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
        method=(reported.method, say("model_checks.method")),
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
    patients, place = plan.grid.patients(visits.episodes), {"statistic": "model", "group": ALL}
    for term, level in said.items():
        if level:
            rows.add_of(patients, **place, term=term, level=level, estimate=1.0, unit="")
    for term, number in (("patients", len(patients)), ("rows", len(visits.table))):
        rows.add_of(patients, **place, term=term, estimate=number, unit=term)


def _count_patterns(rows: Rows, plan: Comparison, visits: Visits) -> None:
    """Count the patients of each pattern of follow-ups, those with none included."""
    seen = plan.grid.seen[:, [plan.grid.column(id) for id in visits.timepoints]] & plan.grid.based[:, None]
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        patients = plan.grid.patients(np.flatnonzero(which.ravel() == number))
        level = "+".join(np.array(visits.timepoints)[pattern]) or "none"
        rows.add_count(patients, statistic="visit_pattern", term="pattern", level=level, group=ALL)


def _add_sensitivity(rows: Rows, cohort: Cohort, plan: Comparison, visits: Visits, reported: Result) -> None:
    """Add criteria of each covariance, and the contrasts at the primary time point under each choice."""
    _copy_contrasts(rows, reported, cohort.primary, "reported")
    patients = plan.grid.patients(visits.episodes)
    for name, fitted in _fit_alternatives(visits):
        place = {"term": "covariance", "level": name, "group": ALL, "unit": "", "state": fitted.state}
        for statistic in ("n_parameters", "deviance", "aic", "bic") if name in _MODELS else ():
            rows.add_of(patients, statistic=statistic, **place, estimate=float(getattr(fitted, statistic)))
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
    known, timepoint = fitted.state in WITH_ESTIMATE, cohort.primary
    found = replace(visits, fitted=fitted if known else None).tabulate_contrasts(plan.conf_level)
    for first, second in combinations(plan.groups, 2):
        # a therapy that nobody attended then is no part of the model
        nothing = {"state": "too_few" if known else fitted.state}
        row = found.get((timepoint, first, second), nothing)
        left, right = (visits.patients[timepoint, group] for group in (first, second))
        place = {"level": name, "group": first, "versus": second, "timepoint": timepoint}
        columns = {column: row[column] for column in ESTIMATE if column in row}
        rows.add_pair(left, right, statistic="alternative_contrast", **place, **columns)


def _copy_contrasts(rows: Rows, result: Result, timepoint: str, level: str) -> None:
    held = result.where(statistic="contrast", timepoint=timepoint)
    for row, sets in zip(held.table.to_dict("records"), held.support, strict=True):
        columns = {name: row[name] for name in ("group", "versus", "n", "n_versus", *ESTIMATE)}
        columns |= {"level": level, "timepoint": timepoint}
        rows.add(sets, statistic="alternative_contrast", **columns)


def _add_tests(rows: Rows, plan: Comparison, visits: Visits, fitted: MmrmFit) -> None:
    """Add joint tests: whether groups differ at each time point, and whether differences change."""
    table = fitted.joint_tests("group", weights="observed", over="patients")
    patients = plan.grid.patients(visits.episodes)
    for row in table.to_dict("records"):
        place = {"level": "interaction"} if row["visit"] == "interaction" else {"timepoint": row["visit"]}
        columns = {"estimate": row["statistic"], "x": row["num_df"], "df": row["den_df"]}
        columns |= {"p_value": row["p_value"]}
        state = "ok" if np.isfinite(row["p_value"]) else "rank_deficient"
        rows.add_of(patients, statistic="f_test", group=ALL, unit="", **place, **columns, state=state)


@dataclass(frozen=True)
class Residuals:
    """Residuals of the N fitted visits."""

    #: Position in the grid, and number of the time point among those compared.
    episode: np.ndarray
    visit: np.ndarray
    #: In score units.
    fitted: np.ndarray
    residual: np.ndarray
    #: Over its standard deviation; by the Cholesky factor of the covariance of the patient's visits.
    standardised: np.ndarray
    normalised: np.ndarray


def list_residuals(visits: Visits) -> Residuals:
    """Return the residuals of a fitted comparison."""
    assert visits.fitted is not None
    table = visits.fitted.residuals()
    places = [visits.timepoints.index(str(visit)) for visit in visits.fitted.layout.visits]
    values = (table[name].to_numpy() for name in ("fitted", "residual", "standardised", "normalised"))
    visit = np.array(places)[table["visit"].cat.codes]
    return Residuals(table["episode"].to_numpy("int64"), visit, *values)


def add_bins(rows: Rows, plan: Comparison, residuals: Residuals) -> None:
    """Add mean normalised residuals: beside the normal distribution, along fitted mean and baseline score.

    Normalised ones, because where patients leave after bad scores the others' plain residuals are not 0 on
    average though the model holds.
    """
    facts, values = read_facts("model_checks")["bins"], residuals.normalised
    patient = plan.grid.patient[residuals.episode]
    expected = special.ndtri((stats.rankdata(values, method="ordinal") - 0.5) / len(values))
    along = {"ranked": expected, "fitted": residuals.fitted}
    if plan.grid.has_baseline:
        along["baseline"] = plan.grid.baseline[residuals.episode]
    for level, x in along.items():
        for held in _cut(x, patient, facts["at_most" if level == "ranked" else "at_most_along"]):
            columns = {
                "x": round(float(x[held].mean()), 12) + 0.0,  # no dust, and no minus
                "estimate": float(values[held].mean()),
                "unit": "sd",
            }
            if level != "ranked":
                columns |= _find_interval(values[held], patient[held], plan.conf_level)
            place = {"term": "residual", "level": level, "group": ALL}
            rows.add_of(np.unique(patient[held]), statistic="mean_residual", **place, **columns)


def _find_interval(values: np.ndarray, patient: np.ndarray, conf_level: float) -> dict[str, float]:
    """Return the interval of a mean, several visits of a patient allowed for."""
    std_error, df = estimate_clustered_mean(values, np.unique(patient, return_inverse=True)[1])
    mean = float(values.mean())
    margin = float(quantile_t(conf_level, df)) * std_error
    return {"std_error": std_error, "df": df, "conf_low": mean - margin, "conf_high": mean + margin}


def _cut(order: np.ndarray, patient: np.ndarray, at_most: int) -> list[np.ndarray]:
    """Return the positions of each bin: as many of equal size as hold enough patients, at least one."""
    enough = read_facts("model_checks")["bins"]["patients_at_least"]
    ranked = np.argsort(order, kind="stable")
    for n_bins in range(at_most, 1, -1):
        bins = np.array_split(ranked, n_bins)
        if all(len(np.unique(patient[held])) >= enough for held in bins):
            return bins
    return [ranked] if len(np.unique(patient)) >= enough else []


def add_shapes(rows: Rows, plan: Comparison, visits: Visits, residuals: Residuals) -> None:
    """Add per time point the spread, skewness and share of large standardised residuals."""
    limit = read_facts("model_checks")["beyond"]["limit"]
    for place, timepoint in enumerate(visits.timepoints):
        held = residuals.visit == place
        patients = np.unique(plan.grid.patient[residuals.episode[held]])
        if len(patients) < read_facts("model_checks")["bins"]["patients_at_least"]:
            continue
        values = residuals.standardised[held]
        found = {
            "standardised_sd": float(values.std(ddof=1)),
            "standardised_skewness": float(stats.skew(values)),
            "standardised_beyond": float((np.abs(values) > limit).mean()),
        }
        for statistic, estimate in found.items():
            beyond = statistic == "standardised_beyond"
            named = {"term": "residual", "group": ALL, "timepoint": timepoint}
            unit = {"x": limit, "unit": "proportion"} if beyond else {"unit": "sd"}
            rows.add_of(patients, statistic=statistic, **named, estimate=estimate, **unit)


def add_spreads(rows: Rows, plan: Comparison, visits: Visits, residuals: Residuals) -> None:
    """Add observed spreads and correlations of residuals between time points beside those of the model."""
    assert visits.fitted is not None
    wide = np.full((len(plan.grid.patient), len(visits.timepoints)), np.nan)
    wide[residuals.episode, residuals.visit] = residuals.residual
    model = visits.fitted.visit_covariance.to_numpy()
    held = [visits.timepoints.index(str(visit)) for visit in visits.fitted.layout.visits]
    for place, number in enumerate(held):
        _add_spread(rows, plan, visits, wide, number, float(np.sqrt(model[place, place])))
        for earlier in range(place):
            correlation = model[place, earlier] / np.sqrt(model[place, place] * model[earlier, earlier])
            _add_correlation(rows, plan, visits, wide, (held[earlier], number), float(correlation))


def _add_spread(
    rows: Rows, plan: Comparison, visits: Visits, wide: np.ndarray, number: int, model: float
) -> None:
    seen = ~np.isnan(wide[:, number])
    timepoint = visits.timepoints[number]
    everyone = plan.grid.patients(np.flatnonzero(seen))
    place = {"term": "residual", "timepoint": timepoint}
    rows.add_of(everyone, statistic="residual_sd", group=ALL, **place, estimate=model)
    members = {name: seen & plan.grid.is_in(name) for name in plan.groups}
    for name, which in {ALL: seen, **members}.items():
        patients = plan.grid.patients(np.flatnonzero(which))
        enough = len(patients) >= read_facts("model_checks")["bins"]["patients_at_least"]
        found = {"estimate": float(wide[which, number].std(ddof=1))} if enough else {"state": "too_few"}
        rows.add_of(patients, statistic="observed_residual_sd", group=name, **place, **found)


def _add_correlation(
    rows: Rows, plan: Comparison, visits: Visits, wide: np.ndarray, pair: tuple[int, int], model: float
) -> None:
    both = ~np.isnan(wide[:, pair]).any(axis=1)
    patients = plan.grid.patients(np.flatnonzero(both))
    place = {"level": visits.timepoints[pair[0]], "timepoint": visits.timepoints[pair[1]]}
    shared = {"term": "residual", "group": ALL, "unit": "correlation", **place}
    rows.add_of(patients, statistic="residual_correlation", estimate=model, **shared)
    enough = len(patients) >= read_facts("model_checks")["bins"]["patients_at_least"]
    found = float(np.corrcoef(wide[np.ix_(both, pair)].T)[0, 1]) if enough else np.nan
    known = {"estimate": found} if np.isfinite(found) else {"state": "degenerate" if enough else "too_few"}
    rows.add_of(patients, statistic="observed_residual_correlation", **known, **shared)
