"""Which episodes stay, which the source or the checks exclude, and how many sessions each had."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outcomes.facts import read_facts
from outcomes.records.columns import NO_DATE, Part
from outcomes.records.episodes.courses import FILE_ORDER, ORDER_SAID
from outcomes.records.episodes.links import Links
from outcomes.records.problems import Problems


def keep_episodes(parts: Sequence[Part], links: Links, problems: Problems) -> np.ndarray:
    """Return which episodes have an accepted record; rows of other files about none of them are refused.

    Episodes come from the files with one row per episode; where there is none, from the assessments.
    """
    base = [i for i, part in enumerate(parts) if part.spec.rows == "episode"]
    base = base or [i for i, part in enumerate(parts) if part.spec.rows == "assessment"]
    kept = np.zeros(len(links.episodes) + 1, dtype=bool)
    for i in base:
        episode = links.rows[i][parts[i].accepted()]
        kept[episode[episode >= 0]] = True
    for i, part in enumerate(parts):
        if i not in base:
            columns = part.spec.columns
            problems.refuse(
                part.records(~kept[links.rows[i]] & part.accepted()),
                "EPISODE_UNKNOWN",
                "no accepted record of this episode in the file that describes the episodes",
                column=columns.get("episode_id", columns.get("patient_id")),
            )
    return kept[:-1]


def find_excluded(
    parts: Sequence[Part], links: Links, contradictory: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Return each episode's position among the reasons for exclusion, and the reasons.

    Parameters
    ----------
    parts : sequence of Part
    links : Links
    contradictory : numpy.ndarray of int
        Episodes whose records contradict each other.

    Returns
    -------
    excluded : numpy.ndarray of int64
        One per episode, -1 for none; what the source says wins.
    reasons : list of str
    """
    excluded = np.full(len(links.episodes), -1, dtype=np.int64)
    reasons: list[str] = [read_facts("checks")["reasons"]["contradictory"]]
    excluded[contradictory.astype(np.int64)] = 0
    for part, episode in zip(parts, links.rows, strict=True):
        rows = np.flatnonzero((part.excluded >= 0) & part.accepted() & (episode >= 0))
        excluded[episode[rows][::-1]] = len(reasons) + part.excluded[rows][::-1]
        reasons += [block.reason for block in part.spec.exclude]
    return excluded, reasons


def count_sessions(parts: Sequence[Part], links: Links) -> np.ndarray | None:
    """Return how many accepted sessions each episode has, None where no file holds sessions."""
    numbers = [i for i, part in enumerate(parts) if part.spec.rows == "session"]
    if not numbers:
        return None
    counts = np.zeros(len(links.episodes), dtype=np.int64)
    for i in numbers:
        episode = links.rows[i][parts[i].accepted_once()]
        counts += np.bincount(episode[episode >= 0], minlength=len(counts))
    return counts


def note_undated_courses(
    parts: Sequence[Part], links: Links, kept: np.ndarray, zero: np.ndarray, problems: Problems
) -> None:
    """Name the records of patients with several episodes that nothing dates: the file orders them."""
    told = any("episode_number" in part.spec.columns or FILE_ORDER in part.spec.confirmed for part in parts)
    if told or links.patients is links.episodes:
        return
    _, patient = np.unique(links.patients.astype(str), return_inverse=True)
    several = np.bincount(patient[kept], minlength=patient.max(initial=-1) + 1) > 1
    undated = np.zeros(len(several), dtype=bool)
    undated[patient[kept & (zero == NO_DATE)]] = True
    open_ = np.append((several & undated)[patient] & kept, False)
    for part, episode in zip(parts, links.rows, strict=True):
        if part.spec.rows in ("episode", "assessment"):
            problems.note(
                "EPISODE_ORDER",
                "accept_with_warning",
                "patients with several episodes, not all of them dated; the order of the file counts",
                part.records(open_[episode] & part.accepted()),
                column=part.header("episode_id"),
                said=ORDER_SAID,
            )
