"""The table of episodes: one row each, with all columns of the schema."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Source, read_schema
from outcomes.records.assembly.frame import EpisodeFrame, shape_column
from outcomes.records.columns import NO_DATE, Coded, to_day_number
from outcomes.records.episodes import Attribute, take_first


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
    columns["episode_number"] = pd.array(_number_episodes(frame, kept, attributes), dtype="Int64")
    if n_sessions is not None and "n_sessions" not in attributes:
        columns["n_sessions"] = pd.array(n_sessions[kept], dtype="Int64")
    if last_day is not None and "observable_days" not in attributes:
        zero = frame.zero[kept]
        columns["observable_days"] = pd.arrays.IntegerArray(last_day - zero.astype(np.int64), zero == NO_DATE)
    return pd.DataFrame(columns)


def _number_episodes(
    frame: EpisodeFrame, kept: np.ndarray, attributes: Mapping[str, Attribute]
) -> np.ndarray:
    """Return the place of each episode among those of its patient, from 1: by number, first day or file.

    A number or a day counts where all episodes of the patient have one, and the file's order between equals;
    never an id, which may be the work of a key.
    """
    patient = pd.factorize(frame.links.patients[kept])[0]
    told = np.full(len(kept), NO_DATE, dtype=np.int64)
    if "episode_number" in attributes:
        codes = take_first(attributes["episode_number"], len(frame.kept))[kept]
        told = np.where(codes >= 0, codes, NO_DATE)
    keys = []
    for key in (told, frame.zero[kept].astype(np.int64)):
        lacking = np.zeros(patient.max(initial=-1) + 1, dtype=bool)
        lacking[patient[key == NO_DATE]] = True
        keys.append(np.where(lacking[patient], 0, key))
    order = np.lexsort((frame.links.order[kept], *reversed(keys), patient))
    ranked = patient[order]
    new = np.append(True, ranked[1:] != ranked[:-1]) if len(ranked) else np.zeros(0, dtype=bool)
    place = np.arange(len(order))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = place - np.maximum.accumulate(np.where(new, place, 0)) + 1
    return number


def _absent(n_rows: int) -> Coded:
    return Coded(np.full(n_rows, -1, dtype=np.int32), np.array([], dtype=object))


def find_last_day(source: Source, dates: Sequence[np.ndarray]) -> int | None:
    """Return the day number on which the records were taken: as declared, else the newest date in them."""
    if source.extracted_on:
        return to_day_number(dt.date.fromisoformat(source.extracted_on))
    newest = [int(array.max()) for array in dates if len(array)]
    return max(newest) if newest and max(newest) != NO_DATE else None
