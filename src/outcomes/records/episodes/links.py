"""From the ids of several files to one list of episodes and their patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.records.columns import Coded, Part, map_ids
from outcomes.records.problems import Problems


@dataclass(frozen=True)
class Links:
    """Which episode each row belongs to.

    Parameters
    ----------
    episodes : numpy.ndarray of str
        Ids of all episodes of the source, sorted.
    patients : numpy.ndarray of str
        The patient of each episode.
    rows : list of numpy.ndarray of int32
        Per part: one episode number per row, -1 where the row has none.
    """

    episodes: np.ndarray = field(repr=False)
    patients: np.ndarray = field(repr=False)
    rows: list[np.ndarray] = field(repr=False)


def link_parts(parts: Sequence[Part], problems: Problems) -> Links:
    """Number the episodes over all files, and find each one's patient.

    An episode is a patient where no ``episode_id`` is mapped. A file that has only patients joins the
    episodes of those who have exactly one.
    """
    keys, patients = [], []
    for number, part in enumerate(parts, start=1):
        key, patient = _read_ids(part, number)
        keys.append(key)
        patients.append(patient)
    has_episodes = any("episode_id" in part.spec.columns for part in parts)
    names = [key if key is not None else patient for key, patient in zip(keys, patients, strict=True)]
    if not has_episodes:
        episodes, rows = _number_together([name for name in names if name is not None])
        _find_near_duplicates(parts, names, problems)
        return Links(episodes, episodes, rows)
    episodes, episode_rows = _number_together([key for key in keys if key is not None])
    _find_near_duplicates(parts, keys, problems)
    with_key = [i for i, key in enumerate(keys) if key is not None]
    by_part = dict(zip(with_key, episode_rows, strict=True))
    people = _find_patients(parts, by_part, patients, episodes, problems)
    rows = [by_part[i] if i in by_part else _join_by_patient(patients[i], people) for i in range(len(parts))]
    return Links(episodes, np.where(people == "", episodes, people), rows)


def _read_ids(part: Part, number: int) -> tuple[Coded | None, Coded | None]:
    if part.spec.patient == "one per row":
        lines = part.place.lines[: part.n_rows]
        made = Coded(
            np.arange(part.n_rows, dtype=np.int32),
            np.array([f"{number}-{line}" for line in lines], dtype=object),
        )
        return None, made
    columns = part.spec.columns
    episode = map_ids(part, columns["episode_id"]) if "episode_id" in columns else None
    patient = map_ids(part, columns["patient_id"]) if "patient_id" in columns else None
    return episode, patient


def _number_together(ids: Sequence[Coded]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Number distinct ids over several files, in the order of their text."""
    if not ids:
        return np.array([], dtype=object), []
    used = [coded.values[coded.mark_used()] for coded in ids]
    together = pa.array(np.concatenate(used), pa.string()).unique()
    names = together.take(pc.array_sort_indices(together))
    rows = []
    for coded in ids:
        number = pc.index_in(pa.array(coded.values, pa.string()), value_set=names).fill_null(-1)
        rows.append(np.append(number.to_numpy(zero_copy_only=False), -1).astype(np.int32)[coded.codes])
    return names.to_numpy(zero_copy_only=False).astype(object), rows


def _find_near_duplicates(parts: Sequence[Part], ids: Sequence[Coded | None], problems: Problems) -> None:
    """Ask about ids that differ only by case or blanks: they are merged only where the source says so."""
    given = [pa.array(coded.values, pa.string()) for coded in ids if coded is not None]
    distinct = pa.chunked_array(given, pa.string()).unique()
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(distinct))
    if len(plain.unique()) == len(distinct):
        return
    count = pd.Series(plain.to_pylist()).duplicated(keep=False).to_numpy()
    clash = set(distinct.filter(pa.array(count)).to_pylist())
    for part, coded in zip(parts, ids, strict=True):
        if coded is None:
            continue
        rows = coded.rows(np.array([value in clash for value in coded.values], dtype=bool))
        header = part.spec.columns.get("episode_id", part.spec.columns.get("patient_id", ""))
        part.note_values(
            header,
            rows,
            "KEY_NEAR_DUPLICATE",
            "refuse_file",
            "ids that differ only by case or blanks",
            'if they are one, add to [[file]]: key_normalise = ["strip", "casefold"]; else correct them',
        )


def _find_patients(
    parts: Sequence[Part],
    by_part: dict[int, np.ndarray],
    patients: Sequence[Coded | None],
    episodes: np.ndarray,
    problems: Problems,
) -> np.ndarray:
    """Return the patient of each episode, ``""`` where no file says; refuse episodes with two patients."""
    people = np.full(len(episodes), "", dtype=object)
    for i, rows in by_part.items():
        coded = patients[i]
        if coded is None:
            continue
        known = (rows >= 0) & (coded.codes >= 0)
        texts = coded.spread("")
        first = people[rows[known]] == ""
        people[rows[known][first][::-1]] = texts[known][first][::-1]
        conflict = np.zeros(len(rows), dtype=bool)
        conflict[known] = people[rows[known]] != texts[known]
        both = np.isin(rows, rows[conflict]) if conflict.any() else conflict
        problems.refuse(
            parts[i].records(both),
            "KEY_ATTRIBUTE_CONFLICT",
            "an episode with two patients",
            column=parts[i].spec.columns["patient_id"],
            outcome="quarantine_patient_pair",
        )
    return people


def _join_by_patient(patient: Coded | None, people: np.ndarray) -> np.ndarray:
    if patient is None:
        return np.array([], dtype=np.int32)
    names, first, count = np.unique(people.astype(str), return_index=True, return_counts=True)
    position = {name: int(i) if n == 1 else -1 for name, i, n in zip(names, first, count, strict=True)}
    number = np.array([position.get(value, -1) for value in patient.values] + [-1], dtype=np.int32)
    return number[patient.codes]
