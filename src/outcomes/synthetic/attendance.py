"""Who is seen when, with drop-out that depends on earlier scores; sessions and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.facts import read_facts, read_timepoints
from outcomes.synthetic.course import lead_severity
from outcomes.synthetic.people import Draws, People, count_days, list_by_therapy


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
    observable = count_days(facts["calendar"]["extracted_on"]) - people.start
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


def draw_sessions(attendance: Attendance, therapy: np.ndarray, seed: int) -> pd.DataFrame:
    """Draw the sessions: about weekly from the start until the plan is done or the patient stays away.

    One row per session in order: ``episode`` (number), ``day``, ``therapy`` (code) and ``minutes``.
    """
    rule, draws = read_facts("made_up_clinic")["sessions"], Draws(seed, "sessions")
    n, most = len(therapy), rule["maximum"]
    planned = list_by_therapy(rule["planned"])[therapy]
    planned = np.clip(planned + draws.whole_days(rule["planned_spread"], n), 1, most)
    gaps = np.rint(rule["interval_days"] + rule["interval_sd"] * draws.normal(n, most))
    gaps = np.clip(gaps, rule["interval_minimum"], None)
    gaps[:, 0] = np.maximum(attendance.day[:, 0], 0) + draws.whole_days(rule["first_session_days"], n)
    day = np.cumsum(gaps, axis=1).astype(np.int64)
    stayed = day <= np.maximum(attendance.last_day, day[:, 0])[:, None]
    episode, number = np.nonzero((np.arange(most) < planned[:, None]) & stayed)
    longer = draws.whole_days((-1, 1), n * most).reshape(n, most)[episode, number]
    columns = {"episode": episode, "day": day[episode, number], "therapy": therapy[episode]}
    minutes = list_by_therapy(rule["minutes"])[therapy][episode] + rule["minutes_step"] * longer
    return pd.DataFrame({**columns, "minutes": minutes})


def draw_events(
    attendance: Attendance, sessions: pd.DataFrame, therapy: np.ndarray, observable: np.ndarray, seed: int
) -> pd.DataFrame:
    """Draw the events, one row each: ``episode`` (number), ``day``, ``event`` and a ``severity`` of harms."""
    rule, draws = read_facts("made_up_clinic")["events"], Draws(seed, "events")
    n = len(therapy)
    parts = [_draw_adverse(sessions, draws)]
    for name, earliest in rule["earliest_day"].items():
        share = rule[name]
        if isinstance(share, dict):
            share = list_by_therapy(share)[therapy]
        day = draws.whole_days((earliest, earliest + rule["span_days"]), n)
        seen = (draws.uniform(n) < share) & (day <= observable)
        parts.append(pd.DataFrame({"episode": np.flatnonzero(seen), "day": day[seen], "event": name}))
    day = attendance.last_day + rule["withdrawal_after_days"]
    gone = (draws.uniform(n) < rule["withdrawal"]) & (attendance.last_day < observable) & (day <= observable)
    parts.append(pd.DataFrame({"episode": np.flatnonzero(gone), "day": day[gone], "event": "withdrawal"}))
    events = pd.concat(parts, ignore_index=True)
    return events.sort_values(["episode", "day", "event"], kind="stable", ignore_index=True)


def _draw_adverse(sessions: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    rule = read_facts("made_up_clinic")["events"]
    chance = list_by_therapy(rule["adverse_event"])[sessions["therapy"].to_numpy()]
    happened = draws.uniform(len(sessions)) < chance
    severity = np.array(list(rule["severity"]))[draws.category(rule["severity"], len(sessions))]
    adverse = sessions.loc[happened, ["episode", "day"]].reset_index(drop=True)
    return adverse.assign(event="adverse_event", severity=severity[happened])
