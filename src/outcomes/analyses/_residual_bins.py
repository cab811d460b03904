"""Residuals of the repeated-measures model as means of bins, so that none is told by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from outcomes.analyses._comparison import Comparison
from outcomes.analyses._grid import Rows
from outcomes.analyses._interval import quantile_t
from outcomes.analyses._visits import Visits
from outcomes.facts import read_facts
from outcomes.result import ALL


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
            columns = {"x": float(x[held].mean()), "estimate": float(values[held].mean()), "unit": "sd"}
            if level != "ranked":
                columns |= _find_interval(values[held], patient[held], plan.conf_level)
            members = np.unique(patient[held])
            place = {"term": "residual", "level": level, "group": ALL, "n": len(members)}
            rows.add({"all": members}, statistic="mean_residual", **place, **columns)


def _find_interval(values: np.ndarray, patient: np.ndarray, conf_level: float) -> dict[str, float]:
    """Return the interval of a mean, several visits of a patient allowed for."""
    members, which = np.unique(patient, return_inverse=True)
    each = np.bincount(which, weights=values - values.mean())
    std_error = np.sqrt((each**2).sum() * len(members) / (len(members) - 1)) / len(values)
    margin = quantile_t(conf_level, np.array([len(members) - 1.0]))[0] * std_error
    low, high = values.mean() - margin, values.mean() + margin
    return {"std_error": float(std_error), "conf_low": float(low), "conf_high": float(high)}


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
            named = {"term": "residual", "group": ALL, "timepoint": timepoint, "n": len(patients)}
            unit = {"x": limit, "unit": "proportion"} if beyond else {"unit": "sd"}
            rows.add({"all": patients}, statistic=statistic, **named, estimate=estimate, **unit)


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
    rows.add({"all": everyone}, statistic="residual_sd", group=ALL, **place, estimate=model, n=len(everyone))
    members = {name: seen & (plan.grid.group == plan.grid.groups.index(name)) for name in plan.groups}
    for name, which in {ALL: seen, **members}.items():
        patients = plan.grid.patients(np.flatnonzero(which))
        enough = len(patients) >= read_facts("model_checks")["bins"]["patients_at_least"]
        found = {"estimate": float(wide[which, number].std(ddof=1))} if enough else {"state": "too_few"}
        columns = {**place, "group": name, "n": len(patients), **found}
        rows.add({"all": patients}, statistic="observed_residual_sd", **columns)


def _add_correlation(
    rows: Rows, plan: Comparison, visits: Visits, wide: np.ndarray, pair: tuple[int, int], model: float
) -> None:
    both = ~np.isnan(wide[:, pair]).any(axis=1)
    patients = plan.grid.patients(np.flatnonzero(both))
    place = {"level": visits.timepoints[pair[0]], "timepoint": visits.timepoints[pair[1]]}
    shared = {"term": "residual", "group": ALL, "unit": "correlation", "n": len(patients), **place}
    rows.add({"all": patients}, statistic="residual_correlation", estimate=model, **shared)
    enough = len(patients) >= read_facts("model_checks")["bins"]["patients_at_least"]
    found = float(np.corrcoef(wide[np.ix_(both, pair)].T)[0, 1]) if enough else np.nan
    known = {"estimate": found} if np.isfinite(found) else {"state": "too_few"}
    rows.add({"all": patients}, statistic="observed_residual_correlation", **known, **shared)
