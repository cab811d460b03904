"""Checks of keys: the same record, score or baseline twice, and records that contradict each other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from outcomes.facts import Text, read_facts
from outcomes.records.columns.coded import Coded
from outcomes.records.columns.dates import NO_DATE
from outcomes.records.columns.part import Part
from outcomes.records.episodes.sharing import RESTART
from outcomes.records.episodes.times import BASELINE, FILE_ORDER, RowTimes
from outcomes.records.problems import Answers, Problems
from outcomes.records.scores.assessments import Assessments, find_ends

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
#: What to write where a patient has several courses.
_SEVERAL: Answers = {
    'episode_id = ["<id>", "<period>"]': Text.of("findings.EPISODE_ORDER.several_told_apart"),
    'start_date = "<header>"': Text.of("findings.EPISODE_ORDER.several_first_days"),
}


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
        part.problems.note("ROW_DUPLICATE.kept", records)
    elif is_shared:
        part.problems.repeat("row", records)
    else:
        part.problems.refuse("ROW_DUPLICATE.first_kept", records)


def find_copies(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return which rows repeat an earlier one in all columns."""
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
        problems.repeat("other_file", table["record"].to_numpy()[again])
        seen = np.maximum(seen, np.bincount(key[here], minlength=len(seen)))


def settle_repeated_scores(scores: Assessments) -> tuple[np.ndarray, np.ndarray]:
    """Refuse records that give one instrument two scores at one time; the same score again counts once.

    In one file that is a copy, which is refused; in another, or beside other scores, it is told again. Return
    the episodes of the former, and which scores stay.
    """
    key = _number_times(scores)
    undated = (scores.date == NO_DATE) & (scores.day == NO_DATE)
    order = np.argsort(key * 2 + undated, kind="stable")
    again = key[order][1:] == key[order][:-1]
    if not again.any():
        return np.array([], dtype=np.int32), np.ones(len(key), dtype=bool)
    run = np.cumsum(np.append(True, ~again)) - 1
    low, high = find_ends(np.nan_to_num(scores.score[order], nan=np.inf), run, run[-1] + 1)
    conflict = np.zeros(len(key), dtype=bool)
    conflict[order] = (low != high)[run]
    copy = np.zeros(len(key), dtype=bool)
    copy[order[1:]] = again
    copy &= ~conflict
    _refuse_contradictions(scores, conflict, "KEY_CONFLICT.two_scores")
    first = np.zeros(len(key), dtype=np.int64)
    first[order] = order[np.append(True, ~again)][run]
    _count_copies(scores, copy, first)
    return np.unique(scores.episode[conflict]), ~copy


def _number_times(scores: Assessments) -> np.ndarray:
    """Return a number per assessment that two of one episode, measure and time share.

    One that has a label only is at the time of the only dated one with that label.
    """
    moment = np.where(scores.date != NO_DATE, scores.date, scores.day).astype(np.int64)
    timeless = moment == NO_DATE
    moment = np.where(timeless, scores.timepoint.astype(np.int64), moment + (1 << 20))
    what = scores.number_measures()
    if timeless.any() and not timeless.all():
        label = (what << 8) + scores.timepoint
        dated = np.flatnonzero(~timeless & (scores.timepoint >= 0))
        labels, place, count = np.unique(label[dated], return_index=True, return_counts=True)
        waiting = np.flatnonzero(timeless & (scores.timepoint >= 0) & np.isin(label, labels[count == 1]))
        moment[waiting] = moment[dated[place[np.searchsorted(labels, label[waiting])]]]
    return (what << 22) + moment + 1


def _count_copies(scores: Assessments, copy: np.ndarray, first: np.ndarray) -> None:
    """Refuse the copies of a score within one long file; count the records of others as told again."""
    problems = scores.problems
    file = np.array([column.part.place.start for column in scores.columns])[scores.column]
    other = copy & (file != file[first])
    n_scores, n_others = (np.bincount(scores.record[rows], minlength=1) for rows in (file >= 0, other))
    n_others = np.append(n_others, np.zeros(len(n_scores) - len(n_others), dtype=np.int64))
    told = other & (n_scores == n_others)[scores.record]
    problems.repeat("scores", scores.record[told])
    for column, records in scores.split(copy & ~told):
        if column.part.is_wide:
            records = records[~problems.is_repeated(records)]
            problems.note("SCORE_REPEATED", records, "accept", column=column.header)
        else:
            problems.refuse("ROW_DUPLICATE.score", records, column=column.header)


def _refuse_contradictions(scores: Assessments, chosen: np.ndarray, rule: str) -> None:
    """Refuse the records of what contradicts itself; ask instead where that is most of the episodes.

    The rule's case says what an episode has two of. Nothing is said where it is asked already whose the
    records are.
    """
    problems = scores.problems
    if problems.asks_whose:
        return
    n_chosen, n_all = len(np.unique(scores.episode[chosen])), len(np.unique(scores.episode))
    undated = bool((scores.date[chosen] == NO_DATE).all() and (scores.day[chosen] == NO_DATE).all())
    facts = read_facts("checks")
    fewest = facts["twice"]["fewest"] if undated else facts["shared"]["fewest_different"]
    if n_chosen >= fewest and n_chosen > facts["twice" if undated else "shared"]["share"] * n_all:
        asked, counts = f"EPISODE_ORDER.{rule.partition('.')[2]}", {"n": n_chosen, "n_all": n_all}
        records = problems.keep_first_file(scores.record[chosen])
        header = scores.columns[int(scores.column[chosen][0])].header
        in_order = {f'confirmed = ["{FILE_ORDER}"]': Text.of("findings.EPISODE_ORDER.several_in_order")}
        answers: Answers = {**(in_order if undated else {}), **_SEVERAL, **RESTART}
        problems.ask(asked, answers, records, column=header, **counts)
        return
    for column, records in scores.split(chosen):
        problems.refuse(rule, records, column=column.header, contradict=True)


def refuse_mismatched_instruments(scores: Assessments) -> None:
    """Refuse episodes that have one instrument at baseline and only another at follow-up.

    Only in long files whose visits have one instrument each, where the instrument may be a slip.
    """
    long = np.array([column.spec is None for column in scores.columns], dtype=bool)
    if not long.any() or not long[scores.column].all() or len(scores.measures) < 2:
        return
    start = _find_only_measure(scores, scores.is_baseline)
    if (start == -2).any():
        return
    later, usual = _find_only_measure(scores, scores.is_follow_up), _find_usual(scores)
    mismatch = (start >= 0) & (later >= 0) & (start != later) & usual[later]
    for column, records in scores.split(mismatch[scores.episode]):
        scores.problems.refuse("INSTRUMENT_MISMATCH", records, column=column.header, contradict=True)


def _find_only_measure(scores: Assessments, rows: np.ndarray) -> np.ndarray:
    """Return the measure of each episode in some assessments: -1 for none, -2 for several."""
    episode, measure = scores.episode[rows], scores.measure[rows]
    only = np.full(scores.n_episodes, -1, dtype=np.int64)
    only[episode] = measure
    only[episode[only[episode] != measure]] = -2
    return only


def _find_usual(scores: Assessments) -> np.ndarray:
    """Return which measures are asked at baseline at all."""
    return np.bincount(scores.measure[scores.is_baseline], minlength=len(scores.measures)) > 0


def keep_first_baselines(scores: Assessments) -> Assessments:
    """Keep the first in time of the baselines that a column repeats in every row of a long file.

    Where that row has another score of the instrument itself, it is a later visit, and the day of the
    baseline is unknown.
    """
    at_start = [column.spec is not None and column.spec.timepoint == BASELINE for column in scores.columns]
    long = [column.part.spec.rows == "assessment" for column in scores.columns]
    repeats = np.array(at_start, dtype=bool) & np.array(long, dtype=bool)
    rows = np.flatnonzero(repeats[scores.column]) if repeats.any() else np.array([], dtype=np.int64)
    number = scores.number_measures()
    key = number[rows]
    distinct, place = np.unique(key, return_inverse=True)
    low, high = find_ends(scores.score[rows], place, len(distinct))
    one = (low == high)[place]
    if not one.any():
        return scores
    moment = np.where(scores.date != NO_DATE, scores.date, scores.day)[rows]
    ranked = rows[one][np.lexsort([moment[one], key[one]])]
    first = np.append(True, number[ranked][1:] != number[ranked][:-1])
    header, again = scores.columns[int(scores.column[ranked[0]])].header, scores.record[ranked[~first]]
    scores.problems.note("SCORE_REPEATED.baseline", again, "accept", column=header)
    late = _find_late(scores, ranked[first], ~repeats[scores.column])
    date, day = scores.date.copy(), scores.day.copy()
    date[late], day[late] = NO_DATE, NO_DATE
    scores.problems.note("BASELINE_UNDATED", scores.record[late], column=header)
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


def refuse_double_baselines(scores: Assessments) -> np.ndarray:
    """Refuse records that give one instrument two labelled baselines on different days; return episodes."""
    rows = np.flatnonzero(scores.is_baseline & (scores.timepoint >= 0))
    _, inverse, count = np.unique(scores.number_measures()[rows], return_inverse=True, return_counts=True)
    double = np.zeros(len(scores), dtype=bool)
    double[rows] = count[inverse] > 1
    _refuse_contradictions(scores, double, "BASELINE_DUPLICATE.two_baselines")
    return np.unique(scores.episode[double])


def note_missing_baselines(scores: Assessments) -> None:
    """Name follow-ups of an instrument without a baseline of it; they are kept as incomplete."""
    key = scores.number_measures()
    started = np.zeros(int(key.max(initial=-1)) + 1, dtype=bool)
    started[key[scores.is_baseline]] = True
    alone = scores.is_follow_up & _find_usual(scores)[scores.measure] & ~started[key]
    for column, records in scores.split(alone):
        scores.problems.note("BASELINE_MISSING", records, column=column.header)
