"""What is known of each episode at time zero, as numbers or as levels of a category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from outcomes.analyses._grid import Grid
from outcomes.cohort import Cohort
from outcomes.facts import Column, read_schema

#: Term of the baseline score beside the covariates.
SCORE = "score"


@dataclass(frozen=True)
class Covariate:
    """One covariate of all episodes of a grid.

    Parameters
    ----------
    name : str
        Column of the episodes, or ``score`` for the baseline score.
    values : array, shape (E,)
        Numbers, missing ones not a number; or the index of the level, -1 where missing.
    levels : tuple of str
        Levels that occur in the cohort, in the order of the schema; empty for a number.
    unit : str
    """

    name: str
    values: np.ndarray
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
    levels = _order_levels(set(held.categories), column)
    return Covariate(name, held.set_categories(levels).codes.astype("int64"), tuple(levels), "proportion")


def _order_levels(found: set[str], column: Column | None) -> list[str]:
    declared = [level for level in (column.allowed if column else ()) if level in found]
    return declared + sorted(found.difference(declared))
