"""Events of an episode: recurrence, surgery and injection, harms, switches and withdrawals.

No event changes a score, and of what happens only withdrawal follows from how a patient fares.
"""

import numpy as np
import pandas as pd

from outcomes.facts import read_facts
from outcomes.synthetic.attendance import Attendance
from outcomes.synthetic.people import Draws, People, list_by_therapy

ENDINGS = ("surgery", "injection", "new_episode")
DAYS_PER_YEAR = 365.25


def draw_frailty(sd: float, normal: np.ndarray) -> np.ndarray:
    """Return factors on a rate, lognormal with mean 1, from standard normal numbers."""
    return np.exp(sd * normal - sd**2 / 2)


def draw_endings(people: People, therapy: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of `ENDINGS` (code) ends each episode, and on which day: infinite after the records.

    Of a second episode none is recorded.
    """
    rules, draws = read_facts("made_up_clinic")["recurrence"], Draws(seed, "endings")
    times = np.empty((len(ENDINGS), len(people)))
    for number, name in enumerate(ENDINGS):
        per_day = list_by_therapy(rules[name]["per_year"])[therapy] / DAYS_PER_YEAR
        times[number] = rules[name]["earliest_day"] - np.log1p(-draws.uniform(len(people))) / per_day
    times[ENDINGS.index("new_episode"), people.is_second] = np.inf
    day = np.floor(times.min(axis=0))
    return times.argmin(axis=0), np.where(day <= people.observable_days, day, np.inf)


def draw_events(
    people: People, attendance: Attendance, sessions: pd.DataFrame, therapy: np.ndarray, seed: int
) -> pd.DataFrame:
    """Draw the events, one row each: ``episode`` (number), ``day``, ``event`` and a ``severity`` of harms."""
    rule, draws = read_facts("made_up_clinic")["events"], Draws(seed, "events")
    n, observable = len(people), people.observable_days
    cause, end = draw_endings(people, therapy, seed)
    parts = [_draw_adverse(people, sessions, seed), _draw_reconsultations(people, therapy, end, seed)]
    switch = draws.whole_days(rule["switch_days"], n).astype(float)
    switch[draws.uniform(n) >= rule["therapy_switch"]] = np.inf
    left = attendance.last_day + float(rule["withdrawal_after_days"])
    left[(draws.uniform(n) >= rule["withdrawal"]) | (attendance.last_day >= observable)] = np.inf
    days = {"therapy_switch": switch, "withdrawal": left}
    days |= {name: np.where(cause == ENDINGS.index(name), end, np.inf) for name in ("surgery", "injection")}
    for name, day in days.items():
        seen = np.flatnonzero(day <= observable)
        parts.append(pd.DataFrame({"episode": seen, "day": day[seen].astype(np.int64), "event": name}))
    events = pd.concat(parts, ignore_index=True)
    return events.sort_values(["episode", "day", "event"], kind="stable", ignore_index=True)


def _draw_reconsultations(people: People, therapy: np.ndarray, end: np.ndarray, seed: int) -> pd.DataFrame:
    """Draw repeated reconsultations, each patient with a tendency of their own, until the episode ends."""
    facts, draws = read_facts("made_up_clinic")["recurrence"], Draws(seed, "reconsultations")
    rule, n = facts["reconsultation"], len(people)
    frailty = draw_frailty(facts["frailty_sd"], draws.normal(n))[people.patient]
    per_day = list_by_therapy(rule["per_year"])[therapy] * frailty / DAYS_PER_YEAR
    gaps = 1 + np.floor(-np.log1p(-draws.uniform(n, facts["maximum"])) / per_day[:, None])
    day = rule["earliest_day"] - 1 + np.cumsum(gaps, axis=1)
    episode, which = np.nonzero(day < np.minimum(end, people.observable_days + 1)[:, None])
    seen = day[episode, which].astype(np.int64)
    return pd.DataFrame({"episode": episode, "day": seen, "event": "reconsultation"})


def _draw_adverse(people: People, sessions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw harms at sessions, each patient with a tendency of their own; one site writes none down."""
    rule, draws = read_facts("made_up_clinic")["harms"], Draws(seed, "harms")
    episode = sessions["episode"].to_numpy()
    frailty = draw_frailty(rule["frailty_sd"], draws.normal(len(people)))[people.patient]
    chance = list_by_therapy(rule["per_session"])[sessions["therapy"].to_numpy()] * frailty[episode]
    happened = draws.uniform(len(sessions)) < chance
    happened &= ~people.is_in("site", rule["not_recorded_at"])[episode]
    severity = np.array(list(rule["severity"]))[draws.category(rule["severity"], len(sessions))]
    adverse = sessions.loc[happened, ["episode", "day"]].reset_index(drop=True)
    return adverse.assign(event="adverse_event", severity=severity[happened])
