"""Sessions and events of the made-up clinic; neither changes a score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from outcomes.facts import read_facts
from outcomes.synthetic.attendance import Attendance
from outcomes.synthetic.draws import Draws


def draw_sessions(attendance: Attendance, therapy: np.ndarray, seed: int) -> pd.DataFrame:
    """Draw the sessions: about weekly from the start until the plan is done or the patient stays away."""
    facts = read_facts("made_up_clinic")
    rule = facts["sessions"]
    draws = Draws(seed, "sessions")
    n, most = len(therapy), rule["maximum"]
    planned = np.array([rule["planned"][id] for id in facts["therapies"]])[therapy]
    planned = np.clip(planned + draws.whole_days(rule["planned_spread"], n), 1, most)
    gaps = np.rint(rule["interval_days"] + rule["interval_sd"] * draws.normal(n, most))
    gaps = np.clip(gaps, rule["interval_minimum"], None)
    gaps[:, 0] = np.maximum(attendance.day[:, 0], 0) + draws.whole_days(rule["first_session_days"], n)
    day = np.cumsum(gaps, axis=1).astype(np.int64)
    happened = (np.arange(most) < planned[:, None]) & (
        day <= np.maximum(attendance.last_day, day[:, 0])[:, None]
    )
    episode, number = np.nonzero(happened)
    minutes = np.array([rule["minutes"][id] for id in facts["therapies"]])[therapy][episode]
    longer = draws.whole_days((-1, 1), n * most).reshape(n, most)[episode, number]
    minutes = minutes + rule["minutes_step"] * longer
    return pd.DataFrame(
        {"episode": episode, "day": day[episode, number], "therapy": therapy[episode], "minutes": minutes}
    )


def draw_events(
    attendance: Attendance, sessions: pd.DataFrame, therapy: np.ndarray, observable: np.ndarray, seed: int
) -> pd.DataFrame:
    """Draw the events."""
    facts = read_facts("made_up_clinic")
    rule, draws = facts["events"], Draws(seed, "events")
    n = len(therapy)
    parts = [_draw_adverse(sessions, draws)]
    for name, earliest in rule["earliest_day"].items():
        share = rule[name]
        if isinstance(share, dict):
            share = np.array([share[id] for id in facts["therapies"]])[therapy]
        day = draws.whole_days((earliest, earliest + rule["span_days"]), n)
        seen = (draws.uniform(n) < share) & (day <= observable)
        parts.append(pd.DataFrame({"episode": np.flatnonzero(seen), "day": day[seen], "event": name}))
    day = attendance.last_day + rule["withdrawal_after_days"]
    gone = (draws.uniform(n) < rule["withdrawal"]) & (attendance.last_day < observable) & (day <= observable)
    parts.append(pd.DataFrame({"episode": np.flatnonzero(gone), "day": day[gone], "event": "withdrawal"}))
    events = pd.concat(parts, ignore_index=True)
    return events.sort_values(["episode", "day", "event"], kind="stable", ignore_index=True)


def _draw_adverse(sessions: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    facts = read_facts("made_up_clinic")
    rule = facts["events"]
    chance = np.array([rule["adverse_event"][id] for id in facts["therapies"]])[
        sessions["therapy"].to_numpy()
    ]
    happened = draws.uniform(len(sessions)) < chance
    severity = np.array(list(rule["severity"]))[draws.category(rule["severity"], len(sessions))]
    adverse = sessions.loc[happened, ["episode", "day"]].reset_index(drop=True)
    return adverse.assign(event="adverse_event", severity=severity[happened])
