"""The therapy of an episode: a blank one is refused, a changing one stays as planned at time zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from outcomes.records.columns import Part, sort_rows
from outcomes.records.episodes.attributes import Attribute
from outcomes.records.episodes.links import Links
from outcomes.records.problems import Problems


def refuse_blank_therapies(
    parts: Sequence[Part], links: Links, therapy: Attribute, blanks: Sequence[np.ndarray], problems: Problems
) -> None:
    """Refuse rows without a therapy unless another row of their episode names it.

    Parameters
    ----------
    parts : sequence of Part
    links : Links
    therapy : Attribute
    blanks : sequence of numpy.ndarray of bool
        Per part, which rows leave the therapy blank.
    problems : Problems
    """
    named = np.zeros(len(links.episodes) + 1, dtype=bool)
    named[therapy.episode] = True
    named[-1] = False
    for part, episode, blank in zip(parts, links.rows, blanks, strict=True):
        if blank.any():
            problems.refuse(
                part.records(blank & ~named[episode] & part.accepted()),
                "THERAPY_MISSING",
                "no therapy in the record",
                column=part.spec.columns["therapy"],
                remedy="name the therapy, or exclude such rows with [[file.exclude]]",
            )


def settle_therapy(
    therapy: Attribute, moment: np.ndarray, placed: np.ndarray, problems: Problems, n_episodes: int
) -> tuple[Attribute, pd.DataFrame]:
    """Keep each episode's first therapy in time, and turn later other ones into events.

    Parameters
    ----------
    therapy : Attribute
        Of rows not refused.
    moment : numpy.ndarray of int
        Per record of the ledger, what orders the rows of an episode: its day after time zero, or the target
        day of its time point.
    placed : numpy.ndarray of bool
        Per record, whether that is a day after time zero.
    problems : Problems
    n_episodes : int

    Returns
    -------
    planned : Attribute
        The rows whose therapy is the planned one.
    events : pandas.DataFrame
        One row per switch with a known day: ``episode, day, event``.
    """
    moment, placed = moment[therapy.records], placed[therapy.records]
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
        said="The therapy of an episode's first record counts; a later other one is a switch, on the day of "
        "its record or the target day of its time point.",
    )
    switches = pd.DataFrame(
        {"episode": therapy.episode[other], "day": moment[other], "event": "therapy_switch"}
    )
    switches = switches[placed[other]].sort_values(["episode", "day"], kind="stable")
    return therapy.keep(~other), switches.drop_duplicates("episode")
