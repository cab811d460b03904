"""Made-up records with known truth: a spine clinic that shows every part of the package at work."""

import hashlib

import pandas as pd

from outcomes.facts import read_source
from outcomes.records.tables import Records
from outcomes.synthetic.clinic import (
    draw_clinic,
    tabulate_assessments,
    tabulate_episodes,
    tabulate_events,
    tabulate_sessions,
    write_clinic,
)
from outcomes.synthetic.truth import true_courses, true_effects, true_harms, true_recurrence

__all__ = [
    "simulate_clinic",
    "true_courses",
    "true_effects",
    "true_harms",
    "true_recurrence",
    "write_clinic",
]


def simulate_clinic(
    n_episodes: int = 1200, *, seed: int = 20261123, confounding: str = "moderate", drop_out: bool = True
) -> Records:
    """Draw the records of a made-up clinic, the same for the same seed on every platform.

    Parameters
    ----------
    n_episodes : int
        Episodes, second ones of the same patient included.
    seed : int
    confounding : str
        How much therapies are chosen by severity: ``none``, ``moderate`` or ``strong``.
    drop_out : bool
        Whether patients leave or skip visits, depending on their earlier scores.

    Returns
    -------
    Records

    Raises
    ------
    FactsError
        When ``confounding`` is unknown or there are no episodes.

    Examples
    --------
    >>> simulate_clinic(50, seed=1).n_refused
    0
    """
    clinic = draw_clinic(n_episodes, seed, confounding, drop_out)
    episodes, assessments = tabulate_episodes(clinic), tabulate_assessments(clinic)
    sessions, events = tabulate_sessions(clinic), tabulate_events(clinic)
    n_visits = len(assessments[["episode_id", "day"]].drop_duplicates())
    n_read = len(episodes) + n_visits + len(sessions) + len(events)
    recipe = f"{n_episodes} {seed} {confounding} {drop_out}"
    return Records(
        source=read_source("made-up-clinic"),
        episodes=episodes,
        assessments=assessments,
        sessions=sessions,
        events=events,
        refused=pd.DataFrame(columns=["file", "line", "column", "rule", "reason", "scope"]),
        findings=(),
        unmapped={},
        n_read=n_read,
        n_accepted=n_read,
        n_refused=0,
        fingerprint=hashlib.sha256(recipe.encode()).hexdigest(),
    )
