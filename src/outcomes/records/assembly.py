"""Checked arrays to the four tables of the schema: episodes, assessments, sessions and events."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from outcomes.facts import Column, Source, read_schema, read_therapies
from outcomes.records.columns.coded import Coded, sort_rows
from outcomes.records.columns.dates import NO_DATE, to_day_number
from outcomes.records.columns.part import Part
from outcomes.records.episodes.attributes import Attribute, take_first
from outcomes.records.episodes.times import Links, list_timepoints
from outcomes.records.scores.assessments import Assessments


@dataclass(frozen=True)
class EpisodeFrame:
    """What the tables share: which episodes are kept, their ids and their time zero."""

    links: Links = field(repr=False)
    #: Per episode, whether it has an accepted record.
    kept: np.ndarray = field(repr=False)
    #: Date of time zero per episode, `NO_DATE` where unknown.
    zero: np.ndarray = field(repr=False)
    #: Place of each kept episode in the tables, -1 for others.
    position: np.ndarray = field(repr=False)
    #: Ids of the kept episodes, in order.
    names: pd.Index = field(repr=False)

    def name(self, episode: np.ndarray) -> pd.Categorical:
        """Return the ids of some episodes, as a categorical of all kept ones."""
        return pd.Categorical.from_codes(self.position[episode], categories=self.names)


def frame_episodes(links: Links, kept: np.ndarray, zero: np.ndarray) -> EpisodeFrame:
    """Return the frame of the kept episodes."""
    position = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
    return EpisodeFrame(links, kept, zero, position, pd.Index(links.episodes[kept], dtype="str"))


def _shape_column(column: Column, coded: Coded) -> object:
    """Return a column as pandas holds it: categorical, nullable integer, float, date or nullable flag."""
    missing = coded.codes < 0
    if column.type in ("category", "id"):
        return _shape_category(column, coded)
    values = coded.values.astype(float) if len(coded.values) else np.array([0.0])
    numbers = Coded(coded.codes, values).spread(np.nan)
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


def build_episodes(
    frame: EpisodeFrame,
    attributes: Mapping[str, Attribute],
    excluded: np.ndarray,
    reasons: Sequence[str],
    n_sessions: np.ndarray | None,
    last_day: int | None,
) -> pd.DataFrame:
    """Return one row per kept episode, with all columns of the schema.

    ``excluded`` holds each episode's position among the ``reasons``, -1 for none; ``n_sessions`` is counted
    from files of sessions; ``last_day`` is the day number on which the records were taken.
    """
    kept = np.flatnonzero(frame.kept)
    columns: dict[str, object] = {}
    for name, column in read_schema()["episodes"].items():
        if name in attributes:
            codes = take_first(attributes[name], len(frame.kept))[kept]
            columns[name] = _shape_column(column, Coded(codes, attributes[name].values))
        else:
            absent = np.full(len(kept), -1, dtype=np.int32)
            columns[name] = _shape_column(column, Coded(absent, np.array([], dtype=object)))
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


def find_last_day(source: Source, dates: Sequence[np.ndarray]) -> int | None:
    """Return the day number on which the records were taken: as declared, else the newest date in them."""
    if source.extracted_on:
        return to_day_number(dt.date.fromisoformat(source.extracted_on))
    newest = [int(array.max()) for array in dates if len(array)]
    return max(newest) if newest and max(newest) != NO_DATE else None


def build_assessments(
    frame: EpisodeFrame, scores: Assessments, sessions: np.ndarray, source: Source
) -> pd.DataFrame:
    """Return one row per assessment, sorted by episode, time, instrument and variant."""
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


def build_rows(
    kind: str,
    frame: EpisodeFrame,
    parts: Sequence[tuple[Part, dict[str, Coded], np.ndarray, np.ndarray]],
    more: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per accepted session or event of all files, sorted by episode and day."""
    schema = read_schema()[f"{kind}s"]
    tables = []
    for part, typed, episode, days in parts:
        rows = np.flatnonzero(part.accepted_once())
        data: dict[str, object] = {"episode": episode[rows], "day": days[rows].astype(np.int64)}
        for name, coded in typed.items():
            values = _shape_column(schema[name], Coded(coded.codes[rows], coded.values))
            data[name] = values.astype("str") if isinstance(values, pd.Categorical) else values
        tables.append(pd.DataFrame(data))
    if more is not None and len(more):
        tables.append(more)
    if not tables:
        tables = [pd.DataFrame({"episode": np.array([], dtype=np.int32)})]
    table = pd.concat(tables, ignore_index=True)
    table = table[frame.kept[table["episode"].to_numpy()]] if len(table) else table
    table = table.reindex(columns=["episode", *schema])
    table = table.sort_values(["episode", "day"], kind="stable").reset_index(drop=True)
    columns: dict[str, object] = {}
    for name, column in schema.items():
        if name == "episode_id":
            columns[name] = frame.name(table["episode"].to_numpy().astype(np.int32))
        elif column.type == "category":
            present = set(table[name].dropna())
            order = [value for value in column.allowed if value in present] or sorted(present)
            columns[name] = pd.Categorical(table[name], categories=pd.Index(order, dtype="str"))
        else:
            columns[name] = table[name].astype("Int64" if column.type == "integer" else "float64")
    return pd.DataFrame(columns)
