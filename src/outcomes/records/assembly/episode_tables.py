"""From checked arrays to the four tables of the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from outcomes.facts import Column, Source, read_schema, read_therapies
from outcomes.records.columns import NO_DATE, Coded, sort_rows, to_day_number
from outcomes.records.episodes import Attribute, Links, list_timepoints, take_first
from outcomes.records.scores import Assessments


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


def build_episodes(
    frame: EpisodeFrame,
    attributes: Mapping[str, Attribute],
    excluded: np.ndarray,
    reasons: Sequence[str],
    n_sessions: np.ndarray | None,
    last_day: int | None,
) -> pd.DataFrame:
    """Return one row per kept episode, with all columns of the schema.

    Parameters
    ----------
    frame : EpisodeFrame
    attributes : mapping of Attribute
    excluded : numpy.ndarray of int
        Per episode the position of its reason, -1 for none.
    reasons : sequence of str
    n_sessions : numpy.ndarray or None
        Sessions counted in a file of sessions, per episode, used where the source maps no count.
    last_day : int or None
        Day number on which the records were taken.
    """
    kept = np.flatnonzero(frame.kept)
    columns: dict[str, object] = {}
    for name, column in read_schema()["episodes"].items():
        if name in attributes:
            codes = take_first(attributes[name], len(frame.kept))[kept]
            columns[name] = shape_column(column, Coded(codes, attributes[name].values))
        else:
            columns[name] = shape_column(column, _absent(len(kept)))
    columns["episode_id"] = frame.name(kept)
    columns["patient_id"] = frame.name(kept)
    if frame.links.patients is not frame.links.episodes:
        patients = frame.links.patients[kept]
        columns["patient_id"] = pd.Categorical(
            patients, categories=pd.Index(np.unique(patients), dtype="str")
        )
    names = sorted({reasons[i] for i in np.unique(excluded[kept]) if i >= 0})
    place = np.array(
        [names.index(reason) if reason in names else -1 for reason in reasons] + [-1], dtype=np.int32
    )
    columns["excluded"] = pd.Categorical.from_codes(
        place[excluded[kept]], categories=pd.Index(names, dtype="str")
    )
    if n_sessions is not None and "n_sessions" not in attributes:
        columns["n_sessions"] = pd.array(n_sessions[kept], dtype="Int64")
    if last_day is not None and "observable_days" not in attributes:
        zero = frame.zero[kept]
        columns["observable_days"] = pd.arrays.IntegerArray(last_day - zero.astype(np.int64), zero == NO_DATE)
    return pd.DataFrame(columns)


def _absent(n_rows: int) -> Coded:
    return Coded(np.full(n_rows, -1, dtype=np.int32), np.array([], dtype=object))


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
    dates[missing] = np.datetime64("NaT")
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


def build_assessments(
    frame: EpisodeFrame, scores: Assessments, sessions: np.ndarray, source: Source
) -> pd.DataFrame:
    """Return one row per assessment, sorted by episode, time, instrument and variant.

    Parameters
    ----------
    frame : EpisodeFrame
    scores : Assessments
    sessions : numpy.ndarray of float
        Sessions attended by then, per assessment; NaN where not recorded.
    source : Source
    """
    labels = list_timepoints(source)
    moment = np.where(scores.day != NO_DATE, scores.day, scores.timepoint)
    order = sort_rows(frame.position[scores.episode], moment, scores.measure)
    scores = scores.take(order)
    ids = [measure.instrument.id for measure in scores.measures]
    variants = [measure.variant for measure in scores.measures]
    return pd.DataFrame(
        {
            "episode_id": frame.name(scores.episode),
            "timepoint": _pick(scores.timepoint, labels),
            "day": pd.arrays.IntegerArray(
                np.where(scores.day == NO_DATE, 0, scores.day).astype(np.int64), scores.day == NO_DATE
            ),
            "instrument": _pick(scores.measure, ids),
            "variant": _pick(scores.measure, variants),
            "score": scores.score,
            "n_items_missing": _whole(scores.n_missing.astype(float), scores.n_missing < 0),
            "sessions_to_date": _whole(sessions[order], np.isnan(sessions[order])),
        }
    )


def _whole(numbers: np.ndarray, missing: np.ndarray) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(np.where(missing, 0, numbers).astype(np.int64), missing)


def _pick(codes: np.ndarray, names: Sequence[str | None]) -> pd.Categorical:
    """Return names by their positions as a categorical of those that occur, in their order."""
    used = [int(code) for code in np.unique(codes[codes >= 0]) if names[code] is not None]
    categories = list(dict.fromkeys(str(names[code]) for code in used))
    place = np.full(len(names) + 1, -1, dtype=np.int32)
    for code in used:
        place[code] = categories.index(str(names[code]))
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(categories, dtype="str"))


def find_last_day(source: Source, dates: Sequence[np.ndarray]) -> int | None:
    """Return the day number on which the records were taken: as declared, else the newest date in them."""
    import datetime as dt

    if source.extracted_on:
        return to_day_number(dt.date.fromisoformat(source.extracted_on))
    newest = [int(array.max()) for array in dates if len(array)]
    return max(newest) if newest and max(newest) != NO_DATE else None
