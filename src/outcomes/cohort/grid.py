"""The completed grid: for each episode and time point the score that counts, or why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.cohort.types import STATUSES, locate_episodes
from outcomes.facts import Timepoint, read_facts


@dataclass(frozen=True)
class EpisodeRows:
    """Rows of a table with an episode, as arrays with one entry per row."""

    #: Position of the episode.
    episode: np.ndarray
    #: Day after time zero; NaN where only a label is known.
    day: np.ndarray
    #: Code of the time point's label; -1 where there is none.
    label: np.ndarray
    score: np.ndarray

    def where(self, which: np.ndarray) -> "EpisodeRows":
        """Return some of the rows."""
        return EpisodeRows(self.episode[which], self.day[which], self.label[which], self.score[which])


def gather_rows(table: pd.DataFrame, episodes: pd.Series, timepoints: Mapping[str, Timepoint]) -> EpisodeRows:
    """Gather the rows of a table (assessments, sessions or events) that belong to known episodes.

    Labels become codes into ``timepoints``; -1 where a row has none of them.
    """
    place = locate_episodes(table["episode_id"], episodes)
    label = (
        _code_labels(table["timepoint"], list(timepoints))
        if "timepoint" in table
        else np.full(len(table), -1)
    )
    score = table["score"].to_numpy("float64", na_value=np.nan) if "score" in table else np.zeros(len(table))
    rows = EpisodeRows(place, table["day"].to_numpy("float64", na_value=np.nan), label, score)
    return rows.where(place >= 0)


def _code_labels(labels: pd.Series, known: list[str]) -> np.ndarray:
    categories = labels.astype("category").cat
    codes = np.array([known.index(name) if name in known else -1 for name in categories.categories] + [-1])
    return codes[categories.codes.to_numpy()]


def match_rows(rows: EpisodeRows, timepoint: Timepoint, code: int) -> np.ndarray:
    """Return which rows may count for a time point: by day, or by label where no day or window is known."""
    labelled: np.ndarray = rows.label == code
    if timepoint.first_day is None or timepoint.last_day is None:
        return labelled
    with np.errstate(invalid="ignore"):
        inside = (rows.day >= timepoint.first_day) & (rows.day <= timepoint.last_day)
    return np.where(np.isnan(rows.day), labelled, inside)


def take_first(rows: EpisodeRows, candidates: np.ndarray, *order: np.ndarray) -> np.ndarray:
    """Return the first of each episode of some rows, given by number, in the order of some keys.

    Keys have one entry per row, the main key first; rows that agree in all keep their order.
    """
    keys = [key[candidates] for key in reversed(order)]
    ranked = candidates[np.lexsort([*keys, rows.episode[candidates]])]
    episode = rows.episode[ranked]
    return ranked[np.append(True, episode[1:] != episode[:-1])] if len(ranked) else ranked


@dataclass(frozen=True)
class ScoreGrid:
    """Scores of one measure, as arrays of episodes x time points, baseline first."""

    #: NaN where none counts.
    score: np.ndarray
    #: Day on which it was recorded; NaN where there is none or only a label is known.
    day: np.ndarray
    #: Codes into `STATUSES`.
    status: np.ndarray

    def at(self, columns: Sequence[int]) -> "ScoreGrid":
        """Return the given columns."""
        return ScoreGrid(*(held[:, columns] for held in (self.score, self.day, self.status)))


def find_baseline(
    rows: EpisodeRows, timepoint: Timepoint, code: int, first_session: np.ndarray
) -> np.ndarray:
    """Return the row number of each episode's baseline score, -1 where there is none.

    The last score of the window up to the day of the first session counts (at the earliest day 0). Where no
    session is recorded (NaN) it is the last one up to day 0, else the first one after it. `code` is that of
    the time point's label.
    """
    known = ~np.isnan(first_session)
    limit = np.where(known, np.clip(first_session, 0, timepoint.last_day), 0.0)[rows.episode]
    day = np.nan_to_num(rows.day, nan=0.0)
    candidates = match_rows(rows, timepoint, code) & ((day <= limit) | ~known[rows.episode])
    late = day > limit
    order = np.where(late, day, -day)
    first = take_first(rows, np.flatnonzero(candidates), late, order)
    return _spread(rows, first, len(first_session))


def find_follow_up(rows: EpisodeRows, timepoint: Timepoint, code: int, n_episodes: int) -> np.ndarray:
    """Return the row number of each episode's score at a time point, -1 where there is none.

    Of several in the window the one nearest to the target day counts, the earlier one of two as near.
    """
    day = np.nan_to_num(rows.day, nan=timepoint.day)
    candidates = np.flatnonzero(match_rows(rows, timepoint, code))
    return _spread(rows, take_first(rows, candidates, np.abs(day - timepoint.day), day), n_episodes)


def find_end_of_therapy(rows: EpisodeRows, discharge_day: np.ndarray, code: int) -> np.ndarray:
    """Return the row of each episode's last score up to some days after discharge, -1 where there is none."""
    days_after = read_facts("cohort")["end_of_therapy"]["days_after_discharge"]
    day = np.nan_to_num(rows.day, nan=0.0)
    with np.errstate(invalid="ignore"):
        inside = (rows.day > 0) & (rows.day <= discharge_day[rows.episode] + days_after)
    candidates = np.flatnonzero(inside | (rows.label == code))
    return _spread(rows, take_first(rows, candidates, rows.label != code, -day), len(discharge_day))


def _spread(rows: EpisodeRows, found: np.ndarray, n_episodes: int) -> np.ndarray:
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
    rows: EpisodeRows,
    found: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    observable_days: np.ndarray,
    last_contact: np.ndarray,
    event_day: np.ndarray,
) -> ScoreGrid:
    """Complete the grid with a status for each episode and time point.

    `found` has the row number of each episode x time point, -1 where there is none; `bounds` the first and
    the last day of each window. Per episode: the days over which it could be observed (NaN: all time points
    are due), the last day on which anything is known of it, and that of an event after which scores do not
    count.
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
    return ScoreGrid(score, day, status)
