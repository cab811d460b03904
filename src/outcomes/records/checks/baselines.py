"""Checks of baselines: one told in every row, two that differ, and follow-ups without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from outcomes.records.checks.keys import list_usual, refuse_contradictions
from outcomes.records.columns import NO_DATE
from outcomes.records.episodes import BASELINE
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments


def keep_first_baselines(scores: Assessments, problems: Problems) -> Assessments:
    """Keep the first in time of the baselines that a column repeats in every row of a long file.

    Where that row has another score of the instrument itself, it is a later visit, and the day of the
    baseline is unknown.
    """
    repeats = np.array(
        [
            column.part.spec.rows == "assessment"
            and column.spec is not None
            and column.spec.timepoint == BASELINE
            for column in scores.columns
        ],
        dtype=bool,
    )
    rows = np.flatnonzero(repeats[scores.column]) if repeats.any() else np.array([], dtype=np.int64)
    key = scores.episode[rows].astype(np.int64) * len(scores.measures) + scores.measure[rows]
    distinct, place = np.unique(key, return_inverse=True)
    low, high = np.full(len(distinct), np.inf), np.full(len(distinct), -np.inf)
    np.minimum.at(low, place, scores.score[rows])
    np.maximum.at(high, place, scores.score[rows])
    one = (low == high)[place]
    if not one.any():
        return scores
    moment = np.where(scores.date != NO_DATE, scores.date, scores.day)[rows]
    ranked = rows[one][np.lexsort([moment[one], key[one]])]
    what = scores.episode[ranked].astype(np.int64) * len(scores.measures) + scores.measure[ranked]
    first = np.append(True, what[1:] != what[:-1])
    problems.note(
        "SCORE_REPEATED", "accept", "the baseline again, in a further row of its episode; it counts once",
        scores.record[ranked[~first]], column=scores.columns[int(scores.column[ranked[0]])].header,
    )  # fmt: skip
    late = _find_late(scores, ranked[first], ~repeats[scores.column])
    date, day = scores.date.copy(), scores.day.copy()
    date[late], day[late] = NO_DATE, NO_DATE
    problems.note(
        "BASELINE_UNDATED", "accept_with_warning",
        "a baseline that stands in rows of later visits only; its day is not known",
        scores.record[late], column=scores.columns[int(scores.column[ranked[0]])].header,
        remedy='map the first day: start_date = "<header>"',
        said="Scores at the start that stand only in rows of later visits count as given at the start.",
    )  # fmt: skip
    keep = np.ones(len(scores), dtype=bool)
    keep[ranked[~first]] = False
    return replace(scores, date=date, day=day).keep(keep)


def _find_late(scores: Assessments, baselines: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which baselines stand in a row that has another score of their measure."""
    key = scores.record.astype(np.int64) * len(scores.measures) + scores.measure
    beside = np.flatnonzero(others & np.isin(key, key[baselines]))
    beside = beside[np.argsort(key[beside], kind="stable")]
    place = np.minimum(np.searchsorted(key[beside], key[baselines]), max(len(beside) - 1, 0))
    if not len(beside):
        return baselines[:0]
    found = key[beside[place]] == key[baselines]
    return baselines[found & (scores.score[beside[place]] != scores.score[baselines])]


def refuse_double_baselines(scores: Assessments, is_baseline: np.ndarray, problems: Problems) -> np.ndarray:
    """Refuse records that give one instrument two labelled baselines on different days.

    Returns
    -------
    numpy.ndarray of int32
        The episodes concerned.
    """
    rows = np.flatnonzero(is_baseline)
    key = scores.episode[rows].astype(np.int64) * len(scores.measures) + scores.measure[rows]
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    double = np.zeros(len(scores), dtype=bool)
    double[rows] = count[inverse] > 1
    refuse_contradictions(scores, double, problems, "BASELINE_DUPLICATE", "two baselines of one instrument")
    return np.unique(scores.episode[double])


def note_missing_baselines(
    scores: Assessments, is_baseline: np.ndarray, is_follow_up: np.ndarray, problems: Problems
) -> None:
    """Name follow-ups of an instrument without a baseline of it; they are kept as incomplete.

    Instruments that are never asked at baseline (global change) are left out.
    """
    key = scores.episode.astype(np.int64) * len(scores.measures) + scores.measure
    usual = list_usual(scores, is_baseline)
    started = np.zeros(int(key.max(initial=-1)) + 1, dtype=bool)
    started[key[is_baseline]] = True
    alone = is_follow_up & usual[scores.measure] & ~started[key]
    for number, column in enumerate(scores.columns):
        here = alone & (scores.column == number)
        problems.note(
            "BASELINE_MISSING",
            "accept_with_warning",
            "a follow-up without a baseline of the instrument",
            scores.record[here],
            column=column.header,
        )
