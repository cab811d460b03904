"""The made-up clinic as `Records`, in the shape in which reading its files gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from outcomes.facts import read_facts, read_schema
from outcomes.synthetic.clinic import Clinic
from outcomes.synthetic.people import count_days, name_categories


def tabulate_episodes(clinic: Clinic) -> pd.DataFrame:
    """Return one row per episode with all columns of the schema."""
    people = clinic.people
    n_sessions = np.bincount(clinic.sessions["episode"], minlength=len(people))
    last_session = clinic.sessions.groupby("episode")["day"].max().reindex(range(len(people)))
    later = pd.DataFrame({"patient": people.patient, "start": people.start}).sort_values(
        "start", kind="stable"
    )
    columns = {
        "episode_number": pd.array(
            (later.groupby("patient").cumcount().sort_index() + 1).to_numpy(), dtype="Int64"
        ),
        "episode_id": name_rows("E", np.arange(len(people)), len(people)),
        "patient_id": name_rows("P", people.patient, int(people.patient.max()) + 1),
        "therapy": _categorise(clinic.therapy, read_facts("made_up_clinic")["therapies"]),
        "therapist": name_rows("T", people.therapist, people.n_therapists, digits=2),
        "age_years": people.age_years.astype(float),
        "previous_episodes": pd.array(people.previous_episodes, dtype="boolean"),
        "start_date": pd.to_datetime(people.start, unit="D"),
        "discharge_day": last_session.astype("Int64").array,
        "n_sessions": pd.array(n_sessions, dtype="Int64"),
        "observable_days": pd.array(
            count_days(read_facts("made_up_clinic")["calendar"]["extracted_on"]) - people.start, dtype="Int64"
        ),
        "excluded": _categorise(np.where(people.declined, 0, -1), [_declined_reason()]),
    }
    for name, labels in name_categories().items():
        codes = people.codes[name]
        columns[name] = _categorise(
            np.where(people.work_recorded, codes, -1) if name == "work_status" else codes, labels
        )
    return complete_columns(pd.DataFrame(columns), "episodes")


def _declined_reason() -> str:
    from outcomes.facts import read_source

    return read_source("made-up-clinic").files[0].exclude[0].reason


def tabulate_assessments(clinic: Clinic) -> pd.DataFrame:
    """Return one row per episode x day x instrument, in that order."""
    facts = read_facts("made_up_clinic")
    names = list(clinic.scores)
    table = pd.concat(
        [_tabulate_scores(clinic, name, code) for code, name in enumerate(names)], ignore_index=True
    )
    table = table.sort_values(["episode", "day", "instrument"], kind="stable", ignore_index=True)
    variants = [(facts["scores"].get(name) or facts[name]).get("variant") for name in names]
    known = sorted({variant for variant in variants if variant})
    variant_codes = np.array([known.index(variant) if variant else -1 for variant in variants])
    code = table["instrument"].to_numpy()
    table["episode_id"] = name_rows("E", table.pop("episode").to_numpy(), len(clinic.people))
    table["variant"] = _categorise(variant_codes[code], known)
    table["instrument"] = _categorise(code, names)
    return complete_columns(table, "assessments")


def _tabulate_scores(clinic: Clinic, name: str, code: int) -> pd.DataFrame:
    """Return the assessments with one instrument, its number in place of its id."""
    episode, visit = np.nonzero(clinic.attendance.seen & _is_recorded(clinic, name))
    columns = {
        "episode": episode, "day": clinic.attendance.day[episode, visit], "instrument": code,
        "score": clinic.scores[name][episode, visit],
    }  # fmt: skip
    if name in clinic.items:
        columns["n_items_missing"] = np.isnan(clinic.items[name][episode, visit]).sum(axis=1)
    table = pd.DataFrame(columns)
    if name == "nprs":
        return pd.concat([table, _tabulate_extra(clinic).assign(instrument=code)], ignore_index=True)
    return table


def _is_recorded(clinic: Clinic, name: str) -> np.ndarray:
    """Whether anything of an instrument was written down, episodes x visits."""
    if name in clinic.items:
        return ~np.isnan(clinic.items[name]).all(axis=2)
    return ~np.isnan(clinic.scores[name])


def _tabulate_extra(clinic: Clinic) -> pd.DataFrame:
    """Pain asked before the start or between visits, as it was written down at the start."""
    episode, which = np.nonzero(clinic.attendance.extra_seen)
    day = clinic.attendance.extra_day[episode, which]
    return pd.DataFrame({"episode": episode, "day": day, "score": clinic.scores["nprs"][episode, 0]})


def tabulate_sessions(clinic: Clinic) -> pd.DataFrame:
    """Return one row per session."""
    sessions = clinic.sessions
    table = pd.DataFrame(
        {
            "episode_id": name_rows("E", sessions["episode"].to_numpy(), len(clinic.people)),
            "day": sessions["day"],
            "therapy": _categorise(sessions["therapy"].to_numpy(), read_facts("made_up_clinic")["therapies"]),
            "minutes": sessions["minutes"],
        }
    )
    return complete_columns(table, "sessions")


def tabulate_events(clinic: Clinic) -> pd.DataFrame:
    """Return one row per event."""
    events = clinic.events
    ids = name_rows("E", events["episode"].to_numpy(), len(clinic.people))
    table = events.assign(episode_id=ids).drop(columns="episode")
    return complete_columns(table, "events")


def name_rows(letter: str, numbers: np.ndarray, n_names: int, digits: int = 5) -> pd.Categorical:
    """Return pseudonyms such as ``E00012``, one of ``n_names``, for numbers from 0."""
    names = [f"{letter}{number:0{digits}d}" for number in range(1, n_names + 1)]
    return pd.Categorical.from_codes(numbers, categories=pd.Index(names, dtype="str"))


def _categorise(codes: np.ndarray, names: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(
        np.asarray(codes, dtype=int), categories=pd.Index(list(names), dtype="str")
    )


_TYPES: dict[str, Any] = {"number": "float64", "integer": "Int64", "flag": "boolean", "date": "datetime64[s]"}


def complete_columns(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with the columns of the schema, in its order and types; absent ones are missing."""
    columns = {}
    for column in read_schema()[name].values():
        kind: Any = _TYPES.get(column.type, "category")
        if column.name not in table:
            columns[column.name] = pd.Series(np.nan, index=table.index, dtype="float64").astype(kind)
        elif kind == "category" and table[column.name].dtype != "category":
            columns[column.name] = table[column.name].astype("str").astype("category")
        else:
            columns[column.name] = table[column.name].astype(kind)
    return pd.DataFrame(columns)
