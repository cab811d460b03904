"""The made-up clinic as `Records`, in the shape in which reading its files gives them."""

from __future__ import annotations

from collections.abc import Sequence

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
    columns = {
        "episode_id": name_rows("E", np.arange(len(people))),
        "patient_id": name_rows("P", people.patient),
        "therapy": _categorise(clinic.therapy, read_facts("made_up_clinic")["therapies"]),
        "therapist": name_rows("T", people.therapist, digits=2),
        "age_years": people.age_years.astype(float),
        "previous_episodes": pd.array(people.previous_episodes, dtype="boolean"),
        "start_date": pd.to_datetime(people.start, unit="D"),
        "discharge_day": pd.array(last_session, dtype="Int64"),
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
    """Return one row per episode x day x instrument, by instrument and then by episode and day."""
    facts = read_facts("made_up_clinic")
    ids = name_rows("E", np.arange(len(clinic.people)))
    parts = []
    for name in clinic.scores:
        scores = clinic.scores[name]
        recorded = clinic.attendance.seen & _is_recorded(clinic, name)
        episode, visit = np.nonzero(recorded)
        day, score = clinic.attendance.day[episode, visit], scores[episode, visit]
        part = {"episode": episode, "day": day, "score": score}
        if name in clinic.items:
            part["n_items_missing"] = np.isnan(clinic.items[name][episode, visit]).sum(axis=1)
        part = pd.DataFrame(part)
        if name == "nprs":
            part = pd.concat([part, _tabulate_extra(clinic)], ignore_index=True)
            part = part.sort_values(["episode", "day"], ignore_index=True)
        part["instrument"] = name
        part["variant"] = (facts["scores"].get(name) or facts[name]).get("variant")
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table["episode_id"] = ids[table.pop("episode").to_numpy()]
    return complete_columns(table, "assessments")


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
            "episode_id": name_rows("E", sessions["episode"].to_numpy()),
            "day": sessions["day"],
            "therapy": _categorise(sessions["therapy"].to_numpy(), read_facts("made_up_clinic")["therapies"]),
            "minutes": sessions["minutes"],
        }
    )
    return complete_columns(table, "sessions")


def tabulate_events(clinic: Clinic) -> pd.DataFrame:
    """Return one row per event."""
    events = clinic.events
    table = events.assign(episode_id=name_rows("E", events["episode"].to_numpy())).drop(columns="episode")
    return complete_columns(table, "events")


def name_rows(letter: str, numbers: np.ndarray, digits: int = 5) -> np.ndarray:
    """Return pseudonyms such as ``E00012`` as an array of text."""
    known = np.array(
        [f"{letter}{number + 1:0{digits}d}" for number in range(int(numbers.max(initial=-1)) + 1)]
    )
    return known[numbers] if len(numbers) else np.array([], dtype=str)


def _categorise(codes: np.ndarray, names: Sequence[str]) -> pd.Categorical:
    return pd.Categorical.from_codes(np.asarray(codes, dtype=int), categories=pd.Index(names, dtype="str"))


_TYPES = {"number": "float64", "integer": "Int64", "flag": "boolean", "date": "datetime64[s]"}


def complete_columns(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with exactly the columns of the schema, in its order and types; absent ones are missing."""
    columns = {}
    for column in read_schema()[name].values():
        kind = _TYPES.get(column.type, "category")
        if column.name not in table:
            columns[column.name] = pd.Series(np.nan, index=table.index, dtype="float64").astype(kind)
        elif kind == "category" and table[column.name].dtype != "category":
            columns[column.name] = table[column.name].astype("str").astype("category")
        else:
            columns[column.name] = table[column.name].astype(kind)
    return pd.DataFrame(columns)
