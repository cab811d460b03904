"""The day of each assessment in its episode, and whether that makes it a baseline or a follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from outcomes.facts import Source, read_timepoints
from outcomes.records.columns import NO_DATE, Coded
from outcomes.records.episodes import (
    BASELINE,
    Attribute,
    count_days,
    find_time_zero,
    list_timepoints,
    take_first,
)
from outcomes.records.scores.assessments import Assessments


def find_starts(
    scores: Assessments, attributes: Mapping[str, Attribute], n_episodes: int, source: Source
) -> np.ndarray:
    """Return the date of time zero of each episode (int32), `NO_DATE` where unknown."""
    start = None
    if "start_date" in attributes:
        attribute = attributes["start_date"]
        codes = take_first(attribute, n_episodes)
        start = Coded(codes, attribute.values.astype(np.int32)).spread(NO_DATE)
    at_start = scores.timepoint == list_timepoints(source).index(BASELINE)
    labelled = bool((scores.timepoint >= 0).any())
    return find_time_zero(n_episodes, start, scores.episode, scores.date, at_start, labelled)


def set_days(scores: Assessments, zero: np.ndarray) -> Assessments:
    """Return the assessments with their days after time zero, as given, else counted from the dates."""
    return replace(scores, day=count_days(scores.date, zero[scores.episode], scores.day))


def find_stages(scores: Assessments, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Return which assessments are baselines and which follow-ups, by label, else by day."""
    labels, window = list_timepoints(source), read_timepoints()[BASELINE]
    by_label = scores.timepoint >= 0
    known = ~by_label & (scores.day != NO_DATE)
    is_baseline = np.where(
        by_label,
        scores.timepoint == labels.index(BASELINE),
        known & (scores.day >= (window.first_day or 0)) & (scores.day <= (window.last_day or 0)),
    )
    is_follow_up = np.where(by_label, ~is_baseline, known & (scores.day > (window.last_day or 0)))
    return is_baseline, is_follow_up
