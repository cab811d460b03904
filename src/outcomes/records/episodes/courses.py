"""The courses of one patient told apart: by first days, by a number, or by labels in the file's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from outcomes.records.columns import (
    NO_DATE,
    Part,
    find_missing,
    parse_numbers,
    read_dates,
    read_labels,
)
from outcomes.records.episodes.times import find_target_day
from outcomes.records.problems import Problems

#: The doubt whose answer is that the order of the file is that of the courses.
FILE_ORDER = "file_order"
#: What pages say of it.
ORDER_SAID = "Nothing dates the courses of a patient: their order in the file counts."
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
    """Number the courses in long files that only label their rows, where the source lets their order count.

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
            part.records(course > 0), column=columns["timepoint"], said=ORDER_SAID,
        )  # fmt: skip
