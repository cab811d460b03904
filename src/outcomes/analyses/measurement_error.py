"""How large a change must be to be more than measurement error, and how many patients' change is."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from outcomes.analyses._anchor import Anchor, read_anchor
from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    label_timepoint,
    percent,
    require_baseline,
    say,
)
from outcomes.analyses._grid import BASELINE, Grid, Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Value, read_facts
from outcomes.result import ALL, Result

__all__ = ["estimate_measurement_error"]


def estimate_measurement_error(
    cohort: Cohort,
    *,
    by: str = "therapy",
    anchor: str | None = None,
    timepoint: str | None = None,
    reliability: float | None = None,
    norm_mean: float | None = None,
    norm_sd: float | None = None,
    conf_level: float = 0.95,
) -> Result:
    """Estimate the measurement error and the smallest detectable change, and count reliable changes.

    The error comes from patients whose own rating says that they did not change, at the start and at the
    follow-up (two-way analysis of variance; de Vet 2006, Health Qual Life Outcomes 4:54), or from a
    reliability that is known from elsewhere: SD at baseline x root(1 - reliability).

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups of the shares.
    anchor : str, optional
        Rating of change, ``id`` or ``id:variant``, whose facts say which scores mean unchanged; the only one
        recorded where absent.
    timepoint : str, optional
        Follow-up at which the rating was given; the primary one where absent.
    reliability : float, optional
        Test-retest reliability from elsewhere, a proportion; then no anchor is used.
    norm_mean, norm_sd : float, optional
        Mean and standard deviation of people without the complaint; with them patients who improved reliably
        and crossed the cut-off between both (Jacobson and Truax 1991, cut-off c) count as recovered.
    conf_level : float
        Level of the intervals, a proportion.

    Returns
    -------
    Result
        For all: ``sem_agreement``, ``sem_consistency``, ``icc`` and ``mean_difference`` with the limits of
        agreement ``limit_low`` and ``limit_high``, from unchanged patients; or ``sem`` from a reliability;
        then ``sdc`` (``term`` the level, for one patient) and ``sdc_group`` (of a mean of as many patients as
        were seen, ``x``), whose ``n`` are the patients from whom the error was measured. Per group, then
        ``all``, and follow-up ``share_reliably_improved``, ``share_reliably_worse`` and ``share_unchanged``
        (reliable change index beyond 1.96 or not) and, with a norm, ``share_recovered`` and ``cut_off``.

    Raises
    ------
    AnalysisError
        When fewer than ten patients are unchanged, there is no such anchor or time point, or the anchor's
        facts do not say what unchanged is.
    """
    require_baseline(cohort)
    chosen = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome)
    if reliability is not None:
        error, measured_in = _add_known(rows, cohort, grid, reliability)
        measured = say("measurement_error.known", reliability=f"{reliability:g}")
    else:
        rating = read_anchor(cohort, grid, anchor, chosen)
        error, measured_in = _add_measured(rows, cohort, grid, rating, chosen, conf_level)
        named: dict[str, Value] = {"anchor": rating.instrument.called, "level": percent(conf_level)}
        measured = say("measurement_error.measured", **named, time=label_timepoint(cohort, chosen))
    _add_detectable(rows, cohort, grid, error, measured_in, chosen)
    cut = _add_cut_off(rows, cohort, grid, norm_mean, norm_sd)
    for column, time in grid.follow_ups:
        for group, members in grid.members():
            seen = members[~np.isnan(grid.improvement[members, column])]
            for statistic, mark in _mark_changes(cohort, grid, seen, column, error, cut).items():
                rows.add_share(grid, seen, mark, conf_level, statistic=statistic, group=group, timepoint=time)
    method, warnings = (measured, say("measurement_error.method")), [say("measurement_error.description")]
    return conclude("measurement_error", cohort, rows, method=method, warnings=warnings)


def _add_known(rows: Rows, cohort: Cohort, grid: Grid, reliability: float) -> tuple[float, np.ndarray]:
    held = np.flatnonzero(~np.isnan(grid.baseline))
    patients = grid.patients(held)
    if not 0 < reliability < 1 or len(patients) < 2:
        raise AnalysisError(
            "A reliability lies between 0 and 1, and needs two patients with a baseline score."
        )
    error = float(grid.baseline[held].std(ddof=1) * np.sqrt(1 - reliability))
    place = {"group": ALL, "timepoint": BASELINE, "unit": cohort.instrument.unit}
    rows.add_of(patients, statistic="sem", **place, x=reliability, estimate=error)
    return error, patients


def _add_measured(
    rows: Rows, cohort: Cohort, grid: Grid, rating: Anchor, timepoint: str, conf_level: float
) -> tuple[float, np.ndarray]:
    unchanged = rating.instrument.unchanged
    if not unchanged:
        raise AnalysisError(
            f"The facts of {rating.instrument.name} do not say which scores mean unchanged; choose a rating "
            "of change as the anchor, or give reliability=..."
        )
    score = grid.score[:, grid.column(timepoint)]
    stable = (rating.score >= unchanged[0]) & (rating.score <= unchanged[-1])
    held = np.flatnonzero(stable & ~np.isnan(score) & ~np.isnan(grid.baseline))
    patients = grid.patients(held)
    fewest = read_facts("psychometrics")["measurement_error"]["least_patients"]
    if len(patients) < fewest:
        raise AnalysisError(
            f"Only {len(patients)} patients call themselves unchanged at "
            f"{cohort.timepoints[timepoint].label}; {fewest} are needed to measure the error. Or give a "
            "known one: reliability=..."
        )
    found = measure_error(grid.baseline[held], score[held])
    margin = detectable_change(found.spread / np.sqrt(2), 0.95)
    values = {
        "sem_agreement": found.agreement,
        "sem_consistency": found.consistency,
        "icc": found.icc,
        "mean_difference": found.difference,
        "limit_low": found.difference - margin,
        "limit_high": found.difference + margin,
    }
    place = {"term": rating.name, "group": ALL, "timepoint": timepoint}
    for statistic, value in values.items():
        bounds, df = {}, len(patients) - 1
        if statistic == "sem_consistency":  # chi-squared interval
            tail = (1 - conf_level) / 2
            low, high = (value * np.sqrt(df / stats.chi2.ppf(point, df)) for point in (1 - tail, tail))
            bounds = {"conf_low": float(low), "conf_high": float(high), "df": df}
        columns = {"unit": "correlation" if statistic == "icc" else cohort.instrument.unit, **bounds}
        columns["state"] = "ok" if np.isfinite(value) else "degenerate"
        rows.add_of(patients, statistic=statistic, estimate=value, **place, **columns)
    return found.agreement, patients


def _add_detectable(
    rows: Rows, cohort: Cohort, grid: Grid, error: float, measured_in: np.ndarray, timepoint: str
) -> None:
    facts = read_facts("psychometrics")["measurement_error"]
    seen = np.flatnonzero(~np.isnan(grid.improvement[:, grid.column(timepoint)]))
    place = {"group": ALL, "timepoint": timepoint, "unit": cohort.instrument.unit}
    level, n = facts["detectable_level"], len(grid.patients(seen))
    for each in (level, facts["also_level"]):
        change = detectable_change(error, each)
        rows.add_of(measured_in, statistic="sdc", term=percent(each), estimate=change, **place)
    found = {"estimate": detectable_change(error, level) / np.sqrt(n)} if n else {"state": "too_few"}
    rows.add_of(measured_in, statistic="sdc_group", term=percent(level), x=n, **found, **place)


def _add_cut_off(
    rows: Rows, cohort: Cohort, grid: Grid, norm_mean: float | None, norm_sd: float | None
) -> float | None:
    if norm_mean is None and norm_sd is None:
        return None
    if norm_mean is None or norm_sd is None or not norm_sd > 0:
        raise AnalysisError("A norm needs both norm_mean and norm_sd, the latter above 0.")
    held = np.flatnonzero(~np.isnan(grid.baseline))
    start, patients = grid.baseline[held], grid.patients(held)
    if len(patients) < 2:
        raise AnalysisError("A cut-off needs at least two patients with a baseline score.")
    # As far from the patients as from the norm, in their own standard deviations.
    mean, sd = float(start.mean()), float(start.std(ddof=1))
    cut = (norm_sd * mean + sd * norm_mean) / (sd + norm_sd)
    place = {"group": ALL, "timepoint": BASELINE, "unit": cohort.instrument.unit}
    rows.add_of(patients, statistic="cut_off", **place, estimate=cut)
    return cut


def _mark_changes(
    cohort: Cohort, grid: Grid, seen: np.ndarray, column: int, error: float, cut: float | None
) -> dict[str, np.ndarray]:
    level = read_facts("psychometrics")["measurement_error"]["detectable_level"]
    limit = detectable_change(np.sqrt(0.5), level)  # 1.96 at 95 %
    amount = grid.improvement[seen, column]
    # Change in units of its standard error.
    index = amount / (np.sqrt(2) * error) if error > 0 else np.where(amount, np.sign(amount) * np.inf, 0.0)
    marks = {"share_reliably_improved": index > limit, "share_reliably_worse": index < -limit}
    marks["share_unchanged"] = ~(marks["share_reliably_improved"] | marks["share_reliably_worse"])
    if cut is not None:
        sign = cohort.instrument.sign
        crossed = (sign * grid.baseline[seen] < sign * cut) & (sign * grid.score[seen, column] >= sign * cut)
        marks["share_recovered"] = marks["share_reliably_improved"] & crossed
    return marks


@dataclass(frozen=True)
class MeasurementError:
    """Error of one score."""

    #: Standard error of measurement, systematic differences between the visits included, and without them.
    agreement: float
    consistency: float
    #: Intraclass correlation, two-way, absolute agreement, single score (McGraw and Wong 1996, ICC(A,1)).
    icc: float
    #: Mean and standard deviation of the differences between the visits.
    difference: float
    spread: float


def measure_error(first: np.ndarray, second: np.ndarray) -> MeasurementError:
    """Measure the error from two visits of patients who did not change, by two-way analysis of variance."""
    n, scores = len(first), np.column_stack([first, second])
    grand = scores.mean()
    between = 2 * ((scores.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    visits = n * ((scores.mean(axis=0) - grand) ** 2).sum()
    difference = second - first
    residual = ((difference - difference.mean()) ** 2).sum() / (2 * (n - 1))
    # ICC(A,1): (MSB - MSE) / (MSB + MSE + 2 (MSV - MSE) / n); the visits' variance is (MSV - MSE) / n.
    systematic = max(0.0, (visits - residual) / n)
    whole = between + residual + 2 * (visits - residual) / n
    return MeasurementError(
        agreement=float(np.sqrt(residual + systematic)),
        consistency=float(np.sqrt(residual)),
        icc=float((between - residual) / whole) if whole > 0 else np.nan,
        difference=float(difference.mean()),
        spread=float(difference.std(ddof=1)),
    )


def detectable_change(error: float, level: float) -> float:
    """Return the change that measurement error alone exceeds in one of ``1 / (1 - level)`` patients.

    >>> round(detectable_change(6.4, 0.95), 2), round(detectable_change(6.4, 0.90), 2)
    (17.74, 14.89)
    """
    return float(special.ndtri((1 + level) / 2) * np.sqrt(2) * error)
