"""Where the rows of other tables lie among the episodes, and which of them count for a time point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.facts import Timepoint


@dataclass(frozen=True)
class Rows:
    """Rows of a table with an episode, as arrays with one entry per row.

    Parameters
    ----------
    episode : array of int
        Position of the episode.
    day : array of float
        Day after time zero; NaN where only a label is known.
    label : array of int
        Code of the time point's label; -1 where there is none.
    score : array of float
    """

    episode: np.ndarray
    day: np.ndarray
    label: np.ndarray
    score: np.ndarray

    def where(self, which: np.ndarray) -> Rows:
        """Return some of the rows."""
        return Rows(self.episode[which], self.day[which], self.label[which], self.score[which])


def locate_episodes(ids: pd.Series, episodes: pd.Series) -> np.ndarray:
    """Return the position among ``episodes`` of each id, -1 where it is not among them."""
    own, held = ids.astype("category").cat, episodes.astype("category").cat
    places = np.full(len(held.categories) + 1, -1)
    places[held.codes.to_numpy()] = np.arange(len(episodes))
    places[-1] = -1
    codes = own.codes.to_numpy()
    if not own.categories.equals(held.categories):  # ids of one reading share their categories
        known = held.categories.astype("str").get_indexer(own.categories.astype("str"))
        codes = np.append(known, -1)[codes]
    return places[codes]


def gather_rows(table: pd.DataFrame, episodes: pd.Series, timepoints: Mapping[str, Timepoint]) -> Rows:
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
    rows = Rows(place, table["day"].to_numpy("float64", na_value=np.nan), label, score)
    return rows.where(place >= 0)


def _code_labels(labels: pd.Series, known: list[str]) -> np.ndarray:
    categories = labels.astype("category").cat
    codes = np.array([known.index(name) if name in known else -1 for name in categories.categories] + [-1])
    return codes[categories.codes.to_numpy()]


def match_rows(rows: Rows, timepoint: Timepoint, code: int) -> np.ndarray:
    """Return which rows may count for a time point: by day, or by label where no day or window is known."""
    labelled = rows.label == code
    if timepoint.first_day is None or timepoint.last_day is None:
        return labelled
    with np.errstate(invalid="ignore"):
        inside = (rows.day >= timepoint.first_day) & (rows.day <= timepoint.last_day)
    return np.where(np.isnan(rows.day), labelled, inside)


def take_first(rows: Rows, candidates: np.ndarray, *order: np.ndarray) -> np.ndarray:
    """Return, of the candidate rows, the first of each episode by the given keys, as row numbers.

    Parameters
    ----------
    rows : Rows
    candidates : array of int
        Row numbers.
    *order : arrays
        One entry per row; the first key matters most, rows that agree in all keep their order.
    """
    keys = [key[candidates] for key in reversed(order)]
    ranked = candidates[np.lexsort([*keys, rows.episode[candidates]])]
    episode = rows.episode[ranked]
    return ranked[np.append(True, episode[1:] != episode[:-1])] if len(ranked) else ranked
