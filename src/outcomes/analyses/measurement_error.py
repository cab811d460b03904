"""How large a change must be to be more than measurement error, and how many patients' change is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from outcomes.analyses._anchor import Anchor, read_anchor
from outcomes.analyses._declaration import (
    choose_timepoint,
    label_timepoint,
    percent,
    require_baseline,
    say,
    trace_provenance,
)
from outcomes.analyses._error import (
    bound_error,
    cut_between,
    detectable_change,
    error_from_reliability,
    measure_error,
    reliable_index,
)
from outcomes.analyses._grid import ALL, BASELINE, Grid, arrange_grid
from outcomes.analyses._interval import estimate_share
from outcomes.analyses._rows import Rows
from outcomes.cohort import Cohort, list_patients
from outcomes.errors import AnalysisError
from outcomes.facts import read_facts
from outcomes.result import Result, build_result

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
        For all: ``sem_agreement`` and ``sem_consistency`` (chi-squared interval), ``icc``,
        ``mean_difference`` with ``limit_low`` and ``limit_high`` of agreement, from unchanged patients; or
        ``sem`` from a reliability; then ``sdc`` (``term`` the level: 95 % and 90 %, for one patient) and
        ``sdc_group`` (of a mean of as many patients as were seen). Per group, then ``all``, and follow-up the
        shares ``share_reliably_improved``, ``share_reliably_worse`` and ``share_unchanged`` (reliable change
        index beyond 1.96 or not; Wilson interval) and, with a norm, ``share_recovered`` and ``cut_off``.

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
        error = _add_known(rows, cohort, grid, reliability)
        origin = say("measurement_error.known", reliability=f"{reliability:g}")
    else:
        rating = read_anchor(cohort, grid, anchor, chosen)
        error = _add_measured(rows, cohort, grid, rating, chosen, conf_level)
        place = {"anchor": rating.instrument.name, "time": label_timepoint(cohort, chosen)}
        origin = say("measurement_error.measured", **place, level=percent(conf_level))
    _add_detectable(rows, cohort, grid, error, chosen)
    cut = _add_cut_off(rows, cohort, grid, norm_mean, norm_sd)
    for column, time in grid.follow_ups:
        for group, members in grid.members():
            place = {"group": group, "timepoint": time}
            _add_shares(rows, cohort, grid, members, column, error, cut, conf_level, place)
    return build_result(
        "measurement_error", rows.table, support=rows.support,
        patients=list_patients(cohort.records), provenance=trace_provenance(cohort),
        warnings=list(_warn(cohort)), method=f"{origin} {say('measurement_error.method')}",
    )  # fmt: skip


def _add_known(rows: Rows, cohort: Cohort, grid: Grid, reliability: float) -> float:
    held = np.flatnonzero(~np.isnan(grid.baseline))
    patients = grid.patients(held)
    if not 0 < reliability < 1 or len(patients) < 2:
        raise AnalysisError(
            "A reliability lies between 0 and 1, and needs two patients with a baseline score."
        )
    error = error_from_reliability(float(grid.baseline[held].std(ddof=1)), reliability)
    rows.add(
        {"all": patients}, statistic="sem", group=ALL, timepoint=BASELINE, x=reliability, estimate=error,
        n=len(patients), unit=cohort.instrument.unit,
    )  # fmt: skip
    return error


def _add_measured(
    rows: Rows, cohort: Cohort, grid: Grid, rating: Anchor, timepoint: str, conf_level: float
) -> float:
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
            f"{label_timepoint(cohort, timepoint)}; {fewest} are needed to measure the error. Or give a "
            "known one: reliability=..."
        )
    found = measure_error(grid.baseline[held], score[held])
    margin = detectable_change(found.spread / np.sqrt(2), 0.95)
    values = {
        "sem_agreement": found.agreement, "sem_consistency": found.consistency, "icc": found.icc,
        "mean_difference": found.difference, "limit_low": found.difference - margin,
        "limit_high": found.difference + margin,
    }  # fmt: skip
    for statistic, value in values.items():
        bounds = {}
        if statistic == "sem_consistency":
            low, high = bound_error(value, len(patients) - 1, conf_level)
            bounds = {"conf_low": low, "conf_high": high, "df": len(patients) - 1}
        rows.add(
            {"all": patients.copy()}, statistic=statistic, term=rating.name, group=ALL, timepoint=timepoint,
            estimate=value, **bounds, n=len(patients),
            unit="correlation" if statistic == "icc" else cohort.instrument.unit,
            state="ok" if np.isfinite(value) else "degenerate",
        )  # fmt: skip
    return found.agreement


def _add_detectable(rows: Rows, cohort: Cohort, grid: Grid, error: float, timepoint: str) -> None:
    facts = read_facts("psychometrics")["measurement_error"]
    seen = np.flatnonzero(~np.isnan(grid.improvement[:, grid.column(timepoint)]))
    patients = grid.patients(seen)
    place = {"group": ALL, "timepoint": timepoint, "n": len(patients), "unit": cohort.instrument.unit}
    for level in (facts["detectable_level"], facts["also_level"]):
        change = detectable_change(error, level)
        rows.add({"all": patients.copy()}, statistic="sdc", term=percent(level), estimate=change, **place)
    found = {"estimate": detectable_change(error, facts["detectable_level"]) / np.sqrt(max(len(patients), 1))}
    state = found if len(patients) else {"state": "too_few"}
    rows.add(
        {"all": patients}, statistic="sdc_group", term=percent(facts["detectable_level"]), **state, **place
    )


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
    cut = cut_between(float(start.mean()), float(start.std(ddof=1)), norm_mean, norm_sd)
    rows.add(
        {"all": patients}, statistic="cut_off", group=ALL, timepoint=BASELINE, estimate=cut, n=len(patients),
        unit=cohort.instrument.unit,
    )  # fmt: skip
    return cut


def _add_shares(
    rows: Rows, cohort: Cohort, grid: Grid, members: np.ndarray, column: int, error: float,
    cut: float | None, conf_level: float, place: dict[str, str],
) -> None:  # fmt: skip
    seen = members[~np.isnan(grid.improvement[members, column])]
    level = read_facts("psychometrics")["measurement_error"]["detectable_level"]
    limit = detectable_change(np.sqrt(0.5), level)  # 1.96 at 95 %
    amount = grid.improvement[seen, column]
    index = reliable_index(amount, error) if error > 0 else np.where(amount, np.sign(amount) * np.inf, 0.0)
    marks = {"share_reliably_improved": index > limit, "share_reliably_worse": index < -limit}
    marks["share_unchanged"] = ~(marks["share_reliably_improved"] | marks["share_reliably_worse"])
    if cut is not None:
        sign = cohort.instrument.sign
        crossed = (sign * grid.baseline[seen] < sign * cut) & (sign * grid.score[seen, column] >= sign * cut)
        marks["share_recovered"] = marks["share_reliably_improved"] & crossed
    everyone = grid.patients(seen)
    for statistic, mark in marks.items():
        sets = {
            "all": everyone.copy(), "with": grid.patients(seen[mark]), "without": grid.patients(seen[~mark]),
        }  # fmt: skip
        share = estimate_share(int(mark.sum()), len(seen), len(everyone), conf_level)
        rows.add(sets, statistic=statistic, **place, **share, unit="proportion")


def _warn(cohort: Cohort) -> Iterator[str]:
    yield say("measurement_error.description")
