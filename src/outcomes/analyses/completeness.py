"""Who was due, seen, missing and lost at each time point."""

from outcomes.analyses._declaration import conclude, percent, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.cohort import STATUSES, Cohort
from outcomes.result import Result

__all__ = ["count_completeness"]


def count_completeness(cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95) -> Result:
    """Count who was due and who was seen, per group and time point.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the Wilson interval of the share, a proportion.

    Returns
    -------
    Result
        Per group, then for ``all``, and per time point: ``n_due``, ``n_seen``, ``n_missing``, ``n_lost``,
        ``n_not_yet_due``, ``n_after_event`` where visits are set aside, ``n_not_asked`` where some are not
        asked, and ``share_seen`` of those due (proportion). Of those who began and those not asked: where the
        measure is asked at the start, who else has no score there is not counted. Due are those whose time
        point has closed. Counts are of episodes where patients have
        several (unit ``episodes``), else of patients.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion; when there is no column ``by``.
    """
    check_level(conf_level)
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome)
    states = {f"n_{name}": grid.status == STATUSES.index(name) for name in STATUSES}
    counted = {"n_due": grid.due, **states}
    for name in ("n_after_event", "n_not_asked"):
        if not counted[name].any():
            del counted[name]
    unit = "patients" if grid.one_each else "episodes"
    for group, everybody in grid.members():
        members = everybody[(grid.based | states["n_not_asked"][:, 0])[everybody]]
        for column, timepoint in grid.visits:
            place = {"group": group, "timepoint": timepoint}
            chosen = {name: members[mask[members, column]] for name, mask in counted.items()}
            for name, episodes in chosen.items():
                counted_as = {"statistic": name, "estimate": len(episodes), "unit": unit}
                rows.add_count(grid.patients(episodes), **place, **counted_as)
            if not grid.is_asked(members):
                rows.add_not_asked(grid, members, "share_seen", **place, unit="proportion")
                continue
            due = chosen["n_due"]
            seen = counted["n_seen"][due, column]
            rows.add_share(grid, due, seen, conf_level, statistic="share_seen", **place)
    method = say("completeness.method", level=percent(conf_level))
    return conclude("completeness", cohort, rows, method=method)
