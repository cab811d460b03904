"""The whole distribution of improvement: the share that improved by at least so much."""

import numpy as np

from outcomes.analyses._declaration import (
    choose_timepoint,
    conclude,
    explain_no_improvement,
    label_timepoint,
    say,
)
from outcomes.analyses._grid import Grid, Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.result import Result, Support

__all__ = ["trace_cumulative"]

#: Points of a curve over the width of a score that has no grid of its own: finer than a figure can show.
_POINTS_WITHOUT_STEP = 100
_TOLERANCE = 1e-7


def trace_cumulative(cohort: Cohort, *, by: str = "therapy", timepoint: str | None = None) -> Result:
    """Trace per group the share of patients whose improvement is at least x, for every x that was attained.

    The whole curve is shown so that no cut-off is chosen afterwards (US FDA 2009, guidance on
    patient-reported outcome measures). Below 0 it shows deterioration.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    timepoint : str, optional
        Id of a follow-up; the primary one where absent.

    Returns
    -------
    Result
        Per group, then for ``all``: ``share_improved_by`` (proportion of those seen with a baseline score) at
        each ``x``: the attained improvements of all, rounded down to the instrument's step (a hundredth of
        its range where it has none). No patients, or improvement not defined: no rows.

    Raises
    ------
    AnalysisError
        When there is no such follow-up or column.
    """
    absent = explain_no_improvement(cohort)
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort, by)
    amount = grid.improvement[:, grid.column(timepoint)]
    instrument, attained = cohort.instrument, amount[~np.isnan(amount)]
    step = instrument.step or (instrument.maximum - instrument.minimum) / _POINTS_WITHOUT_STEP
    points = np.unique(np.floor(attained / step + _TOLERANCE)) * step
    rows = Rows(outcome=cohort.outcome, statistic="share_improved_by", timepoint=timepoint, unit="proportion")
    for group, members in () if absent else grid.members():
        held = members[~np.isnan(amount[members])]
        if not len(held):
            continue
        values = np.sort(amount[held])
        shares = (len(values) - np.searchsorted(values, points - _TOLERANCE)) / len(values)
        supports = _list_supports(grid, held, amount, points)
        for point, share, sets in zip(points, shares, supports, strict=True):
            rows.add(sets, group=group, x=float(point), estimate=float(share), n=len(sets["all"]))
    method = say("cumulative.method", time=label_timepoint(cohort, timepoint))
    return conclude("cumulative", cohort, rows, method=method, warnings=[absent or say("change.description")])


def _list_supports(grid: Grid, members: np.ndarray, amount: np.ndarray, points: np.ndarray) -> list[Support]:
    """Return who is on each side of every point: on the upper one by the best episode, below by the worst."""
    patients, position = np.unique(grid.patient[members], return_inverse=True)
    best, worst = np.full(len(patients), -np.inf), np.full(len(patients), np.inf)
    np.maximum.at(best, position, amount[members])
    np.minimum.at(worst, position, amount[members])
    up, down = np.argsort(best, kind="stable"), np.argsort(worst, kind="stable")
    above = np.searchsorted(best[up], points - _TOLERANCE)
    below = np.searchsorted(worst[down], points - _TOLERANCE)
    high, low = patients[up], patients[down]
    return [
        {"all": patients, "with": high[i:], "without": low[:j]} for i, j in zip(above, below, strict=True)
    ]
