"""How much improvement regression to the mean alone would bring, where a reference says."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from outcomes.analyses._declaration import conclude, explain_no_improvement, percent, say
from outcomes.analyses._grid import Rows, arrange_grid
from outcomes.analyses._interval import check_level, estimate_mean
from outcomes.cohort import Cohort
from outcomes.errors import AnalysisError
from outcomes.facts import Listing
from outcomes.result import Result

__all__ = ["bound_regression_to_mean"]


def bound_regression_to_mean(cohort: Cohort, *, by: str = "therapy", conf_level: float = 0.95) -> Result:
    """Bound the improvement that patients chosen for a bad score would show without any therapy.

    Someone whose score lies off the mean of those like them is expected to move towards it by the share that
    is not repeated on retest: (1 - r) (mean - baseline), signed as improvement (Davis 1976, Am J Epidemiol
    104:493; Barnett, van der Pols and Dobson 2005, Int J Epidemiol 34:215, doi 10.1093/ije/dyh299). Only
    from a declared reference.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the interval of the mean baseline score over which the range is taken, a proportion.

    Returns
    -------
    Result
        Per group, then for ``all``, ``regression_to_mean_low`` and ``regression_to_mean_high`` in the
        instrument's unit, positive for improvement: the least and the most over all declared references,
        both ends of their ``retest_correlation`` and of the interval of the mean baseline score. Improvement
        not defined: no rows and a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, there is no column ``by``, or a reference lacks its
        citation.
    """
    check_level(conf_level)
    absent = explain_no_improvement(cohort)
    grid = arrange_grid(cohort, by)
    names = (cohort.outcome, cohort.instrument.id)
    references = [entry for entry in cohort.source.reference_scores if entry.get("instrument") in names]
    for entry in references:
        _check_reference(entry)
    rows = Rows(outcome=cohort.outcome, timepoint=grid.timepoints[0], unit=cohort.instrument.unit)
    ends = (cohort.instrument.minimum, cohort.instrument.maximum)
    for group, members in () if absent or not references else grid.members():
        held = members[~np.isnan(grid.baseline[members])]
        mean = estimate_mean(grid.baseline[held], grid.patient[held], conf_level, ends=ends)
        low, high = _bound(cohort, references, mean)
        for statistic, found in (("regression_to_mean_low", low), ("regression_to_mean_high", high)):
            rows.add({"all": grid.patients(held)}, statistic=statistic, group=group, n=mean["n"], **found)
    cited = tuple(str(entry["citation"]) for entry in references)
    citations = Listing(cited) if cited else say("regression_to_mean.none")
    warnings = [] if references else [say("regression_to_mean.cannot_tell")]
    return conclude(
        "regression_to_mean",
        cohort,
        rows,
        method=say("regression_to_mean.method", level=percent(conf_level), citations=citations),
        warnings=[absent] if absent else warnings,
    )


def _check_reference(entry: Mapping[str, Any]) -> None:
    absent = [key for key in ("mean", "sd", "retest_correlation", "citation") if entry.get(key) in (None, "")]
    correlations = np.atleast_1d(entry.get("retest_correlation", np.nan)).astype(float)
    if absent or not ((correlations > 0) & (correlations < 1)).all():
        raise AnalysisError(
            "A [[reference_scores]] block of the source needs mean, sd, retest_correlation (between 0 and 1, "
            f"one number or two) and citation; look at: {', '.join(absent) or 'retest_correlation'}."
        )


def _bound(
    cohort: Cohort, references: list[Mapping[str, Any]], mean: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    if "estimate" not in mean:
        return {"state": "too_few"}, {"state": "too_few"}
    starts = [mean["estimate"], mean.get("conf_low", np.nan), mean.get("conf_high", np.nan)]
    gains = [
        cohort.instrument.sign * (1 - correlation) * (float(entry["mean"]) - start)
        for entry in references
        for correlation in np.atleast_1d(entry["retest_correlation"]).astype(float)
        for start in starts
        if not np.isnan(start)
    ]
    return {"estimate": min(gains), "state": "ok"}, {"estimate": max(gains), "state": "ok"}
