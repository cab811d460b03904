"""What every analysis works on: the cohort's grid as arrays, and the rows that it gathers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._interval import estimate_share
from outcomes.cohort import STATUSES, Cohort
from outcomes.cohort.grid import find_bounds
from outcomes.cohort.remembering import remember
from outcomes.errors import AnalysisError
from outcomes.facts import read_schema
from outcomes.result import ALL, Result, Support

#: Group of those whose value of the grouping column is not recorded.
NOT_RECORDED = "not_recorded"
#: Id of the time point at the start.
BASELINE = "baseline"


@dataclass(frozen=True)
class Grid:
    """Arrays of a cohort; E episodes, T time points, baseline first."""

    #: Code of the patient, shape (E,).
    patient: np.ndarray
    #: Index into `groups`, shape (E,).
    group: np.ndarray
    groups: tuple[str, ...]
    timepoints: tuple[str, ...]
    #: Missing unless the visit was seen, shape (E, T).
    score: np.ndarray
    #: Missing also where the baseline score is missing, shape (E, T).
    improvement: np.ndarray
    #: The score at the start, shape (E,).
    baseline: np.ndarray
    #: Index into `outcomes.cohort.STATUSES`, shape (E, T); not yet due also where a score came before its
    #: time point has closed, since of the others of that time nobody can say yet whether they will be seen.
    status: np.ndarray
    #: One row per episode, in the order of the arrays.
    episodes: pd.DataFrame
    #: Whether no patient has a second episode.
    one_each: bool

    @cached_property
    def seen(self) -> np.ndarray:
        """Whether there is a score, shape (E, T)."""
        return ~np.isnan(self.score)

    @cached_property
    def due(self) -> np.ndarray:
        """Whether the visit was due, seen or not: asked for, and its time point has closed, shape (E, T)."""
        return ~np.isin(self.status, [STATUSES.index(name) for name in ("not_yet_due", "not_asked")])

    @cached_property
    def has_baseline(self) -> bool:
        """Whether anyone has a score at the start; a measure that looks back to it has none."""
        return not np.isnan(self.baseline).all()

    @cached_property
    def based(self) -> np.ndarray:
        """Whether an episode has the score at the start that a comparison needs, shape (E,)."""
        return ~np.isnan(self.baseline) if self.has_baseline else np.ones(len(self.patient), dtype=bool)

    @property
    def visits(self) -> list[tuple[int, str]]:
        """Position and id of every time point at which the instrument is asked."""
        return [entry for entry in enumerate(self.timepoints) if self.has_baseline or entry[1] != BASELINE]

    @property
    def follow_ups(self) -> list[tuple[int, str]]:
        """Position and id of every time point after the start."""
        return [entry for entry in enumerate(self.timepoints) if entry[1] != BASELINE]

    def members(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each group with the positions of its episodes, then everyone."""
        for number, name in enumerate(self.groups):
            yield name, np.flatnonzero(self.group == number)
        yield ALL, np.arange(len(self.patient))

    def is_in(self, group: str) -> np.ndarray:
        """Return which episodes are of a group, shape (E,)."""
        return self.group == self.groups.index(group)

    def is_asked(self, members: np.ndarray) -> bool:
        """Return whether the instrument is made for the complaint of any of some episodes."""
        return bool((self.status[members, 0] != STATUSES.index("not_asked")).any())

    def patients(self, which: np.ndarray) -> np.ndarray:
        """Return the distinct patients of some episodes, given by position or as a mask."""
        codes = self.patient[which]
        return codes if self.one_each else np.unique(codes)

    def split(self, members: np.ndarray, has: np.ndarray) -> dict[str, np.ndarray]:
        """Return the distinct patients of some episodes: all, those with a mark and those without."""
        return {
            "all": self.patients(members),
            "with": self.patients(members[has]),
            "without": self.patients(members[~has]),
        }

    def column(self, timepoint: str) -> int:
        """Return the position of a time point."""
        return self.timepoints.index(timepoint)


@remember
def arrange_grid(cohort: Cohort, by: str = "therapy") -> Grid:
    """Arrange a cohort as arrays, grouped by therapy, site, therapist or a column of the episodes."""
    table, width = cohort.table, len(cohort.timepoints)
    if len(table) != len(cohort.episodes) * width:
        raise ValueError("the grid of a cohort has one row per episode and time point")
    status = pd.Categorical(table["status"], categories=list(STATUSES)).codes.reshape(-1, width)
    seen = status == STATUSES.index("seen")
    score, improvement = (
        np.where(seen, table[name].to_numpy("float64", na_value=np.nan).reshape(-1, width), np.nan)
        for name in ("score", "improvement")
    )
    # A visit whose score could not be computed was attended, but there is nothing to analyse.
    status = np.where(seen & np.isnan(score), STATUSES.index("missing"), status)
    first = table.iloc[::width]
    patient = first["patient"].to_numpy("int64")
    episodes, ids = cohort.episodes, first["episode_id"]
    if not np.array_equal(episodes["episode_id"].to_numpy(object), ids.to_numpy(object)):
        episodes = episodes.iloc[pd.Index(episodes["episode_id"]).get_indexer(ids)]
    asked = status != STATUSES.index("not_asked")
    status = np.where(asked & ~_find_closed(cohort, episodes), STATUSES.index("not_yet_due"), status)
    group, groups = _find_groups(cohort, first, episodes, by)
    baseline = first["baseline"].to_numpy("float64", na_value=np.nan)
    arrays = (score, improvement, baseline, status)
    one_each = len(np.unique(patient)) == len(patient)
    return Grid(patient, group, groups, tuple(cohort.timepoints), *arrays, episodes, one_each)


def _find_closed(cohort: Cohort, episodes: pd.DataFrame) -> np.ndarray:
    """Return which time points had closed when the records were taken, shape (E, T).

    If those seen in an open window counted as due, and those still to come did not, the share seen would be
    too high.
    """
    if "observable_days" not in episodes:
        return np.ones((len(episodes), len(cohort.timepoints)), dtype=bool)
    observable, discharge = (
        episodes[name].to_numpy("float64", na_value=np.nan)
        if name in episodes
        else np.full(len(episodes), np.nan)
        for name in ("observable_days", "discharge_day")
    )
    closes = find_bounds(cohort.timepoints, discharge)[1]
    with np.errstate(invalid="ignore"):
        closed: np.ndarray = ~(closes > observable[:, None])
    closed[:, 0] = True
    return closed


def may_group(column: str) -> bool:
    """Return whether the values of a column of episodes may name groups.

    Ids, dates and numbers may not: as names of groups they would stand on a page, one patient each.
    """
    held = read_schema()["episodes"].get(column)
    return held is not None and held.type in ("category", "flag") and column != "excluded"


def _find_groups(
    cohort: Cohort, first: pd.DataFrame, episodes: pd.DataFrame, by: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    held = first if by in ("therapy", "site", "therapist") else episodes
    known = [name for name in episodes.columns if may_group(name)]
    if by not in held.columns or not may_group(by):
        raise AnalysisError(f"There is no column {by!r} to group by; choose one of: {', '.join(known)}.")
    values = held[by]
    names = list(cohort.therapies) if by == "therapy" else sorted(values.dropna().astype(str).unique())
    codes = pd.Categorical(values.astype("str"), categories=names).codes.astype("int64")
    if (codes < 0).any():
        names.append(NOT_RECORDED)
        codes = np.where(codes < 0, len(names) - 1, codes)
    return codes, tuple(names)


class Rows:
    """A list of rows and of the patients behind each, with columns that all rows share.

    >>> rows = Rows(outcome="odi", unit="points")
    >>> rows.add({"all": np.array([1, 2])}, statistic="mean_score", estimate=30.0, n=2)
    >>> rows.table
    [{'outcome': 'odi', 'unit': 'points', 'statistic': 'mean_score', 'estimate': 30.0, 'n': 2}]
    """

    def __init__(self, **shared: Any) -> None:
        self.shared = shared
        self.table: list[dict[str, Any]] = []
        self.support: list[Support] = []

    def add(self, support: Support, **columns: Any) -> None:
        """Add one row with the distinct patients behind it."""
        self.table.append({**self.shared, **columns})
        self.support.append(support)

    def add_of(self, patients: np.ndarray, **columns: Any) -> None:
        """Add one row of some distinct patients, with their number."""
        self.add({"all": patients}, **{"n": len(patients), **columns})

    def add_pair(self, first: np.ndarray, second: np.ndarray, **columns: Any) -> None:
        """Add one row of two sets of distinct patients, with their numbers."""
        sizes = {"n": len(first), "n_versus": len(second)}
        self.add({"group": first, "versus": second}, **sizes, **columns)

    def copy(self, result: Result, **columns: Any) -> None:
        """Add the rows of a result."""
        for row, sets in zip(result.table.to_dict("records"), result.support, strict=True):
            self.add(sets, **{**{str(name): value for name, value in row.items()}, **columns})

    def add_count(self, patients: np.ndarray, **columns: Any) -> None:
        """Add a count of distinct patients."""
        self.add_of(patients, **{"estimate": len(patients), "unit": "patients", **columns})

    def add_not_asked(self, grid: Grid, members: np.ndarray, *statistics: str, **columns: Any) -> None:
        """Add a row without a number for each statistic of episodes that were not asked the instrument."""
        for statistic in statistics:
            everyone = {"all": grid.patients(members)}
            self.add(everyone, statistic=statistic, state="not_asked", **columns)

    def add_share(
        self, grid: Grid, members: np.ndarray, has: np.ndarray, conf_level: float, **columns: Any
    ) -> None:
        """Add the share of some episodes, given by position, that have a mark, with its Wilson interval."""
        sets = grid.split(members, has)
        share = estimate_share(int(has.sum()), len(members), len(sets["all"]), conf_level)
        self.add(sets, **{"unit": "proportion", **columns}, **share)
