"""Sessions counted so far: read with the assessments, and held to grow."""

from __future__ import annotations

import numpy as np

from outcomes.facts import read_schema
from outcomes.records.columns import Part, list_missing_codes, map_numbers, sort_rows
from outcomes.records.problems import Problems


def read_sessions_to_date(part: Part) -> np.ndarray:
    """Return the sessions attended by then, one per row, NaN where unknown; impossible ones are refused."""
    header = part.spec.columns.get("sessions_to_date")
    if header is None:
        return np.full(part.n_rows, np.nan)
    column = read_schema()["assessments"]["sessions_to_date"]
    counts = map_numbers(
        part,
        header,
        missing=list_missing_codes(part, "sessions_to_date"),
        low=column.minimum,
        high=column.maximum,
        whole_number=True,
        whole=part.spec.rows == "assessment",
        rule="SESSIONS_RANGE",
        what=f"not possible; allowed are whole numbers from {column.minimum:g} to {column.maximum:g}",
    )
    return counts.spread(np.nan)


def note_falling_sessions(
    part: Part, episode: np.ndarray, moment: np.ndarray, sessions: np.ndarray, problems: Problems
) -> None:
    """Name records whose count of sessions is lower than at an earlier time of the episode."""
    rows = np.flatnonzero(~np.isnan(sessions) & part.accepted() & (episode >= 0))
    if not len(rows):
        return
    rows = rows[sort_rows(episode[rows], moment[rows])]
    same = episode[rows][1:] == episode[rows][:-1]
    falls = rows[1:][same & (sessions[rows][1:] < sessions[rows][:-1])]
    problems.note(
        "SESSIONS_ORDER",
        "accept_with_warning",
        "fewer sessions so far than at an earlier time",
        part.records(falls),
        column=part.spec.columns["sessions_to_date"],
    )
