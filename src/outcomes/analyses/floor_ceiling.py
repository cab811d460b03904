"""How many patients score at the ends of an instrument, where it cannot show more."""

import numpy as np

from outcomes.analyses._declaration import conclude, label_timepoint, percent, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.facts import Listing, Text, Value, read_facts
from outcomes.result import ALL, Result

__all__ = ["count_at_ends"]

_TOLERANCE = 1e-9


def count_at_ends(cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95) -> Result:
    """Count who scores at the lowest or at the highest possible score (floor and ceiling).

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the Wilson intervals, a proportion.

    Returns
    -------
    Result
        Per group, then for ``all``, and time point: ``share_at_floor`` and ``share_at_ceiling`` (proportions
        of the patients seen), ``x`` the lowest and the highest score. A warning names the time points at
        which more than 15 % are at one end (McHorney and Tarlov 1995, Qual Life Res 4:293).

    Raises
    ------
    AnalysisError
        When there is no such column.
    """
    grid = arrange_grid(cohort, by)
    instrument = cohort.instrument
    most = read_facts("psychometrics")["floor_ceiling"]["most_share"]
    rows, full = Rows(outcome=cohort.outcome), list[Text]()
    for column, timepoint in grid.visits:
        score = grid.score[:, column]
        for group, members in grid.members():
            seen = members[~np.isnan(score[members])]
            for name, end in (("floor", instrument.minimum), ("ceiling", instrument.maximum)):
                at_end = np.abs(score[seen] - end) <= _TOLERANCE
                place = {"statistic": f"share_at_{name}", "group": group, "timepoint": timepoint, "x": end}
                rows.add_share(grid, seen, at_end, conf_level, **place)
                if group == ALL and rows.table[-1].get("estimate", 0.0) > most:
                    full.append(say(f"floor_ceiling.{name}", time=label_timepoint(cohort, timepoint)))
    ends = Listing(tuple(full))
    warnings = [say("floor_ceiling.too_many", ends=ends, most=percent(most))] if full else []
    low, high = f"{instrument.minimum:g}", f"{instrument.maximum:g}"
    limits: dict[str, Value] = {"low": low, "high": high, "unit": instrument.called_unit}
    method = say("floor_ceiling.method", level=percent(conf_level), **limits)
    return conclude("floor_ceiling", cohort, rows, method=method, warnings=warnings)
