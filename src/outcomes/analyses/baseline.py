"""Who the patients of each group were at time zero."""

from outcomes.analyses._covariates import describe_groups
from outcomes.analyses._declaration import conclude, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.cohort import Cohort
from outcomes.result import Result

__all__ = ["describe_baseline"]


def describe_baseline(cohort: Cohort, *, by: str = "therapy") -> Result:
    """Describe the baseline score and all declared covariates per group, with standardised differences.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.

    Returns
    -------
    Result
        ``n`` per group and for ``all``; per covariate (``term``; ``score`` is the baseline score) and group
        ``mean`` and ``sd``, or ``share`` of each level (proportion of those recorded), and ``n_missing``;
        per covariate and pair of groups ``smd``, and the largest of them ``max_smd``, in standard deviations.

    Raises
    ------
    AnalysisError
        When there is no column ``by``.
    """
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, timepoint=grid.timepoints[0])
    describe_groups(cohort, grid, rows, list(grid.members()))
    return conclude("baseline", cohort, rows, method=say("baseline.method"))
