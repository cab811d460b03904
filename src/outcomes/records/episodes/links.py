"""From the ids of several files to one list of episodes and their patients."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from outcomes.records.columns.coded import Coded, number_texts
from outcomes.records.columns.mapping import map_ids
from outcomes.records.columns.part import Part
from outcomes.records.episodes.courses import number_by_labels, number_by_start, settle_repeated
from outcomes.records.episodes.sharing import ask_about_sharing, ask_about_zeros
from outcomes.records.episodes.times import Links
from outcomes.records.problems import Problems


def link_parts(parts: Sequence[Part], problems: Problems) -> Links:
    """Number the episodes over all files, and find each one's patient.

    Where no ``episode_id`` is mapped, a patient has an episode for each first day, else one. A file that has
    only patients joins the episodes of those who have exactly one.
    """
    read = [_read_ids(part, number) for number, part in enumerate(parts, start=1)]
    keys, patients = [key for key, _ in read], [patient for _, patient in read]
    has_episodes = any("episode_id" in part.spec.columns for part in parts)
    ids = keys if has_episodes else patients
    _find_near_duplicates(parts, ids, problems)
    ask_about_zeros(parts, ids, problems)
    names, numbered = number_texts([coded for coded in ids if coded is not None])
    with_id = iter(numbered)
    rows = [None if coded is None else next(with_id) for coded in ids]
    told = [i for i, numbers in enumerate(rows) if numbers is not None]
    if not has_episodes:
        return _split_patients(parts, names, numbered, problems)
    here = [parts[i] for i in told]
    ask_about_sharing(here, numbered, len(names), problems)
    settle_repeated(here, numbered, len(names), None, problems)
    people = _find_patients(parts, dict(zip(told, numbered, strict=True)), patients, names, problems)
    joined = [
        _join_by_patient(patient, people) if numbers is None else numbers
        for numbers, patient in zip(rows, patients, strict=True)
    ]
    return Links(names, np.where(people == "", names, people), joined, _rank_by_file(joined, len(names)))


def _split_patients(
    parts: Sequence[Part], patients: np.ndarray, rows: list[np.ndarray], problems: Problems
) -> Links:
    """Return the episodes of patients where no id tells them apart: one for each first day or course."""
    n = len(patients)
    sharing = ask_about_sharing(parts, rows, n, problems)
    rows = [numbers.copy() for numbers in rows]
    courses, dated = number_by_start(parts, rows, sharing, problems)
    number_by_labels(parts, rows, courses, problems)
    n_courses = 1 + max((int(course.max(initial=0)) for course in courses), default=0)
    packed = [
        np.where(numbers >= 0, numbers.astype(np.int64) * n_courses + course, -1)
        for numbers, course in zip(rows, courses, strict=True)
    ]
    later = settle_repeated(parts, packed, n * n_courses, np.repeat(~dated, n_courses), problems)
    n_later = 1 + max((int(course.max(initial=0)) for course in later), default=0)
    packed = [
        np.where(numbers >= 0, numbers * n_later + course, -1)
        for numbers, course in zip(packed, later, strict=True)
    ]
    if n_courses * n_later == 1:
        return Links(patients, patients, rows, _rank_by_file(rows, n))
    pairs = np.unique(np.concatenate(packed))
    pairs = pairs[pairs >= 0]
    who, course = np.divmod(pairs, n_courses * n_later)
    names = np.array(
        [patients[i] if not k else f"{patients[i]} #{k + 1}" for i, k in zip(who, course, strict=True)],
        dtype=object,
    )
    order = np.argsort(names.astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    numbered = [
        np.where(numbers >= 0, np.append(place, -1)[np.searchsorted(pairs, numbers)], -1).astype(np.int32)
        for numbers in packed
    ]
    return Links(names[order], patients[who[order]], numbered, _rank_by_file(numbered, len(names)))


def _rank_by_file(rows: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Return the place of each episode's first row among the rows of all files."""
    stop = sum(map(len, rows))
    first = np.full(n, stop, dtype=np.int64)
    for numbers in reversed(rows):
        stop -= len(numbers)
        known = np.flatnonzero(numbers >= 0)[::-1]
        first[numbers[known]] = stop + known
    return first


def _read_ids(part: Part, number: int) -> tuple[Coded | None, Coded | None]:
    if part.spec.patient == "one per row":
        lines = part.place.lines[: part.n_rows]
        made = Coded(
            np.arange(part.n_rows, dtype=np.int32),
            np.array([f"{number}-{line}" for line in lines], dtype=object),
        )
        return None, made
    columns = part.spec.columns
    episode = map_ids(part, "episode_id") if "episode_id" in columns else None
    patient = map_ids(part, "patient_id") if "patient_id" in columns else None
    return episode, patient


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
        part.note_values(part.find_id_header() or "", rows, "KEY_NEAR_DUPLICATE", "refuse_file")


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
        records, header = parts[i].records(both), parts[i].spec.columns["patient_id"]
        problems.refuse("KEY_ATTRIBUTE_CONFLICT.two_patients", records, column=header, contradict=True)
    return people


def _join_by_patient(patient: Coded | None, people: np.ndarray) -> np.ndarray:
    if patient is None:
        return np.array([], dtype=np.int32)
    names, first, count = np.unique(people.astype(str), return_index=True, return_counts=True)
    position = {name: int(i) if n == 1 else -1 for name, i, n in zip(names, first, count, strict=True)}
    number = np.array([position.get(value, -1) for value in patient.values] + [-1], dtype=np.int32)
    return number[patient.codes]
