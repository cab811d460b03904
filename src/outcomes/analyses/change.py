"""Scores and improvement of each group at each time point."""

from __future__ import annotations

import numpy as np

from outcomes.analyses._declaration import conclude, percent, say
from outcomes.analyses._grid import BASELINE, Grid, Rows, arrange_grid
from outcomes.analyses._interval import check_level, estimate_mean, estimate_sd
from outcomes.cohort import Cohort
from outcomes.result import Result

__all__ = ["summarise_change"]


def summarise_change(cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95) -> Result:
    """Summarise scores and improvement per group and time point; a description, not a comparison.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the t intervals of the means, a proportion.

    Returns
    -------
    Result
        Per group, then for ``all``, and per time point: ``mean_score``, ``sd_score`` and after baseline
        ``mean_improvement``, ``sd_improvement`` (positive is better), in the instrument's unit, of the
        patients seen then; improvement of those with a baseline score too.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion; when there is no column ``by``.
    """
    check_level(conf_level)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, unit=cohort.instrument.unit)
    note = "description" if grid.has_baseline else "no_baseline"
    if cohort.instrument.direction == "none":
        note = "no_direction"
    for group, members in grid.members():
        for column, timepoint in grid.visits:
            place = {"group": group, "timepoint": timepoint}
            if not grid.is_asked(members):
                rows.add_not_asked(grid, members, "mean_score", "mean_improvement", **place)
                continue
            _add_moments(rows, grid, members, grid.score[:, column], "score", place, conf_level)
            if timepoint != BASELINE and note == "description":
                gained = grid.improvement[:, column]
                _add_moments(rows, grid, members, gained, "improvement", place, conf_level)
    method = say("change.method", level=percent(conf_level))
    return conclude("change", cohort, rows, method=method, warnings=[say(f"change.{note}")])


def _add_moments(
    rows: Rows,
    grid: Grid,
    members: np.ndarray,
    values: np.ndarray,
    name: str,
    place: dict[str, str],
    conf_level: float,
) -> None:
    present = members[~np.isnan(values[members])]
    patients = grid.patients(present)
    mean = estimate_mean(values[present], grid.patient[present], conf_level, grid.one_each)
    rows.add({"all": patients}, statistic=f"mean_{name}", **place, **mean)
    spread = estimate_sd(values[present], len(patients))
    rows.add({"all": patients}, statistic=f"sd_{name}", **place, **spread)
