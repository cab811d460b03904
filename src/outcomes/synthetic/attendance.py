"""Who is seen when, with drop-out that depends on earlier scores; and the sessions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.facts import read_facts, read_timepoints
from outcomes.synthetic.course import lead_severity
from outcomes.synthetic.people import Draws, People, list_by_therapy


@dataclass(frozen=True)
class Attendance:
    """Days and presence, episodes x visits (the start is the first)."""

    #: Day of each visit after time zero.
    day: np.ndarray
    #: Whether the visit took place before the records were taken.
    seen: np.ndarray
    #: Last day on which the patient would come at all, one entry per episode.
    last_day: np.ndarray
    #: Days of one visit before the start and one between visits, at which only pain is asked; episodes x 2.
    extra_day: np.ndarray
    extra_seen: np.ndarray


def draw_attendance(
    people: People, scores: Mapping[str, np.ndarray], therapy: np.ndarray, seed: int, drop_out: bool
) -> Attendance:
    """Draw who is seen when."""
    facts = read_facts("made_up_clinic")
    draws = Draws(seed, "attendance")
    day = _draw_days(draws, len(people))
    left, skipped = _draw_leaving(draws, scores, therapy)
    absent = (left | skipped) if drop_out else np.zeros_like(left)
    observable = people.observable_days
    last_day = observable.copy()
    if drop_out:
        gone = left.any(axis=1)
        last_seen = day[np.arange(len(people)), np.maximum(left.argmax(axis=1) - 1, 0)]
        last_day = np.where(gone, np.minimum(np.maximum(last_seen, 0), observable), observable)
    extra_day = np.column_stack(
        [draws.whole_days(facts["visits"][key], len(people)) for key in ("intake_days", "interim_days")]
    )
    shares = np.array([facts["visits"]["intake_share"], facts["visits"]["interim_share"]])
    extra_seen = (draws.uniform(len(people), 2) < shares) & (extra_day <= last_day[:, None])
    return Attendance(day, ~absent & (day <= observable[:, None]), last_day, extra_day, extra_seen)


def _draw_days(draws: Draws, n: int) -> np.ndarray:
    facts = read_facts("made_up_clinic")
    visits = facts["visits"]
    which = draws.uniform(n)
    early, late = (draws.whole_days(visits[key], n) for key in ("early_baseline_days", "late_baseline_days"))
    start = np.where(which < visits["early_baseline_share"], early, 0)
    start = np.where(which >= 1 - visits["late_baseline_share"], late, start)
    timepoints = [read_timepoints()[id] for id in facts["timepoints"]]
    target, first, last = (
        np.array([getattr(timepoint, key) for timepoint in timepoints])
        for key in ("day", "first_day", "last_day")
    )
    spread = np.asarray(visits["spread_days"])
    later = np.clip(np.rint(target + spread * draws.normal(n, len(target))), first, last)
    return np.column_stack([start, later]).astype(np.int64)


def _draw_leaving(
    draws: Draws, scores: Mapping[str, np.ndarray], therapy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return who has left by each visit and who skips only that one, episodes x visits."""
    facts = read_facts("made_up_clinic")
    rule, n_visits = facts["drop_out"], len(facts["timepoints"])
    slopes = list_by_therapy(rule["slope"])[therapy]
    left = np.zeros((len(therapy), n_visits + 1), dtype=bool)
    chance = draws.uniform(len(therapy), n_visits)
    for visit in range(1, n_visits + 1):
        before = lead_severity({id: values[:, visit - 1] for id, values in scores.items()})
        odds = np.exp(rule["intercept"][visit - 1] + slopes * (before + (visit > 1) * rule["expected_drop"]))
        left[:, visit] = left[:, visit - 1] | (chance[:, visit - 1] < odds / (1 + odds))
    skipped = draws.uniform(*left.shape) < rule["skipped_share"]
    skipped[:, 0] = False
    return left, skipped


def draw_sessions(
    people: People, attendance: Attendance, scores: Mapping[str, np.ndarray], therapy: np.ndarray, seed: int
) -> pd.DataFrame:
    """Draw the sessions: about weekly from the start until the plan is done or the patient stays away.

    One row per session in order: ``episode`` (number), ``day``, ``therapy`` (code) and ``minutes``.
    """
    rule, draws = read_facts("made_up_clinic")["sessions"], Draws(seed, "sessions")
    day, given = _plan_sessions(draws, attendance, scores, therapy)
    last_day = np.minimum(np.maximum(attendance.last_day, day[:, 0]), people.observable_days)
    numbers = np.arange(rule["maximum"])
    episode, which = np.nonzero((numbers < given[:, None]) & (day <= last_day[:, None]))
    longer = draws.whole_days((-1, 1), day.size).reshape(day.shape)[episode, which]
    columns = {"episode": episode, "day": day[episode, which], "therapy": therapy[episode]}
    minutes = list_by_therapy(rule["minutes"])[therapy][episode] + rule["minutes_step"] * longer
    return pd.DataFrame({**columns, "minutes": minutes})


def _plan_sessions(
    draws: Draws, attendance: Attendance, scores: Mapping[str, np.ndarray], therapy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the day of each possible session, episodes x sessions, and how many an episode is to have.

    After the review (the first visit) those who then do worse than expected get more, those who do better
    fewer.
    """
    facts = read_facts("made_up_clinic")
    rule, n, most = facts["sessions"], len(therapy), facts["sessions"]["maximum"]
    planned = list_by_therapy(rule["planned"])[therapy]
    planned = np.clip(planned + draws.whole_days(rule["planned_spread"], n), 1, most)
    gaps = np.rint(rule["interval_days"] + rule["interval_sd"] * draws.normal(n, most))
    gaps = np.clip(gaps, rule["interval_minimum"], None)
    gaps[:, 0] = np.maximum(attendance.day[:, 0], 0) + draws.whole_days(rule["first_session_days"], n)
    day = np.cumsum(gaps, axis=1).astype(np.int64)
    beyond = np.arange(most) >= planned[:, None]
    early = ((day <= rule["review_day"]) & ~beyond).sum(axis=1)
    # Sessions that the review adds to a plan already done begin after it.
    day += beyond * np.maximum(rule["review_day"] - day[np.arange(n), planned - 1], 0)[:, None]
    course = lead_severity({id: values[:, 1] for id, values in scores.items()})
    more = np.rint(rule["more_by_severity"] * (course + facts["drop_out"]["expected_drop"])).astype(np.int64)
    return day, np.maximum(planned + more, early)
