"""The headline numbers of a cohort: those that are set beside the last release's."""

from outcomes.analyses._declaration import (
    conclude,
    explain_no_improvement,
    has_baseline,
    label_timepoint,
    say,
)
from outcomes.analyses._grid import Rows
from outcomes.analyses._thresholds import choose_threshold
from outcomes.analyses.change import summarise_change
from outcomes.analyses.over_time import compare_over_time
from outcomes.analyses.responders import count_responders
from outcomes.cohort import Cohort
from outcomes.result import Result

__all__ = ["list_headline"]


def list_headline(cohort: Cohort, *, by: str = "therapy") -> Result:
    """List the headline numbers of a cohort at its primary time point, each row as in its own analysis.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.

    Returns
    -------
    Result
        Per group, then for ``all``: ``mean_improvement`` of all who began (where improvement is not defined
        ``mean_expected`` of them, or ``mean_score`` of those seen) and ``share_improved`` (of a state
        ``share_in_state``) by the default threshold, of those seen; and, between therapies that are
        comparable, the adjusted ``contrast`` of each with the reference.
    """
    time, results = cohort.primary, list[Result]()
    statistic = "mean_expected" if has_baseline(cohort) else "mean_score"
    statistic = statistic if explain_no_improvement(cohort) else "mean_improvement"
    results.append(summarise_change(cohort, by=by).where(statistic=statistic, timepoint=time))
    threshold = choose_threshold(cohort, None) if statistic == "mean_improvement" else None
    if threshold is not None:
        shares = count_responders(cohort, by=by).where(
            statistic=["share_improved", "share_in_state"], term="seen"
        )
        results.append(shares.where(level=threshold.id, timepoint=time))
    compared = compare_over_time(cohort) if by == "therapy" and cohort.reference else None
    if compared is not None:  # what is not comparable is kept of no release
        wanted = ["contrast"] if compared.comparable else []
        results.append(compared.where(statistic=wanted, timepoint=time, versus=cohort.reference))
    rows = Rows()
    for result in results:
        rows.copy(result)
    return conclude(
        "headline",
        cohort,
        rows,
        method=say("headline.method", time=label_timepoint(cohort, time)),
        warnings=dict.fromkeys(text for result in results for text in result.warnings),
        comparable=compared.comparable if compared else None,
    )
