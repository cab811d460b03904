"""The days of assessments: a follow-up before its baseline, and days that no time point can hold."""

from __future__ import annotations

import numpy as np

from outcomes.facts import Source, read_schema, read_timepoints
from outcomes.records.columns import NO_DATE
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments, find_stages


def check_days(
    scores: Assessments, source: Source, n_episodes: int, header: str | None, problems: Problems
) -> None:
    """Refuse assessments whose dates cannot be right, and name those that no time point can use.

    Parameters
    ----------
    scores : Assessments
        Of records not refused so far, with their days.
    source : Source
    n_episodes : int
    header : str or None
        The column of dates, for messages.
    problems : Problems
    """
    _refuse_disorder(scores, source, n_episodes, header, problems)
    limits = read_schema()["assessments"]["day"]
    known = scores.day != NO_DATE
    outside = known & ((scores.day < limits.minimum) | (scores.day > limits.maximum))
    problems.refuse(
        scores.record[outside],
        "DAY_RANGE",
        "so far from time zero that one of the two dates is wrong",
        column=header,
    )
    last = _find_last_day(source)
    problems.note(
        "FOLLOWUP_WINDOW",
        "accept_with_warning",
        f"later than the last time point (day {last}); kept, used by no time point",
        scores.record[known & ~outside & (scores.day > last)],
        column=header,
    )


def _find_last_day(source: Source) -> int:
    """Return the last day of the latest time point that the source may use."""
    ends = [point.last_day for point in read_timepoints().values() if point.last_day is not None]
    return max(
        ends + [content["last_day"] for content in source.timepoints.values() if "last_day" in content]
    )


def _refuse_disorder(
    scores: Assessments, source: Source, n_episodes: int, header: str | None, problems: Problems
) -> None:
    """Refuse follow-ups dated before their episode's labelled baseline, and that baseline."""
    is_baseline, is_follow_up = (stage & (scores.timepoint >= 0) for stage in find_stages(scores, source))
    never = np.iinfo(np.int32).max
    dated = scores.date != NO_DATE
    baseline = np.full(n_episodes, never, dtype=np.int32)
    at_start = dated & is_baseline
    np.minimum.at(baseline, scores.episode[at_start], scores.date[at_start])
    baseline[baseline == never] = NO_DATE
    early = dated & is_follow_up & (scores.date < baseline[scores.episode])
    if not early.any():
        return
    troubled = np.zeros(n_episodes, dtype=bool)
    troubled[scores.episode[early]] = True
    problems.refuse(
        scores.record[early | (is_baseline & troubled[scores.episode])],
        "DATE_ORDER",
        "a follow-up dated before its baseline",
        column=header,
        outcome="quarantine_patient_pair",
    )
