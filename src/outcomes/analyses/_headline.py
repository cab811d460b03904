"""The headline numbers of a cohort: those that are set beside the last release's."""

from __future__ import annotations

import pandas as pd

from outcomes.analyses._declaration import explain_no_improvement
from outcomes.analyses._grid import BASELINE
from outcomes.analyses._thresholds import choose_threshold
from outcomes.analyses.ancova import compare_at_timepoints
from outcomes.analyses.change import summarise_change
from outcomes.analyses.responders import count_responders
from outcomes.cohort import Cohort

#: What tells one headline number from the next, in every release.
KEYS = ("outcome", "statistic", "level", "group", "versus", "timepoint")
_COLUMNS = [*KEYS, "unit", "estimate", "n"]


def list_headline(cohort: Cohort, by: str = "therapy") -> pd.DataFrame:
    """Return the headline numbers of a cohort at its primary time point.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.

    Returns
    -------
    pandas.DataFrame
        One row per number: ``outcome, statistic, level, group, versus, timepoint`` (texts, empty where they
        do not apply), ``unit, estimate`` and ``n``: per group and for ``all`` the mean improvement and the
        share that improved by the default threshold, of those seen; and the adjusted contrast of each therapy
        with the reference. A number that could not be estimated is missing.
    """
    time = cohort.primary
    results = []
    if explain_no_improvement(cohort) is None:
        results.append(summarise_change(cohort, by=by).where(statistic="mean_improvement", timepoint=time))
        threshold = choose_threshold(cohort, None)
        if threshold is not None:
            shares = count_responders(cohort, by=by)
            results.append(
                shares.where(statistic="share_improved", term="seen", level=threshold.id, timepoint=time)
            )
    else:
        results.append(summarise_change(cohort, by=by).where(statistic="mean_score", timepoint=time))
    if by == "therapy" and cohort.reference is not None and time != BASELINE:
        compared = compare_at_timepoints(cohort)
        results.append(compared.where(statistic="contrast", timepoint=time, versus=cohort.reference))
    table = pd.concat([result.table for result in results], ignore_index=True)[_COLUMNS]
    table[list(KEYS)] = table[list(KEYS)].astype("object").where(table[list(KEYS)].notna(), "").astype("str")
    return table
