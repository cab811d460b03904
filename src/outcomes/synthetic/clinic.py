"""The made-up clinic as a whole: as arrays, as tables of `Records`, and as the files of its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from outcomes.errors import FactsError, ReportError
from outcomes.facts import read_facts, read_schema, read_source
from outcomes.synthetic.attendance import Attendance, draw_attendance, draw_sessions
from outcomes.synthetic.course import (
    Course,
    choose_therapy,
    draw_course,
    fill_items,
    follow_latent,
    observe_score,
    rate_change,
    rate_levels,
    score_visits,
)
from outcomes.synthetic.events import ENDINGS, draw_endings, draw_events
from outcomes.synthetic.people import People, add_second_episodes, draw_people, name_categories


@dataclass(frozen=True)
class Clinic:
    """A made-up clinic."""

    people: People
    #: Code of each episode's therapy.
    therapy: np.ndarray
    #: By instrument, episodes x visits (the start is the first); NaN where the instrument is not taken.
    scores: Mapping[str, np.ndarray]
    #: The same for instruments with items, episodes x visits x items.
    items: Mapping[str, np.ndarray]
    attendance: Attendance
    sessions: pd.DataFrame
    events: pd.DataFrame


def draw_clinic(n_episodes: int, seed: int, confounding: str, drop_out: bool) -> Clinic:
    """Draw a clinic."""
    facts = read_facts("made_up_clinic")
    if confounding not in facts["confounding"]:
        raise FactsError(f"confounding is one of {', '.join(facts['confounding'])}, not {confounding!r}.")
    if n_episodes < 1:
        raise FactsError("A made-up clinic needs at least one episode: set n_episodes to 1 or more.")
    factor = facts["confounding"][confounding]
    people = draw_people(n_episodes, seed)
    therapy = choose_therapy(draw_course(people, seed), seed, factor)
    cause, end = draw_endings(people, therapy, seed)
    people = add_second_episodes(people, np.where(cause == ENDINGS.index("new_episode"), end, np.inf))
    # Drawn again from the same streams: nothing changes for those whose episode is not a second one.
    course = draw_course(people, seed)
    therapy = choose_therapy(course, seed, factor)
    scores, items = _write_down(course, therapy)
    attendance = draw_attendance(people, scores, therapy, seed, drop_out)
    sessions = draw_sessions(people, attendance, scores, therapy, seed)
    events = draw_events(people, attendance, sessions, therapy, seed)
    return Clinic(people, therapy, scores, items, attendance, sessions, events)


def _write_down(course: Course, therapy: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return scores and items of all visits under the chosen therapies."""
    facts = read_facts("made_up_clinic")
    measures, timepoints = course.measures, facts["timepoints"]
    latent = {
        name: np.column_stack([course.baseline_latent[name], follow_latent(course, therapy, name)])
        for name in facts["scores"]
    }
    scores = {name: observe_score(name, values, measures) for name, values in latent.items()}
    for name, score in facts["scores"].items():
        asked = [True, *(id in score.get("timepoints", timepoints) for id in timepoints)]
        scores[name] = np.where(asked, scores[name], np.nan)
    items = {
        "odi": fill_items(latent["odi"], measures),
        "eq5d_5l": rate_levels(latent["odi"], latent["nprs"], measures),
    }
    scores["eq5d_5l"] = score_visits("eq5d_5l", items["eq5d_5l"], facts["eq5d_5l"]["variant"])
    scores["pgic7"] = rate_change(scores["nprs"], measures)
    return scores, items


def tabulate_episodes(clinic: Clinic) -> pd.DataFrame:
    """Return one row per episode with all columns of the schema."""
    people = clinic.people
    n_sessions = np.bincount(clinic.sessions["episode"], minlength=len(people))
    last_session = clinic.sessions.groupby("episode")["day"].max().reindex(range(len(people)))
    declined = read_source("made-up-clinic").files[0].exclude[0].reason
    columns = {
        "episode_number": pd.array(1 + people.is_second, dtype="Int64"),
        "episode_id": name_rows("E", np.arange(len(people)), len(people)),
        "patient_id": name_rows("P", people.patient, int(people.patient.max()) + 1),
        "therapy": _categorise(clinic.therapy, read_facts("made_up_clinic")["therapies"]),
        "therapist": name_rows("T", people.therapist, people.n_therapists, digits=2),
        "age_years": people.age_years.astype(float),
        "previous_episodes": pd.array(people.previous_episodes, dtype="boolean"),
        "start_date": pd.to_datetime(people.start, unit="D"),
        "discharge_day": last_session.astype("Int64").array,
        "n_sessions": pd.array(n_sessions, dtype="Int64"),
        "observable_days": pd.array(people.observable_days, dtype="Int64"),
        "excluded": _categorise(np.where(people.declined, 0, -1), [declined]),
    }
    work = np.where(people.work_recorded, people.codes["work_status"], -1)
    recorded = {**people.codes, "work_status": work}
    columns |= {name: _categorise(recorded[name], labels) for name, labels in name_categories().items()}
    return complete_columns(pd.DataFrame(columns), "episodes")


def tabulate_assessments(clinic: Clinic) -> pd.DataFrame:
    """Return one row per episode x day x instrument, in that order."""
    facts = read_facts("made_up_clinic")
    names = list(clinic.scores)
    parts = [_tabulate_scores(clinic, name, code) for code, name in enumerate(names)]
    table = pd.concat(parts, ignore_index=True)
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
    scores, items = clinic.scores[name], clinic.items.get(name)
    blank = np.isnan(scores) if items is None else np.isnan(items).all(axis=2)
    episode, visit = np.nonzero(clinic.attendance.seen & ~blank)
    day = clinic.attendance.day[episode, visit]
    held = {"episode": episode, "day": day, "instrument": code, "score": scores[episode, visit]}
    table = pd.DataFrame(held)
    if items is not None:
        table["n_items_missing"] = np.isnan(items[episode, visit]).sum(axis=1)
    if name == "nprs":
        return pd.concat([table, _tabulate_extra(clinic).assign(instrument=code)], ignore_index=True)
    return table


def _tabulate_extra(clinic: Clinic) -> pd.DataFrame:
    """Pain asked before the start or between visits, as it was written down at the start."""
    episode, which = np.nonzero(clinic.attendance.extra_seen)
    day = clinic.attendance.extra_day[episode, which]
    return pd.DataFrame({"episode": episode, "day": day, "score": clinic.scores["nprs"][episode, 0]})


def tabulate_sessions(clinic: Clinic) -> pd.DataFrame:
    """Return one row per session."""
    sessions, known = clinic.sessions, read_facts("made_up_clinic")["therapies"]
    ids = name_rows("E", sessions["episode"].to_numpy(), len(clinic.people))
    therapy = _categorise(sessions["therapy"].to_numpy(), known)
    table = sessions[["day", "minutes"]].assign(episode_id=ids, therapy=therapy)
    return complete_columns(table, "sessions")


def tabulate_events(clinic: Clinic) -> pd.DataFrame:
    """Return one row per event."""
    ids = name_rows("E", clinic.events["episode"].to_numpy(), len(clinic.people))
    return complete_columns(clinic.events.assign(episode_id=ids).drop(columns="episode"), "events")


def name_rows(letter: str, numbers: np.ndarray, n_names: int, digits: int = 5) -> pd.Categorical:
    """Return pseudonyms such as ``E00012``, one of ``n_names``, for numbers from 0."""
    names = [f"{letter}{number:0{digits}d}" for number in range(1, n_names + 1)]
    return pd.Categorical.from_codes(numbers, categories=pd.Index(names, dtype="str"))


def _categorise(codes: np.ndarray, names: Sequence[str]) -> pd.Categorical:
    categories = pd.Index(list(names), dtype="str")
    return pd.Categorical.from_codes(np.asarray(codes, dtype=int), categories=categories)


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


def write_clinic(
    folder: str | Path,
    n_episodes: int = 1200,
    *,
    seed: int = 20261123,
    confounding: str = "moderate",
    drop_out: bool = True,
) -> tuple[Path, ...]:
    """Write the files of a made-up clinic, which `outcomes.records.read_records` reads as ``made-up-clinic``.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist; files of the same names are replaced.
    n_episodes, seed, confounding, drop_out
        As in `simulate_clinic`, whose records these files hold.

    Returns
    -------
    tuple of Path
        ``episodes.csv``, ``assessments.csv`` (one row per episode and day), ``sessions.csv``, ``events.csv``.

    Raises
    ------
    ReportError
        When the folder cannot be written to.
    """
    clinic = draw_clinic(n_episodes, seed, confounding, drop_out)
    sessions = _date_rows(clinic, tabulate_sessions(clinic)).astype({"minutes": "Int64"})
    events = _date_rows(clinic, tabulate_events(clinic))
    tables = {
        "episodes": _lay_out_episodes(clinic),
        "assessments": _lay_out_assessments(clinic),
        "sessions": sessions[["episode_id", "date", "therapy", "minutes"]],
        "events": events[["episode_id", "date", "event", "severity"]],
    }
    paths = {name: Path(folder) / f"{name}.csv" for name in tables}
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            paths[name].write_bytes(table.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReportError(f"The made-up clinic cannot be written: {reason}.", exit_code=9) from None
    return tuple(paths.values())


def _lay_out_episodes(clinic: Clinic) -> pd.DataFrame:
    spec = read_source("made-up-clinic").files[0]
    declined = spec.exclude[0]
    episodes = tabulate_episodes(clinic)
    table = pd.DataFrame({header: episodes[column] for column, header in spec.columns.items()})
    table["age_years"] = table["age_years"].astype("Int64")
    table["previous_episodes"] = np.where(clinic.people.previous_episodes, "yes", "no")
    table["start_date"] = table["start_date"].dt.strftime("%Y-%m-%d")
    table[declined.column] = np.where(clinic.people.declined, declined.values[0], "given")
    return table


def _lay_out_assessments(clinic: Clinic) -> pd.DataFrame:
    """Return one row per episode and day: the visits, and the days on which only pain was asked."""
    specs = read_source("made-up-clinic").files[1].scores
    episode, visit = np.nonzero(clinic.attendance.seen)
    columns = {"episode": episode, "day": clinic.attendance.day[episode, visit]}
    for spec in specs:
        if spec.items:
            items = clinic.items[spec.instrument][episode, visit]
            columns |= {header: items[:, number] for number, header in enumerate(spec.items)}
        else:
            columns[str(spec.column)] = clinic.scores[spec.instrument][episode, visit]
    extra = _tabulate_extra(clinic).rename(columns={"score": "nprs_average"})
    table = pd.concat([pd.DataFrame(columns), extra], ignore_index=True)
    table = table.sort_values(["episode", "day"], kind="stable", ignore_index=True)
    table["episode_id"] = name_rows("E", table["episode"].to_numpy(), len(clinic.people))
    headers = [name for name in columns if name not in ("episode", "day")]
    facts = read_facts("made_up_clinic")["scores"]
    whole = [name for name in headers if not facts.get(name, {}).get("decimals")]
    return _date_rows(clinic, table.astype(dict.fromkeys(whole, "Int64")))[["episode_id", "date", *headers]]


def _date_rows(clinic: Clinic, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the date of each row's day."""
    start = clinic.people.start[table["episode_id"].cat.codes.to_numpy()]
    date = pd.to_datetime(start + table["day"].to_numpy(dtype=np.int64), unit="D")
    return table.assign(date=date.strftime("%Y-%m-%d"))
