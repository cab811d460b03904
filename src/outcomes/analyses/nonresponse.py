"""Whether those who were seen differ at baseline from those who were due and not seen."""

import numpy as np

from outcomes.analyses._covariates import describe_groups
from outcomes.analyses._declaration import choose_timepoint, conclude, label_timepoint, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.result import Result

__all__ = ["compare_respondents"]


def compare_respondents(cohort: Cohort, *, timepoint: str | None = None) -> Result:
    """Compare the baseline of patients seen at a time point with that of patients due and not seen.

    Parameters
    ----------
    cohort : Cohort
    timepoint : str, optional
        Id of a follow-up; the primary one where absent.

    Returns
    -------
    Result
        For the groups ``seen`` and ``not_seen`` the rows of the analysis ``baseline``, all therapies
        together; patients not yet due are left out.

    Raises
    ------
    AnalysisError
        When there is no such follow-up.
    """
    timepoint = choose_timepoint(cohort, timepoint)
    grid = arrange_grid(cohort)
    column = grid.column(timepoint)
    seen, due = grid.seen[:, column], grid.due[:, column]
    groups = [("seen", np.flatnonzero(due & seen)), ("not_seen", np.flatnonzero(due & ~seen))]
    rows = Rows(outcome=cohort.outcome, timepoint=timepoint)
    describe_groups(cohort, grid, rows, groups)
    method = say("nonresponse.method", time=label_timepoint(cohort, timepoint))
    return conclude("nonresponse", cohort, rows, method=method)
