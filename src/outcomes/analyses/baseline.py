"""Who the patients of each group were at time zero."""

from __future__ import annotations

from outcomes.analyses._covariates import compare_covariate, describe_covariate, list_covariates
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
        ``n`` (term ``patients``) per group and for ``all``; per covariate (``term``; ``score`` is the
        baseline score) and group ``mean`` and ``sd`` of numbers or ``share`` of each level (proportion of
        those recorded; a level that a group lacks is a share of 0), and ``n_missing``; per covariate and
        pair of groups ``smd`` and over all pairs ``max_smd``, in standard deviations, see
        `outcomes.analyses._covariates.standardise_difference`. Missing values are counted and left out.

    Raises
    ------
    AnalysisError
        When there is no column ``by``.
    """
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome, timepoint=grid.timepoints[0])
    groups = list(grid.members())
    for name, members in groups:
        rows.add_count(grid.patients(members), statistic="n", term="patients", group=name)
    for covariate in list_covariates(cohort, grid):
        for group in groups:
            describe_covariate(rows, grid, covariate, group)
        compare_covariate(rows, grid, covariate, groups[:-1])
    return conclude("baseline", cohort, rows, method=say("baseline.method"))
