"""Checks of keys: the same record twice, records that contradict each other, missing or doubled baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from outcomes.records.columns import NO_DATE, Part
from outcomes.records.problems import Problems
from outcomes.records.scores import Assessments

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def refuse_duplicate_rows(part: Part) -> None:
    """Refuse the copies of rows that agree in every mapped column; the first is kept.

    In files of sessions and events two equal rows may be two sessions, so they are only named; in files
    without ids equal rows are different patients.
    """
    if part.spec.patient == "one per row" or not part.columns:
        return
    accepted = part.accepted()
    columns = [coded.codes for coded in part.columns.values()]
    copies = find_copies(columns if accepted.all() else [codes[accepted] for codes in columns])
    if not copies.any():
        return
    records = part.records(np.flatnonzero(accepted)[copies])
    if part.spec.rows in ("session", "event"):
        part.problems.note(
            "ROW_DUPLICATE",
            "accept_with_warning",
            "the same row again; kept as another session or event",
            records,
        )
    else:
        part.problems.refuse(records, "ROW_DUPLICATE", "the same row again; the first is kept")


def find_copies(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return which rows repeat an earlier one in all columns.

    Rows are compared by a 64-bit mix of their codes first, and where two agree, column by column.
    """
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for codes in columns:
        mixed = (mixed ^ codes.astype(np.uint64)) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
    copies = np.zeros(len(mixed), dtype=bool)
    suspects = np.flatnonzero(pd.Series(mixed).duplicated(keep=False))
    if len(suspects):
        rows = pd.DataFrame({number: codes[suspects] for number, codes in enumerate(columns)})
        copies[suspects] = rows.duplicated().to_numpy()
    return copies


def refuse_conflicting_scores(scores: Assessments, is_baseline: np.ndarray, problems: Problems) -> np.ndarray:
    """Refuse records that give one instrument two scores at one time, and copies that give the same.

    Returns
    -------
    numpy.ndarray of int32
        Episodes whose records contradict each other.
    """
    moment = np.where(scores.date != NO_DATE, scores.date, scores.day).astype(np.int64)
    timeless = moment == NO_DATE
    moment = np.where(timeless, scores.timepoint.astype(np.int64), moment + (1 << 20))
    key = (scores.episode.astype(np.int64) * len(scores.measures) + scores.measure) * (1 << 22) + (moment + 1)
    order = np.argsort(key, kind="stable")
    again = key[order][1:] == key[order][:-1]
    if not again.any():
        return np.array([], dtype=np.int32)
    run = np.cumsum(np.append(True, ~again)) - 1
    score = np.nan_to_num(scores.score[order], nan=np.inf)
    low, high = np.full(run[-1] + 1, np.inf), np.full(run[-1] + 1, -np.inf)
    np.minimum.at(low, run, score)
    np.maximum.at(high, run, score)
    conflict = np.zeros(len(key), dtype=bool)
    conflict[order] = (low != high)[run]
    copy = np.zeros(len(key), dtype=bool)
    copy[order[1:]] = again
    _refuse(
        scores, conflict, problems, "KEY_CONFLICT", "two scores of one instrument at one time; none is chosen"
    )
    for number, column in enumerate(scores.columns):
        here = copy & ~conflict & (scores.column == number)
        problems.refuse(
            scores.record[here],
            "ROW_DUPLICATE",
            "the same score at the same time again; the first is kept",
            column=column.header,
        )
    return np.unique(scores.episode[conflict])


def _refuse(scores: Assessments, chosen: np.ndarray, problems: Problems, rule: str, what: str) -> None:
    for number, column in enumerate(scores.columns):
        here = chosen & (scores.column == number)
        problems.refuse(
            scores.record[here], rule, what, column=column.header, outcome="quarantine_patient_pair"
        )


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
    _refuse(scores, double, problems, "BASELINE_DUPLICATE", "two baselines of one instrument; none is chosen")
    return np.unique(scores.episode[double])


def refuse_mismatched_instruments(
    scores: Assessments,
    is_baseline: np.ndarray,
    is_follow_up: np.ndarray,
    n_episodes: int,
    problems: Problems,
) -> None:
    """Refuse episodes that have one instrument at baseline and only another at follow-up.

    Only in long files whose visits have one instrument each, where the instrument may be a slip.
    """
    long = np.array([column.spec is None for column in scores.columns], dtype=bool)
    if not long.any() or not long[scores.column].all() or len(scores.measures) < 2:
        return
    start = _only_measure(scores, is_baseline, n_episodes)
    if (start == -2).any():
        return
    later = _only_measure(scores, is_follow_up, n_episodes)
    usual = _list_usual(scores, is_baseline)
    mismatch = (start >= 0) & (later >= 0) & (start != later) & usual[later]
    chosen = mismatch[scores.episode]
    _refuse(
        scores, chosen, problems, "INSTRUMENT_MISMATCH", "one instrument at baseline, another at follow-up"
    )


def _only_measure(scores: Assessments, rows: np.ndarray, n_episodes: int) -> np.ndarray:
    """Return the measure of each episode in some assessments: -1 for none, -2 for several."""
    episode, measure = scores.episode[rows], scores.measure[rows]
    only = np.full(n_episodes, -1, dtype=np.int64)
    only[episode] = measure
    only[episode[only[episode] != measure]] = -2
    return only


def _list_usual(scores: Assessments, is_baseline: np.ndarray) -> np.ndarray:
    """Return which measures are asked at baseline at all."""
    return np.bincount(scores.measure[is_baseline], minlength=len(scores.measures)) > 0


def note_missing_baselines(
    scores: Assessments, is_baseline: np.ndarray, is_follow_up: np.ndarray, problems: Problems
) -> None:
    """Name follow-ups of an instrument without a baseline of it; they are kept as incomplete.

    Instruments that are never asked at baseline (global change) are left out.
    """
    key = scores.episode.astype(np.int64) * len(scores.measures) + scores.measure
    usual = _list_usual(scores, is_baseline)
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
