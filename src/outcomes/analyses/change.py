"""Scores and improvement of each group at each time point."""

import numpy as np

from outcomes.analyses._declaration import conclude, percent, say
from outcomes.analyses._expected import FEWEST, describe_course
from outcomes.analyses._grid import BASELINE, Grid, Rows, arrange_grid
from outcomes.analyses._interval import check_level, estimate_mean, estimate_sd
from outcomes.cohort import Cohort
from outcomes.result import Result, Said

__all__ = ["summarise_change"]


def summarise_change(cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95) -> Result:
    """Summarise scores and improvement per group and time point; a description, not a comparison.

    Start, later score and improvement belong together: all three are of all who began, so that the start less
    the later score is the improvement.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the intervals of the means, a proportion: t, or on the logit scale between the ends of the
        measure where t would leave these.

    Returns
    -------
    Result
        Per group, then for ``all``, in the instrument's unit. At the start ``mean_score`` and ``sd_score`` of
        all who began. Per follow-up ``mean_expected``, the mean that a model gives for all who began, and
        ``mean_improvement``, the start less it, signed so that positive is better; their ``n`` are the
        patients seen then. Beside them, as observed of those seen then who have a score at the start, for
        the team: ``mean_start_seen``, ``mean_score_seen``, ``sd_score_seen``, ``mean_improvement_seen`` and
        ``sd_improvement``. A measure that is not asked at the start has ``mean_score`` and ``sd_score`` of
        those seen at every time.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion; when there is no column ``by``.
    """
    check_level(conf_level)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, unit=cohort.instrument.unit)
    ends = (cohort.instrument.minimum, cohort.instrument.maximum)
    note = "description" if grid.has_baseline else "no_baseline"
    if cohort.instrument.direction == "none":
        note = "no_direction"
    for group, members in grid.members():
        for column, timepoint in grid.visits:
            place = {"group": group, "timepoint": timepoint}
            if not grid.is_asked(members):
                follows = timepoint != BASELINE and grid.has_baseline
                names = ("mean_expected", "mean_improvement") if follows else ("mean_score",)
                rows.add_not_asked(grid, members, *names, **place)
            elif timepoint != BASELINE and grid.has_baseline:
                _add_course(rows, cohort, grid, members, column, place, conf_level)
            else:
                values = grid.score[members, column]
                _add_moments(rows, grid, members, values, "score", place, conf_level, ends)
    method: Said = say("change.method_seen", level=percent(conf_level))
    if grid.has_baseline:
        method = (say("change.method", level=percent(conf_level)), say("change.expected", fewest=FEWEST))
    return conclude("change", cohort, rows, method=method, warnings=[say(f"change.{note}")])


def _add_course(
    rows: Rows,
    cohort: Cohort,
    grid: Grid,
    members: np.ndarray,
    column: int,
    place: dict[str, str],
    conf_level: float,
) -> None:
    """Add what all who began are expected to have, and what those seen had."""
    instrument = cohort.instrument
    course = describe_course(grid, instrument, members, column, conf_level)
    rows.add(course.support, statistic="mean_expected", **place, **course.expected)
    directed = instrument.direction != "none"
    if directed:
        rows.add(course.support, statistic="mean_improvement", **place, **course.improvement)
    reach = (instrument.minimum - instrument.maximum, instrument.maximum - instrument.minimum)
    observed = {"start_seen": grid.baseline, "score_seen": grid.score[:, column]}
    observed |= {"improvement_seen": grid.improvement[:, column]} if directed else {}
    for name, values in observed.items():
        ends = reach if name == "improvement_seen" else (instrument.minimum, instrument.maximum)
        _add_moments(rows, grid, course.seen, values[course.seen], name, place, conf_level, ends)


#: Standard deviation that goes with each mean; the start of those seen has none.
_SPREADS = {"score": "sd_score", "score_seen": "sd_score_seen", "improvement_seen": "sd_improvement"}


def _add_moments(
    rows: Rows,
    grid: Grid,
    members: np.ndarray,
    values: np.ndarray,
    name: str,
    place: dict[str, str],
    conf_level: float,
    ends: tuple[float, float],
) -> None:
    """Add the mean of the values of some episodes, and their spread."""
    present, held = members[~np.isnan(values)], values[~np.isnan(values)]
    patients = grid.patients(present)
    mean = estimate_mean(held, grid.patient[present], conf_level, grid.one_each, ends)
    rows.add({"all": patients}, statistic=f"mean_{name}", **place, **mean)
    if name in _SPREADS:
        spread = estimate_sd(held, len(patients))
        rows.add({"all": patients}, statistic=_SPREADS[name], **place, **spread)
