"""What is known of each episode at time zero, and groups set side by side on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from outcomes.analyses._grid import Grid, Rows
from outcomes.analyses._interval import estimate_sd
from outcomes.cohort import Cohort
from outcomes.facts import read_schema
from outcomes.result import ALL

#: Term of the baseline score beside the covariates.
SCORE = "score"


@dataclass(frozen=True)
class Covariate:
    """One covariate of all episodes of a grid."""

    #: Column of the episodes, or ``score`` for the baseline score.
    name: str
    #: Numbers, missing ones not a number; or the index of the level, -1 where missing; shape (E,).
    values: np.ndarray
    #: Levels that occur in the cohort, in the order of the schema; empty for a number.
    levels: tuple[str, ...]
    unit: str

    @property
    def recorded(self) -> np.ndarray:
        """Whether it is recorded, shape (E,)."""
        return self.values >= 0 if self.levels else ~np.isnan(self.values)


def list_covariates(cohort: Cohort, grid: Grid) -> list[Covariate]:
    """Return the baseline score, where there is one, and all declared covariates."""
    score = [Covariate(SCORE, grid.baseline, (), cohort.instrument.unit)] if grid.has_baseline else []
    return [*score, *(read_covariate(grid.episodes[name], name) for name in cohort.covariates)]


def read_covariate(values: pd.Series, name: str) -> Covariate:
    """Return a column of the episodes as a covariate.

    Numbers stay numbers; everything else, flags included (levels ``no`` and ``yes``), becomes levels.
    """
    column = read_schema()["episodes"].get(name)
    if pd.api.types.is_bool_dtype(values) or (column is not None and column.type == "flag"):
        values = values.map({True: "yes", False: "no"}).astype("str")
    elif pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy("float64", na_value=np.nan)
        return Covariate(name, numbers, (), column.unit if column else "")
    held = pd.Categorical(values.astype("str"))
    found = set(held.categories)
    declared = [level for level in (column.allowed if column else ()) if level in found]
    levels = declared + sorted(found.difference(declared))
    return Covariate(name, held.set_categories(levels).codes.astype("int64"), tuple(levels), "proportion")


#: A named group with the positions of its episodes.
Group = tuple[str, np.ndarray]


def describe_covariate(rows: Rows, grid: Grid, covariate: Covariate, group: Group) -> None:
    """Add mean and standard deviation, or the share of every level, and the number missing."""
    name, members = group
    place = {"term": covariate.name, "group": name}
    present = members[covariate.recorded[members]]
    patients = grid.patients(present)
    if covariate.levels:
        for number, level in enumerate(covariate.levels):
            has = covariate.values[present] == number
            share = {"estimate": has.mean()} if len(present) else {"state": "too_few"}
            named = {"statistic": "share", "level": level, "unit": "proportion", **place}
            rows.add(grid.split(present, has), **named, **share, n=len(patients))
    else:
        values, place = covariate.values[present], {**place, "unit": covariate.unit}
        mean = {"estimate": values.mean()} if len(patients) > 1 else {"state": "too_few"}
        rows.add({"all": patients}, statistic="mean", **place, **mean, n=len(patients))
        rows.add({"all": patients}, statistic="sd", **place, **estimate_sd(values, len(patients)))
    absent = grid.patients(members[~covariate.recorded[members]])
    rows.add_count(absent, statistic="n_missing", **{**place, "unit": "patients"})


def compare_covariate(rows: Rows, grid: Grid, covariate: Covariate, groups: list[Group]) -> None:
    """Add the standardised mean difference of every pair of groups and the largest of them."""
    held = [(name, members[covariate.recorded[members]]) for name, members in groups]
    pairs = []
    for (first, left), (second, right) in combinations(held, 2):
        found = standardise_difference(covariate, left, right)
        sets = {"group": grid.patients(left), "versus": grid.patients(right)}
        n, n_versus = (len(codes) for codes in sets.values())
        columns = {"term": covariate.name, "n": n, "n_versus": n_versus, "unit": "sd", **found}
        rows.add(sets, statistic="smd", group=first, versus=second, **columns)
        pairs.append((columns, sets))
    if pairs:
        columns, sets = max(pairs, key=lambda pair: measure_imbalance(pair[0]))
        everyone = grid.patients(np.concatenate([members for _, members in held]))
        largest = {**columns, "estimate": abs(columns.get("estimate", np.nan)), "n": len(everyone)}
        del largest["n_versus"]
        rows.add({"all": everyone, **sets}, statistic="max_smd", group=ALL, **largest)


def measure_imbalance(found: dict[str, Any]) -> float:
    """Return the size of a difference; one without an estimate counts as larger than any other."""
    return float("inf") if found.get("state", "ok") != "ok" else abs(found["estimate"])


def standardise_difference(covariate: Covariate, left: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Estimate the standardised mean difference of a covariate between two groups.

    For a number the difference in means over the root of the mean of the two variances; for a category the
    Mahalanobis distance of the shares of its levels (Yang and Dalton 2012, SAS Global Forum, paper 335). A
    level that one group lacks is a share of 0. `left` and `right` are the positions of the episodes of each
    group where it is recorded. States: ``too_few`` below two episodes in a group; ``separated`` where the
    groups differ without any overlap or spread, so that the difference is infinite.
    """
    if min(len(left), len(right)) < 2:
        return {"state": "too_few"}
    if covariate.levels:
        n_levels = len(covariate.levels)
        shares = (
            np.bincount(covariate.values[members], minlength=n_levels) / len(members)
            for members in (left, right)
        )
        return _standardise_shares(*shares)
    first, second = covariate.values[left], covariate.values[right]
    difference = first.mean() - second.mean()
    spread = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    if spread > 0:
        return {"estimate": float(difference / spread), "state": "ok"}
    return {"estimate": 0.0, "state": "ok"} if difference == 0 else {"state": "separated"}


def _standardise_shares(left: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    difference = left - right
    spread = (np.diag(left) - np.outer(left, left) + np.diag(right) - np.outer(right, right)) / 2
    # The shares of all levels add to 1, so their covariance is singular by design; a generalised inverse
    # gives what leaving one level out gives, whichever one, and survives levels that nobody has.
    inverse = np.linalg.pinv(spread, rcond=1e-10, hermitian=True)
    if np.abs(spread @ (inverse @ difference) - difference).max() > 1e-8:
        return {"state": "separated"}
    return {"estimate": float(np.sqrt(max(difference @ inverse @ difference, 0.0))), "state": "ok"}
