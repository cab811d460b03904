"""How many patients improved or got worse by a cited threshold."""

from collections.abc import Sequence

import numpy as np

from outcomes.analyses._declaration import conclude, percent, say
from outcomes.analyses._grid import BASELINE, Grid, Rows, arrange_grid
from outcomes.analyses._interval import check_level
from outcomes.analyses._populations import describe_others
from outcomes.analyses._thresholds import (
    RELATIVE,
    choose_thresholds,
    describe_threshold,
    mark_improved,
    mark_out_of_reach,
)
from outcomes.cohort import Cohort
from outcomes.facts import Listing, Threshold
from outcomes.result import Result

__all__ = ["count_responders"]


def count_responders(
    cohort: Cohort,
    *,
    by: str = "therapy",
    conf_level: float = 0.95,
    thresholds: str | Sequence[str] | None = None,
) -> Result:
    """Count who improved and who got worse by each threshold, per group and follow-up.

    Parameters
    ----------
    cohort : Cohort
    by : str
        Column whose values are the groups.
    conf_level : float
        Level of the Wilson intervals, a proportion.
    thresholds : str or sequence of str, optional
        Ids of the instrument's thresholds or rules (``absolute:2``, ``percent:30``, ``state:<=1``); by
        default the instrument's default one, those of the same source, and those that the records' source
        names under ``primary``; without a default, all verified MIC and PASS of level individual. Those of
        level group or between-group are refused.

    Returns
    -------
    Result
        Per threshold (``level`` its id, ``x`` its value), group, then ``all``, and follow-up:
        ``share_improved`` and ``share_worse`` (proportions), for a state ``share_in_state``, once with
        ``term`` ``seen`` (of those seen for whom the rule is defined) and once ``due`` (of all due; the
        others count as not improved and not worse). Both are of those who began: where the measure is asked
        at the start, who has no score there counts in neither. For ``percent`` rules ``n_undefined`` counts
        patients seen whose baseline score is 0 (for ``percent_of_possible`` the best one), ``n_out_of_reach``
        those due who start too near the best score to improve by the threshold. Of a state,
        ``share_in_state`` stands at the start too (``term`` ``start``), of all who began, and
        ``share_in_state_start_seen``, for the team, at each follow-up: who was in it at the start, of those
        seen then. A measure without direction or without a threshold: no rows and a warning.

    Raises
    ------
    AnalysisError
        When `conf_level` is no proportion, or a threshold or column is unknown.
    """
    check_level(conf_level)
    directed = cohort.instrument.direction != "none"
    chosen = choose_thresholds(cohort, thresholds) if directed else []
    grid = arrange_grid(cohort, by)
    rows = Rows(outcome=cohort.outcome)
    for threshold in chosen:
        _count_threshold(rows, cohort, grid, threshold, conf_level)
    unread = [entry.id for entry in chosen if not entry.verified and entry.source]
    warnings = [say("responders.description" if directed else "change.no_direction")]
    if directed and not chosen:
        warnings.append(say("responders.none", instrument=cohort.instrument.called_short))
    if unread:
        warnings.append(say("responders.unverified", thresholds=Listing(tuple(unread))))
    warnings += [
        say(
            "responders.within_error",
            threshold=entry.id,
            error=f"{error:g}",
            unit=cohort.instrument.called_unit,
        )
        for entry in chosen
        if (error := cohort.instrument.find_larger_error(entry)) is not None
    ]
    warnings += [
        say("responders.other_patients", threshold=entry.id, others=others)
        for entry in chosen
        if (others := describe_others(cohort, entry))
    ]
    rules = Listing(tuple(describe_threshold(cohort, entry) for entry in chosen), "semicolon")
    named = rules if chosen else say("thresholds.none")
    method = say("responders.method", level=percent(conf_level), thresholds=named)
    return conclude("responders", cohort, rows, method=method, warnings=warnings)


def _count_threshold(rows: Rows, cohort: Cohort, grid: Grid, threshold: Threshold, conf_level: float) -> None:
    improved, worse, defined = mark_improved(cohort, grid, threshold)
    near = mark_out_of_reach(cohort, grid, threshold)
    groups = [(group, members[grid.based[members]]) for group, members in grid.members()]
    is_state = threshold.rule == "state"
    if is_state and grid.has_baseline:
        _add_start(rows, grid, threshold, improved[:, 0].copy(), conf_level)
    for column, timepoint in grid.follow_ups:
        marks = {"share_in_state" if is_state else "share_improved": improved[:, column].copy()}
        if threshold.rule != "state":
            marks["share_worse"] = worse[:, column].copy()
        due, known = grid.due[:, column].copy(), defined[:, column].copy()
        for group, members in groups:
            place = {"level": threshold.id, "x": threshold.value, "group": group, "timepoint": timepoint}
            asked = members[due[members]]
            answered = members[known[members]]
            for term, counted in (("seen", answered), ("due", asked)):
                for statistic, mark in marks.items():
                    named = {"statistic": statistic, "term": term, **place}
                    rows.add_share(grid, counted, mark[counted], conf_level, **named)
            if is_state and grid.has_baseline:
                both = answered[grid.based[answered]]
                named = {"statistic": "share_in_state_start_seen", "term": "seen", **place}
                rows.add_share(grid, both, improved[both, 0], conf_level, **named)
            if threshold.rule in RELATIVE:
                undefined = members[grid.seen[members, column] & ~known[members]]
                rows.add_count(grid.patients(undefined), statistic="n_undefined", **place)
            if threshold.rule != "state":
                rows.add_count(grid.patients(asked[near[asked]]), statistic="n_out_of_reach", **place)


def _add_start(rows: Rows, grid: Grid, threshold: Threshold, mark: np.ndarray, conf_level: float) -> None:
    """Add who was in a state at the start already, of all who began."""
    place = {"statistic": "share_in_state", "term": "start", "level": threshold.id, "x": threshold.value}
    for group, members in grid.members():
        began = members[grid.based[members]]
        rows.add_share(grid, began, mark[began], conf_level, **place, group=group, timepoint=BASELINE)
