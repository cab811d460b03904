"""The made-up clinic as a whole: every array that its records and its files are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.errors import FactsError
from outcomes.facts import read_facts
from outcomes.synthetic.attendance import Attendance, draw_attendance, draw_events, draw_sessions
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
from outcomes.synthetic.people import People, count_days, draw_people


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
    people = draw_people(n_episodes, seed)
    course = draw_course(people, seed)
    therapy = choose_therapy(course, seed, facts["confounding"][confounding])
    scores, items = _write_down(course, therapy)
    attendance = draw_attendance(people, scores, therapy, seed, drop_out)
    sessions = draw_sessions(attendance, therapy, seed)
    observable = count_days(facts["calendar"]["extracted_on"]) - people.start
    events = draw_events(attendance, sessions, therapy, observable, seed)
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
