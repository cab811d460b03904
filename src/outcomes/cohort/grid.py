"""The completed grid: for each episode and time point the score that counts, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outcomes.cohort.positions import Rows, match_rows, take_first
from outcomes.cohort.types import STATUSES
from outcomes.facts import Timepoint, read_facts


@dataclass(frozen=True)
class Grid:
    """Arrays of episodes x time points, baseline first.

    Parameters
    ----------
    score : array of float
        NaN where none counts.
    day : array of float
        Day on which it was recorded; NaN where there is none or only a label is known.
    status : array of int
        Codes into `STATUSES`.
    """

    score: np.ndarray
    day: np.ndarray
    status: np.ndarray

    def at(self, columns: Sequence[int]) -> Grid:
        """Return the given columns."""
        return Grid(*(held[:, columns] for held in (self.score, self.day, self.status)))


def find_baseline(rows: Rows, timepoint: Timepoint, code: int, first_session: np.ndarray) -> np.ndarray:
    """Return the row number of each episode's baseline score, -1 where there is none.

    The last score of the window up to the day of the first session counts (at the earliest day 0). Where no
    session is recorded it is the last one up to day 0, else the first one after it.

    Parameters
    ----------
    rows : Rows
        Of one instrument, with a score.
    timepoint : Timepoint
        The baseline.
    code : int
        Code of its label.
    first_session : array of float
        Day of each episode's first session; NaN where none is recorded.
    """
    known = ~np.isnan(first_session)
    limit = np.where(known, np.clip(first_session, 0, timepoint.last_day), 0.0)[rows.episode]
    day = np.nan_to_num(rows.day, nan=0.0)
    candidates = match_rows(rows, timepoint, code) & ((day <= limit) | ~known[rows.episode])
    late = day > limit
    order = np.where(late, day, -day)
    first = take_first(rows, np.flatnonzero(candidates), late, order)
    return _spread(rows, first, len(first_session))


def find_follow_up(rows: Rows, timepoint: Timepoint, code: int, n_episodes: int) -> np.ndarray:
    """Return the row number of each episode's score at a time point, -1 where there is none.

    Of several in the window the one nearest to the target day counts, the earlier one of two as near.
    """
    day = np.nan_to_num(rows.day, nan=timepoint.day)
    candidates = np.flatnonzero(match_rows(rows, timepoint, code))
    return _spread(rows, take_first(rows, candidates, np.abs(day - timepoint.day), day), n_episodes)


def find_end_of_therapy(rows: Rows, discharge_day: np.ndarray, code: int) -> np.ndarray:
    """Return the row of each episode's last score up to some days after discharge, -1 where there is none."""
    days_after = read_facts("cohort")["end_of_therapy"]["days_after_discharge"]
    day = np.nan_to_num(rows.day, nan=0.0)
    with np.errstate(invalid="ignore"):
        inside = (rows.day > 0) & (rows.day <= discharge_day[rows.episode] + days_after)
    candidates = np.flatnonzero(inside | (rows.label == code))
    return _spread(rows, take_first(rows, candidates, rows.label != code, -day), len(discharge_day))


def _spread(rows: Rows, found: np.ndarray, n_episodes: int) -> np.ndarray:
    place = np.full(n_episodes, -1)
    place[rows.episode[found]] = found
    return place


def find_bounds(
    timepoints: Mapping[str, Timepoint], discharge_day: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last day of each time point's window, episodes x time points.

    The end of therapy has a window of its own for each episode; it closes some days after the last session,
    and never for an episode that has not ended.
    """
    end = read_facts("cohort")["end_of_therapy"]
    opens, closes = (np.empty((len(discharge_day), len(timepoints))) for _ in range(2))
    for number, (id, timepoint) in enumerate(timepoints.items()):
        opens[:, number] = timepoint.day if timepoint.first_day is None else timepoint.first_day
        closes[:, number] = timepoint.day if timepoint.last_day is None else timepoint.last_day
        if id == end["timepoint"]:
            closes[:, number] = np.nan_to_num(discharge_day + end["days_after_discharge"], nan=np.inf)
            opens[:, number] = np.nan_to_num(discharge_day, nan=np.inf)
    return opens, closes


def complete_grid(
    rows: Rows,
    found: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    observable_days: np.ndarray,
    last_contact: np.ndarray,
    event_day: np.ndarray,
) -> Grid:
    """Complete the grid with a status for each episode and time point.

    Parameters
    ----------
    rows : Rows
    found : array of int
        Row number of each episode x time point, -1 where there is none.
    bounds : pair of arrays
        First and last day of each window, episodes x time points.
    observable_days : array of float
        Days over which each episode could be observed; NaN where all time points are due.
    last_contact : array of float
        Last day on which anything is known of the episode; NaN where nothing is.
    event_day : array of float
        Day of an event after which scores do not count; NaN where there is none.
    """
    opens, closes = bounds
    seen = found >= 0
    score = np.where(seen, np.append(rows.score, np.nan)[found], np.nan)
    day = np.where(seen, np.append(rows.day, np.nan)[found], np.nan)
    with np.errstate(invalid="ignore"):
        not_due = (closes > observable_days[:, None]) & ~seen
        in_touch = last_contact[:, None] >= opens
        after = np.where(np.isnan(day), opens, day) > event_day[:, None]
    after[:, 0] = not_due[:, 0] = in_touch[:, 0] = False
    code = {name: number for number, name in enumerate(STATUSES)}
    status = np.select(
        [not_due, after, seen, in_touch],
        [code["not_yet_due"], code["after_event"], code["seen"], code["missing"]],
        code["lost"],
    )
    status[~seen[:, 0], 0] = code["missing"]
    score[after], day[after] = np.nan, np.nan
    return Grid(score, day, status)
