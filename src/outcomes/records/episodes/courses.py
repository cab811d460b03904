"""Several rows of one patient: courses of their own by their first day or order, one course told again, or a conflict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import read_facts
from outcomes.records.columns import (
    NO_DATE,
    Part,
    find_missing,
    parse_numbers,
    read_dates,
    read_labels,
)
from outcomes.records.episodes.sharing import RESTART, ask_or_take
from outcomes.records.episodes.times import find_target_day
from outcomes.records.problems import Problems

#: The doubt whose answer is that the order of the file is that of the courses.
FILE_ORDER = "file_order"
_ORDER_SAID = "Nothing dates the courses of a patient: their order in the file counts."
_SPAN = 1 << 32
#: What to write where the courses of a patient have first days.
FIRST_DAY = 'map the first day of each course in [file.columns]: start_date = "<header>"'


def number_by_start(
    parts: Sequence[Part], patients: Sequence[np.ndarray], n: int, problems: Problems
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return each row's course of its patient by first days, from 0, and which patients have any.

    Rows without a first day belong to the course that had begun on their date; where nothing says so, they
    are refused, unless their patient has one course only.
    """
    starts = [_read_starts(part) for part in parts]
    dated = np.zeros(n, dtype=bool)
    courses = [np.zeros(len(rows), dtype=np.int32) for rows in patients]
    known = [(start != NO_DATE) & (rows >= 0) for start, rows in zip(starts, patients, strict=True)]
    if not any(mask.any() for mask in known):
        return courses, dated
    keys = [_pack(rows[mask], start[mask]) for rows, start, mask in zip(patients, starts, known, strict=True)]
    pairs = np.unique(np.concatenate(keys))
    count = np.bincount(pairs // _SPAN, minlength=n)
    dated[count > 0] = True
    if count.max(initial=0) < 2:
        return courses, dated
    first = np.cumsum(count) - count
    for part, rows, start, mask, course in zip(parts, patients, starts, known, courses, strict=True):
        several = np.append(count > 1, False)[rows]
        when = np.where(mask, start, _read_row_dates(part))
        here = np.flatnonzero(several & (when != NO_DATE))
        place = np.searchsorted(pairs, _pack(rows[here], when[here]), side="right") - 1
        course[here] = np.maximum(place - first[rows[here]], 0)
        lost = several & (when == NO_DATE)
        rows[lost] = -1
        problems.refuse(
            part.records(lost),
            "START_MISSING",
            "nothing says to which of the patient's courses the record belongs",
            column=part.header("start_date") or part.header("date"),
            remedy="give the first day of the course, or the date of the record",
        )
        problems.note(
            "EPISODE_SPLIT",
            "accept_with_warning",
            "patients with several first days; each is the start of an episode of its own",
            part.records(mask & (course > 0)),
            column=part.header("start_date") or part.header("episode_number"),
            said="A patient with several first days has an episode for each of them.",
        )
    return courses, dated


def _pack(patient: np.ndarray, start: np.ndarray) -> np.ndarray:
    return patient.astype(np.int64) * _SPAN + (start.astype(np.int64) + (1 << 31))


def _read_starts(part: Part) -> np.ndarray:
    """Return what tells the courses of a patient apart, one per row: the first day, else their number."""
    columns = part.spec.columns
    if part.spec.rows in ("episode", "assessment") and "start_date" in columns:
        return read_dates(part, columns["start_date"]).spread(NO_DATE)
    if part.spec.rows in ("episode", "assessment") and "episode_number" in columns:
        coded = part.columns[columns["episode_number"]]
        values, _ = parse_numbers(coded.values, ~find_missing(coded.values), part.spec.decimal)
        whole = np.where(np.isnan(values), NO_DATE, np.round(values)).astype(np.int32)
        return np.append(whole, np.int32(NO_DATE))[coded.codes]
    return np.full(part.n_rows, NO_DATE, dtype=np.int32)


def _read_row_dates(part: Part) -> np.ndarray:
    header = part.spec.columns.get("date")
    if header is None:
        return np.full(part.n_rows, NO_DATE, dtype=np.int32)
    return read_dates(part, header).spread(NO_DATE)


def number_by_labels(
    parts: Sequence[Part], patients: Sequence[np.ndarray], courses: list[np.ndarray], problems: Problems
) -> None:
    """Number the courses in long files that only label their rows, where the source says that their order counts.

    A patient's next course begins where a label goes back, or comes again with the same instrument.
    """
    for part, rows, course in zip(parts, patients, courses, strict=True):
        columns = part.spec.columns
        timed = {"date", "day", "start_date", "episode_number"} & set(columns)
        if part.spec.rows != "assessment" or FILE_ORDER not in part.spec.confirmed or timed:
            continue
        here = np.flatnonzero((rows >= 0) & part.accepted())
        here = here[np.argsort(rows[here], kind="stable")]
        label = read_labels(part, columns["timepoint"])
        targets = np.array([find_target_day(id, part.source) if id else -1 for id in label.values] + [-1])
        day = targets[label.codes][here]
        instrument = part.columns[columns["instrument"]].codes[here] if "instrument" in columns else day * 0
        new = np.append(True, rows[here][1:] != rows[here][:-1])
        starts = new | np.append(False, day[1:] < day[:-1])
        visits = pd.DataFrame({"day": day, "instrument": instrument})
        while (again := visits.assign(run=np.cumsum(starts)).duplicated().to_numpy()).any():
            run = np.cumsum(starts)[again]
            starts[np.flatnonzero(again)[np.append(True, run[1:] != run[:-1])]] = True
        count = np.cumsum(starts)
        course[here] = count - np.maximum.accumulate(np.where(new, count, 0))
        problems.note(
            "EPISODE_ORDER", "answered", "patients have several courses; the order of the file counts",
            part.records(course > 0), column=columns["timepoint"], said=_ORDER_SAID,
        )  # fmt: skip


def settle_repeated(
    parts: Sequence[Part],
    episodes: Sequence[np.ndarray],
    n: int,
    may_split: np.ndarray | None,
    problems: Problems,
) -> list[np.ndarray]:
    """Settle episodes that stand in several rows of files with one row per episode.

    Rows that agree wherever both say something are one episode. Others are courses in the order of the file
    where the source says so, a question where they are many, and refused where they are few.

    Parameters
    ----------
    parts : sequence of Part
    episodes : sequence of numpy.ndarray of int
        Per part, the number of each row's episode.
    n : int
        How many there are.
    may_split : numpy.ndarray of bool or None
        Which of them may be several courses that nothing dates; None where ids tell the episodes apart.
    problems : Problems

    Returns
    -------
    list of numpy.ndarray of int
        Per part, the course of each row by its order, from 0.
    """
    courses = [np.zeros(len(rows), dtype=np.int32) for rows in episodes]
    rows = _gather_repeated(parts, episodes, n)
    if rows is None:
        return courses
    compared = [name for name in rows.columns if name not in ("part", "row", "record", "episode")]
    texts = rows[compared].where(rows[compared] != "")
    differs = texts.groupby(rows["episode"]).transform("nunique").gt(1).any(axis=1)
    again = ~differs & rows.duplicated("episode")
    problems.repeat(rows.loc[again, "record"].to_numpy(), "the same episode again, in another row or file")
    rows, texts = rows[differs], texts[differs]
    undated = np.zeros(len(rows), dtype=bool) if may_split is None else may_split[rows["episode"]]
    _refuse_conflicts(parts, rows[~undated], n, problems)
    if undated.any():
        _order_courses(parts, rows[undated], texts[undated], n, courses, problems)
    return courses


def _gather_repeated(parts: Sequence[Part], episodes: Sequence[np.ndarray], n: int) -> pd.DataFrame | None:
    """Return the rows of episodes that stand in several, with what each of them says."""
    wide = [i for i, part in enumerate(parts) if part.spec.rows == "episode" and part.spec.patient == "by id"]
    kept = {i: np.flatnonzero(parts[i].accepted() & (episodes[i] >= 0)) for i in wide}
    count = np.zeros(n, dtype=np.int64)
    for i, rows in kept.items():
        count += np.bincount(episodes[i][rows], minlength=n)
    if count.max(initial=0) < 2:
        return None
    tables = []
    for i, rows in kept.items():
        rows = rows[count[episodes[i][rows]] > 1]
        told = {name: _spell(parts[i], header)[rows] for name, header in _list_compared(parts[i])}
        place = {"part": i, "row": rows, "record": parts[i].place.start + rows, "episode": episodes[i][rows]}
        tables.append(pd.DataFrame({**place, **told}))
    return pd.concat(tables, ignore_index=True).fillna("")


def _list_compared(part: Part) -> Iterator[tuple[str, str]]:
    """Yield what must agree between rows of one episode, by a name that all files share, and its header."""
    facts = read_facts("checks")["by_visit"]
    ids = {"patient_id", "episode_id", "episode_number"}
    for name, header in part.spec.columns.items():
        if name not in (*facts["changing"], *facts["growing"], *ids):
            yield name, header
    for spec in part.spec.scores:
        place = f"{spec.instrument} {spec.variant} {spec.timepoint}"
        for name, found in (("score", spec.column), ("date", spec.date_column), ("day", spec.day_column)):
            if found:
                yield f"{place} {name}", found
        yield from ((f"{place} {number}", header) for number, header in enumerate(spec.items))


def _spell(part: Part, header: str) -> np.ndarray:
    coded = part.columns[header]
    texts = pd.Series(coded.values, dtype="str").str.casefold().str.replace(r"(\d)\.0+$", r"\1", regex=True)
    plain = texts.to_numpy(dtype=object)
    plain[find_missing(coded.values, part.spec.missing)] = ""
    return np.append(plain, "")[coded.codes]


def _refuse_conflicts(parts: Sequence[Part], rows: pd.DataFrame, n: int, problems: Problems) -> None:
    if rows.empty:
        return
    facts, records = read_facts("checks")["shared"], rows["record"].to_numpy()
    n_conflicts = rows["episode"].nunique()
    several = rows["part"].nunique() > 1
    if several and n_conflicts >= facts["fewest_different"] and n_conflicts > facts["share"] * n:
        what = (
            f"{n_conflicts} of {n} codes stand in several files with other values. Are these the same people, "
            "or do the numbers restart in each file?"
        )
        ask_or_take(parts, what, RESTART, records, problems)
    _refuse_all(parts, rows, problems)


def _refuse_all(parts: Sequence[Part], rows: pd.DataFrame, problems: Problems) -> None:
    for number, part in enumerate(parts):
        problems.refuse(
            rows.loc[rows["part"] == number, "record"].to_numpy(),
            "KEY_CONFLICT",
            "several rows of one episode that differ; none is chosen",
            column=part.header("episode_id") or part.header("patient_id"),
            remedy=f"if they are courses of their own, {FIRST_DAY}; else leave one of them in the file",
            outcome="quarantine_patient_pair",
        )


def _order_courses(
    parts: Sequence[Part],
    rows: pd.DataFrame,
    texts: pd.DataFrame,
    n: int,
    courses: list[np.ndarray],
    problems: Problems,
) -> None:
    """Number the courses of patients that nothing dates by the file's order, or ask which is first."""
    facts, n_twice = read_facts("checks")["twice"], rows["episode"].nunique()
    what = f"{n_twice} of {n} patients have several rows that differ, and nothing says which course was first"
    records = rows["record"].to_numpy()
    column = parts[int(rows["part"].iloc[0])].header("patient_id")
    if any(FILE_ORDER in part.spec.confirmed for part in parts):
        problems.note(
            "EPISODE_ORDER", "answered", f"{what}; the order of the file counts", records, column=column,
            said=_ORDER_SAID,
        )  # fmt: skip
        content = texts.fillna("").assign(episode=rows["episode"])
        again = content.duplicated()
        problems.repeat(records[again], "the same episode again, in another row or file")
        place = (~again).groupby(rows["episode"]).cumsum() - 1
        same = place.groupby([content[name] for name in content.columns]).transform("first")
        for number in rows["part"].unique():
            here = rows["part"] == number
            courses[number][rows.loc[here, "row"]] = same[here]
    elif n_twice >= facts["fewest"] and n_twice > facts["share"] * n:
        answers = {
            f'confirmed = ["{FILE_ORDER}"]': "in [[file]]: their order in the file",
            'start_date = "<header>"': "in [file.columns]: a column with the first day of each course",
            'episode_number = "<header>"': "in [file.columns]: a column that numbers the courses",
        }
        if rows["part"].nunique() > 1:
            answers |= RESTART
        first = problems.find_place(int(records.min()))
        problems.ask(
            "EPISODE_ORDER", f"{what}. Which is first?", answers, records[records < first.stop], column=column
        )
    else:
        _refuse_all(parts, rows, problems)
