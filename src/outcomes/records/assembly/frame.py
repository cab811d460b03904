"""What the tables share: the kept episodes, their ids and time zero, and how a column is held."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from outcomes.facts import Column, read_therapies
from outcomes.records.columns import Coded
from outcomes.records.episodes import Links


@dataclass(frozen=True)
class EpisodeFrame:
    """What the tables share: which episodes are kept, their ids and their time zero.

    Parameters
    ----------
    links : Links
    kept : numpy.ndarray of bool
        Per episode, whether it has an accepted record.
    zero : numpy.ndarray of int32
        Date of time zero per episode, `NO_DATE` where unknown.
    position : numpy.ndarray of int32
        Place of each kept episode in the tables, -1 for others.
    names : pandas.Index
        Ids of the kept episodes, in order.
    """

    links: Links = field(repr=False)
    kept: np.ndarray = field(repr=False)
    zero: np.ndarray = field(repr=False)
    position: np.ndarray = field(repr=False)
    names: pd.Index = field(repr=False)

    def name(self, episode: np.ndarray) -> pd.Categorical:
        """Return the ids of some episodes, as a categorical of all kept ones."""
        return pd.Categorical.from_codes(self.position[episode], categories=self.names)


def frame_episodes(links: Links, kept: np.ndarray, zero: np.ndarray) -> EpisodeFrame:
    """Return the frame of the kept episodes."""
    position = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
    return EpisodeFrame(links, kept, zero, position, pd.Index(links.episodes[kept], dtype="str"))


def shape_column(column: Column, coded: Coded) -> object:
    """Return a column as pandas holds it: categorical, nullable integer, float, date or nullable flag."""
    missing = coded.codes < 0
    if column.type in ("category", "id"):
        return _shape_category(column, coded)
    numbers = Coded(coded.codes, coded.values.astype(float) if len(coded.values) else np.array([0.0])).spread(
        np.nan
    )
    if column.type == "number":
        return numbers
    whole = np.where(missing, 0, np.nan_to_num(numbers)).astype(np.int64)
    if column.type == "integer":
        return pd.arrays.IntegerArray(whole, missing)
    if column.type == "flag":
        return pd.arrays.BooleanArray(whole.astype(bool), missing)
    dates = whole.astype("datetime64[D]").astype("datetime64[s]")
    dates[missing] = np.datetime64("NaT", "s")
    return pd.array(dates)


def _shape_category(column: Column, coded: Coded) -> pd.Categorical:
    """Return a categorical of the values that occur, in the order of the schema or of the therapies."""
    order = list(column.allowed) or (list(read_therapies()) if column.name == "therapy" else [])
    used = np.unique(coded.codes[coded.codes >= 0])
    present = [str(coded.values[code]) for code in used]
    rank = {name: i for i, name in enumerate(order)}
    names = sorted(present, key=lambda name: (rank.get(name, len(order)), name))
    place = np.full(len(coded.values) + 1, -1, dtype=np.int32)
    for code, name in zip(used, present, strict=True):
        place[code] = names.index(name)
    return pd.Categorical.from_codes(place[coded.codes], categories=pd.Index(names, dtype="str"))
