"""Therapies that change within an episode: kept as planned at time zero, the change becoming an event."""

from __future__ import annotations

import numpy as np
import pandas as pd

from outcomes.records.columns import NO_DATE, sort_rows
from outcomes.records.episodes.attributes import Attribute
from outcomes.records.problems import Problems


def find_planned_therapy(
    therapy: Attribute, moment: np.ndarray, day: np.ndarray, problems: Problems, n_episodes: int
) -> tuple[Attribute, pd.DataFrame]:
    """Keep each episode's first therapy in time, and turn later other ones into events.

    Parameters
    ----------
    therapy : Attribute
        Of rows not refused.
    moment : numpy.ndarray of int
        Per row, what orders the rows of an episode: date, day or place of its time point.
    day : numpy.ndarray of int32
        Per row, the day after time zero, `NO_DATE` where unknown.
    problems : Problems
    n_episodes : int

    Returns
    -------
    planned : Attribute
        The rows whose therapy is the planned one.
    events : pandas.DataFrame
        One row per switch with a known day: ``episode, day, event``.
    """
    order = sort_rows(therapy.episode, moment)
    first = np.full(n_episodes, -1, dtype=np.int32)
    first[therapy.episode[order][::-1]] = therapy.codes[order][::-1]
    other = therapy.codes != first[therapy.episode]
    problems.note(
        "THERAPY_SWITCH",
        "accept_with_warning",
        "the therapy changes within an episode, which stays under the one planned at time zero",
        therapy.records[other],
        column=therapy.header,
    )
    switches = pd.DataFrame(
        {"episode": therapy.episode[other], "day": day[other].astype(np.int64), "event": "therapy_switch"}
    )
    switches = switches[day[other] != NO_DATE].sort_values(["episode", "day"], kind="stable")
    return therapy.keep(~other), switches.drop_duplicates("episode")
