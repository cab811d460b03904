"""The columns of a regression on groups, baseline score and covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outcomes.analyses._covariates import SCORE, Covariate
from outcomes.analyses._grid import Grid

#: Share of a column's variance that earlier columns leave, below which it repeats them.
_REPEATED = 1e-9


@dataclass(frozen=True)
class Design:
    """Columns of a regression for some episodes.

    Parameters
    ----------
    columns : array, shape (n, p)
        Intercept, baseline score, covariates, then one column for every group but the last.
    groups : tuple of str
        Groups in the order of their columns; the last is the one that the others are set against.
    state : str
        ``ok``, or ``rank_deficient`` where groups cannot be told from covariates.
    """

    columns: np.ndarray
    groups: tuple[str, ...]
    state: str

    def average_for_groups(self) -> np.ndarray:
        """Return per group the mean of the columns over all rows as if all were in that group."""
        rows = np.tile(self.columns.mean(axis=0), (len(self.groups), 1))
        rows[:, -(len(self.groups) - 1) :] = np.eye(len(self.groups))[:, :-1]
        return rows


def build_design(
    grid: Grid, covariates: list[Covariate], fitted: np.ndarray, groups: tuple[str, ...]
) -> Design:
    """Build the columns for the episodes at some positions, all of them in the given groups.

    A covariate that is not recorded keeps its patient: a category has a level "not recorded", a number takes
    the mean and a column that says so. Columns that repeat earlier ones (a level that nobody has, a covariate
    that follows from others) are left out; groups come last, so that they are never the ones left out
    silently.

    Parameters
    ----------
    grid : Grid
    covariates : list of Covariate
        The baseline score among them.
    fitted : array of int
    groups : tuple of str
        At least two.

    Returns
    -------
    Design
    """
    held = [column for covariate in covariates for column in _spread(covariate, fitted)]
    codes = [grid.groups.index(name) for name in groups[:-1]]
    marks = [(grid.group[fitted] == code).astype("float64") for code in codes]
    columns = np.column_stack([np.ones(len(fitted)), *held, *marks])
    kept = find_independent(columns)
    lost = np.setdiff1d(np.arange(columns.shape[1] - len(marks), columns.shape[1]), kept)
    return Design(columns[:, kept], groups, "rank_deficient" if len(lost) else "ok")


def _spread(covariate: Covariate, fitted: np.ndarray) -> list[np.ndarray]:
    values, recorded = covariate.values[fitted], covariate.recorded[fitted]
    absent = (~recorded).astype("float64")
    if covariate.levels:
        marks = [(values == level).astype("float64") for level in range(1, len(covariate.levels))]
        return [*marks, absent]
    mean = values[recorded].mean() if recorded.any() else 0.0
    filled = np.where(recorded, values, mean)
    return [filled] if covariate.name == SCORE else [filled, absent]


def find_independent(columns: np.ndarray) -> np.ndarray:
    """Return the positions of columns that do not repeat earlier ones; the first is the intercept.

    Examples
    --------
    >>> find_independent(np.array([[1, 0, 0], [1, 1, 2], [1, 2, 4], [1, 5, 10.0]])).tolist()
    [0, 1]
    """
    centred = columns[:, 1:] - columns[:, 1:].mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    moving = length > 1e-12 * np.maximum(1.0, np.abs(columns[:, 1:]).max(axis=0, initial=0.0))
    centred = centred / np.where(moving, length, 1.0)
    gram = centred.T @ centred
    kept: list[int] = []
    root = np.zeros_like(gram)
    for j in np.flatnonzero(moving):
        for place, i in enumerate(kept):
            root[j, i] = (gram[j, i] - root[j, kept[:place]] @ root[i, kept[:place]]) / root[i, i]
        left = gram[j, j] - root[j, kept] @ root[j, kept]
        if left > _REPEATED:
            root[j, j] = np.sqrt(left)
            kept.append(int(j))
    return np.array([0, *(j + 1 for j in kept)])
