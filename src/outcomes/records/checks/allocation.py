"""Patients with several therapies in a source that is declared randomised: no groups side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from outcomes.facts import Text, read_facts
from outcomes.records.columns.part import Part
from outcomes.records.episodes.attributes import Attribute
from outcomes.records.episodes.times import Links
from outcomes.records.problems import Answers, Problems

#: The doubt by which a source says that the therapy allotted first counts.
_CONFIRMED = "therapy_changes"
_ANSWERS: Answers = {
    'design = "routine"': Text.of("findings.ALLOCATION_SEVERAL.routine"),
    'only = { column = "<period>", values = ["<first>"] }': Text.of(
        "findings.ALLOCATION_SEVERAL.first_period"
    ),
    f'confirmed = ["{_CONFIRMED}"]': Text.of("findings.ALLOCATION_SEVERAL.first_counts"),
}


def settle_allocation(
    episodes: pd.DataFrame, therapy: Attribute, links: Links, parts: Sequence[Part], problems: Problems
) -> pd.DataFrame:
    """Ask about patients with several therapies; where the first counts, exclude later episodes of others.

    `episodes` is the table as it was built, and `therapy` what all accepted records say, switches included.
    """
    counted = np.isin(links.episodes, episodes.loc[episodes["excluded"].isna(), "episode_id"].astype("str"))
    told = therapy.keep(counted[therapy.episode] & ~problems.is_refused(therapy.records))
    patient = np.unique(links.patients, return_inverse=True)[1][told.episode]
    several = _find_several(patient, told.codes)
    if not len(several) or problems.asks_whose:
        return episodes
    records = told.records[np.isin(patient, several)]
    if any(_CONFIRMED in part.spec.confirmed for part in parts):
        problems.note("ALLOCATION_SEVERAL.confirmed", records, "answered", column=told.header)
        return _exclude_later(episodes)
    changing = np.isin(told.episode, _find_several(told.episode, told.codes))
    n_within, n_all = len(np.unique(patient[changing])), len(np.unique(patient))
    values = {"n": len(several), "n_all": n_all, "n_within": n_within}
    problems.ask("ALLOCATION_SEVERAL.asked", _ANSWERS, records, column=told.header, **values)
    return episodes


def _find_several(of: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return those patients or episodes that have more than one therapy."""
    pairs = np.unique(np.column_stack([of, codes]), axis=0)
    distinct, number = np.unique(pairs[:, 0], return_counts=True)
    return distinct[number > 1]


def _exclude_later(episodes: pd.DataFrame) -> pd.DataFrame:
    """Exclude each patient's episodes of another therapy than that of the first."""
    reason = read_facts("checks")["reasons"]["allotted_again"]
    counted = episodes[episodes["excluded"].isna()].sort_values("episode_number", kind="stable")
    therapy = counted["therapy"].astype("str")
    first = therapy.groupby(counted["patient_id"].astype("str")).transform("first")
    later = counted.index[therapy != first]
    if not len(later):
        return episodes
    excluded = episodes["excluded"].cat.add_categories([reason])
    excluded[later] = reason
    return episodes.assign(excluded=excluded)
