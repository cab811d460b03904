"""Checks of keys: the same record, score or baseline twice, and records that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from outcomes.facts import Text, read_facts
from outcomes.records.columns import NO_DATE, Coded, Part
from outcomes.records.episodes import BASELINE, FILE_ORDER, RESTART, RowTimes
from outcomes.records.problems import Answers, Problems
from outcomes.records.scores import Assessments

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def refuse_duplicate_rows(part: Part, *, is_shared: bool) -> None:
    """Refuse the copies of rows that agree in every mapped column; the first is kept.

    In files of sessions and events two equal rows may be two sessions, so they are only named; in files
    without ids equal rows are different patients, and where the order of a long file tells courses apart,
    they may be two of these. Where another block reads the same file (``is_shared``), rows may differ in what
    that one reads: a copy, such as a patient's attributes in each row of a visit, only repeats the first.
    """
    ordered = part.spec.rows == "assessment" and FILE_ORDER in part.spec.confirmed
    if part.spec.patient == "one per row" or ordered or not part.columns:
        return
    accepted = part.accepted()
    columns = [coded.codes for coded in part.columns.values()]
    copies = find_copies(columns if accepted.all() else [codes[accepted] for codes in columns])
    if not copies.any():
        return
    records = part.records(np.flatnonzero(accepted)[copies])
    if part.spec.rows in ("session", "event"):
        kept = Text.of("findings.ROW_DUPLICATE.kept")
        part.problems.note("ROW_DUPLICATE", "accept_with_warning", kept, records)
    elif is_shared:
        part.problems.repeat(records, Text.of("findings.ROW_REPEATED.row"))
    else:
        part.problems.refuse(records, "ROW_DUPLICATE", Text.of("findings.ROW_DUPLICATE.first_kept"))


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


def repeat_rows(
    files: Sequence[tuple[Part, Mapping[str, Coded], np.ndarray, RowTimes]], problems: Problems
) -> None:
    """Count sessions or events that an earlier file holds too as told again, as often as it holds them."""
    if len(files) < 2:
        return
    tables = []
    for number, (part, typed, episode, times) in enumerate(files):
        rows = np.flatnonzero(part.accepted() & (episode >= 0))
        told = {
            name: coded.spread("" if coded.values.dtype == object else np.nan)[rows]
            for name, coded in typed.items()
        }
        place = {"file": number, "record": part.place.start + rows, "episode": episode[rows]}
        tables.append(pd.DataFrame({**place, "date": times.date[rows], "day": times.day[rows], **told}))
    table = pd.concat(tables, ignore_index=True)
    content = [name for name in table.columns if name not in ("file", "record")]
    key = table.groupby(content, dropna=False, sort=False).ngroup().to_numpy()
    file, seen = table["file"].to_numpy(), np.zeros(len(table), dtype=np.int64)
    for number in range(len(files)):
        here = np.flatnonzero(file == number)
        nth = pd.Series(key[here]).groupby(key[here]).cumcount().to_numpy()
        again = here[nth < seen[key[here]]]
        problems.repeat(table["record"].to_numpy()[again], Text.of("findings.ROW_REPEATED.other_file"))
        seen = np.maximum(seen, np.bincount(key[here], minlength=len(seen)))


def settle_repeated_scores(scores: Assessments, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Refuse records that give one instrument two scores at one time; the same score again counts once.

    In one file that is a copy, which is refused; in another, or beside other scores, it is told again.
    """
    key = _number_times(scores)
    undated = (scores.date == NO_DATE) & (scores.day == NO_DATE)
    order = np.argsort(key * 2 + undated, kind="stable")
    again = key[order][1:] == key[order][:-1]
    if not again.any():
        return np.array([], dtype=np.int32), np.ones(len(key), dtype=bool)
    run = np.cumsum(np.append(True, ~again)) - 1
    score = np.nan_to_num(scores.score[order], nan=np.inf)
    low, high = np.full(run[-1] + 1, np.inf), np.full(run[-1] + 1, -np.inf)
    np.minimum.at(low, run, score)
    np.maximum.at(high, run, score)
    conflict = np.zeros(len(key), dtype=bool)
    conflict[order] = (low != high)[run]
    copy = np.zeros(len(key), dtype=bool)
    copy[order[1:]] = again
    copy &= ~conflict
    refuse_contradictions(scores, conflict, problems, "KEY_CONFLICT", "two_scores")
    first = np.zeros(len(key), dtype=np.int64)
    first[order] = order[np.append(True, ~again)][run]
    _count_copies(scores, copy, first, problems)
    return np.unique(scores.episode[conflict]), ~copy


def _number_times(scores: Assessments) -> np.ndarray:
    """Return a number per assessment that two of one episode, measure and time share.

    One that has a label only is at the time of the only dated one with that label.
    """
    moment = np.where(scores.date != NO_DATE, scores.date, scores.day).astype(np.int64)
    timeless = moment == NO_DATE
    moment = np.where(timeless, scores.timepoint.astype(np.int64), moment + (1 << 20))
    what = scores.episode.astype(np.int64) * len(scores.measures) + scores.measure
    if timeless.any() and not timeless.all():
        label = (what << 8) + scores.timepoint
        dated = np.flatnonzero(~timeless & (scores.timepoint >= 0))
        labels, place, count = np.unique(label[dated], return_index=True, return_counts=True)
        waiting = np.flatnonzero(timeless & (scores.timepoint >= 0) & np.isin(label, labels[count == 1]))
        moment[waiting] = moment[dated[place[np.searchsorted(labels, label[waiting])]]]
    return (what << 22) + moment + 1


def _count_copies(scores: Assessments, copy: np.ndarray, first: np.ndarray, problems: Problems) -> None:
    """Refuse the copies of a score within one long file; count the records of others as told again."""
    file = np.array([column.part.place.start for column in scores.columns])[scores.column]
    other = copy & (file != file[first])
    n_scores, n_others = (np.bincount(scores.record[rows], minlength=1) for rows in (file >= 0, other))
    n_others = np.append(n_others, np.zeros(len(n_scores) - len(n_others), dtype=np.int64))
    told = other & (n_scores == n_others)[scores.record]
    problems.repeat(scores.record[told], Text.of("findings.ROW_REPEATED.scores"))
    once, same = Text.of("findings.SCORE_REPEATED.what"), Text.of("findings.ROW_DUPLICATE.score")
    for column, records in scores.split(copy & ~told):
        if column.part.is_wide:
            records = records[~problems.is_repeated(records)]
            problems.note("SCORE_REPEATED", "accept", once, records, column=column.header)
        else:
            problems.refuse(records, "ROW_DUPLICATE", same, column=column.header)


def refuse_contradictions(
    scores: Assessments, chosen: np.ndarray, problems: Problems, rule: str, twice: str
) -> None:
    """Refuse the records of what contradicts itself; ask instead where that is most of the episodes.

    ``twice`` says what an episode has two of. Nothing is said where it is asked already whose the records
    are.
    """
    if problems.asks_whose:
        return
    n_chosen, n_all = len(np.unique(scores.episode[chosen])), len(np.unique(scores.episode))
    undated = bool((scores.date[chosen] == NO_DATE).all() and (scores.day[chosen] == NO_DATE).all())
    facts = read_facts("checks")
    fewest = facts["twice"]["fewest"] if undated else facts["shared"]["fewest_different"]
    if n_chosen >= fewest and n_chosen > facts["twice" if undated else "shared"]["share"] * n_all:
        what = Text.of(f"findings.EPISODE_ORDER.{twice}", n=n_chosen, n_all=n_all)
        records = problems.keep_first_file(scores.record[chosen])
        header = scores.columns[int(scores.column[chosen][0])].header
        problems.ask("EPISODE_ORDER", what, _list_courses(undated), records, column=header)
        return
    for column, records in scores.split(chosen):
        problems.refuse(
            records,
            rule,
            Text.of(f"findings.{rule}.{twice}"),
            column=column.header,
            remedy=Text.of("findings.KEY_CONFLICT.remedy"),
            outcome="quarantine_patient_pair",
        )


def _list_courses(undated: bool) -> Answers:
    """Return the lines that tell the courses of a patient apart."""
    in_order = {f'confirmed = ["{FILE_ORDER}"]': Text.of("findings.EPISODE_ORDER.several_in_order")}
    return {
        **(in_order if undated else {}),
        'episode_id = ["<id>", "<period>"]': Text.of("findings.EPISODE_ORDER.several_told_apart"),
        'start_date = "<header>"': Text.of("findings.EPISODE_ORDER.several_first_days"),
        **RESTART,
    }


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
    usual = list_usual(scores, is_baseline)
    mismatch = (start >= 0) & (later >= 0) & (start != later) & usual[later]
    for column, records in scores.split(mismatch[scores.episode]):
        problems.refuse(
            records,
            "INSTRUMENT_MISMATCH",
            Text.of("findings.INSTRUMENT_MISMATCH.what"),
            column=column.header,
            outcome="quarantine_patient_pair",
        )


def _only_measure(scores: Assessments, rows: np.ndarray, n_episodes: int) -> np.ndarray:
    """Return the measure of each episode in some assessments: -1 for none, -2 for several."""
    episode, measure = scores.episode[rows], scores.measure[rows]
    only = np.full(n_episodes, -1, dtype=np.int64)
    only[episode] = measure
    only[episode[only[episode] != measure]] = -2
    return only


def list_usual(scores: Assessments, is_baseline: np.ndarray) -> np.ndarray:
    """Return which measures are asked at baseline at all."""
    return np.bincount(scores.measure[is_baseline], minlength=len(scores.measures)) > 0


def keep_first_baselines(scores: Assessments, problems: Problems) -> Assessments:
    """Keep the first in time of the baselines that a column repeats in every row of a long file.

    Where that row has another score of the instrument itself, it is a later visit, and the day of the
    baseline is unknown.
    """
    at_start = [column.spec is not None and column.spec.timepoint == BASELINE for column in scores.columns]
    long = [column.part.spec.rows == "assessment" for column in scores.columns]
    repeats = np.array(at_start, dtype=bool) & np.array(long, dtype=bool)
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
    header, again = scores.columns[int(scores.column[ranked[0]])].header, scores.record[ranked[~first]]
    once = Text.of("findings.SCORE_REPEATED.baseline")
    problems.note("SCORE_REPEATED", "accept", once, again, column=header)
    late = _find_late(scores, ranked[first], ~repeats[scores.column])
    date, day = scores.date.copy(), scores.day.copy()
    date[late], day[late] = NO_DATE, NO_DATE
    problems.note(
        "BASELINE_UNDATED",
        "accept_with_warning",
        Text.of("findings.BASELINE_UNDATED.what"),
        scores.record[late],
        column=header,
        remedy=Text.of("findings.BASELINE_UNDATED.remedy"),
        said=Text.of("findings.BASELINE_UNDATED.said"),
    )
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
    """Refuse records that give one instrument two labelled baselines on different days."""
    rows = np.flatnonzero(is_baseline)
    key = scores.episode[rows].astype(np.int64) * len(scores.measures) + scores.measure[rows]
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    double = np.zeros(len(scores), dtype=bool)
    double[rows] = count[inverse] > 1
    refuse_contradictions(scores, double, problems, "BASELINE_DUPLICATE", "two_baselines")
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
    what = Text.of("findings.BASELINE_MISSING.what")
    for column, records in scores.split(alone):
        problems.note("BASELINE_MISSING", "accept_with_warning", what, records, column=column.header)
