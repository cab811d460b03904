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
    target : array, shape (m, p)
        The same columns for the episodes over which covariates are averaged.
    groups : tuple of str
        Groups in the order of their columns; the last is the one that the others are set against.
    state : str
        ``ok``, or ``rank_deficient`` where groups cannot be told from covariates.
    """

    columns: np.ndarray
    target: np.ndarray
    groups: tuple[str, ...]
    state: str

    @property
    def n_marks(self) -> int:
        """How many columns, the last ones, mark groups."""
        return len(self.groups) - 1

    def place_in(self, number: int) -> np.ndarray:
        """Return the target's columns as if all its episodes were in one group, given by its place."""
        moved = self.target.copy()
        moved[:, -self.n_marks :] = np.eye(len(self.groups))[number, :-1]
        return moved

    def average_for_groups(self) -> np.ndarray:
        """Return per group the mean of the target's columns as if all were in that group."""
        rows = np.tile(self.target.mean(axis=0), (len(self.groups), 1))
        rows[:, -self.n_marks :] = np.eye(len(self.groups))[:, :-1]
        return rows


def build_design(
    grid: Grid,
    covariates: list[Covariate],
    fitted: np.ndarray,
    groups: tuple[str, ...],
    target: np.ndarray | None = None,
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
    target : array of int, optional
        Positions of the episodes over which covariates are averaged; the fitted ones where absent.

    Returns
    -------
    Design
    """
    columns = _list_columns(grid, covariates, fitted, fitted, groups)
    kept = find_independent(columns)
    marks = np.arange(columns.shape[1] - len(groups) + 1, columns.shape[1])
    state = "ok" if np.isin(marks, kept).all() else "rank_deficient"
    columns = columns[:, kept]
    if target is None:
        return Design(columns, columns, groups, state)
    return Design(columns, _list_columns(grid, covariates, target, fitted, groups)[:, kept], groups, state)


def _list_columns(
    grid: Grid, covariates: list[Covariate], rows: np.ndarray, fitted: np.ndarray, groups: tuple[str, ...]
) -> np.ndarray:
    held = [column for covariate in covariates for column in _spread(covariate, rows, fitted)]
    marks = [(grid.group[rows] == grid.groups.index(name)).astype("float64") for name in groups[:-1]]
    return np.column_stack([np.ones(len(rows)), *held, *marks])


def _spread(covariate: Covariate, rows: np.ndarray, fitted: np.ndarray) -> list[np.ndarray]:
    values, recorded = covariate.values[rows], covariate.recorded[rows]
    absent = (~recorded).astype("float64")
    if covariate.levels:
        marks = [(values == level).astype("float64") for level in range(1, len(covariate.levels))]
        return [*marks, absent]
    known = covariate.values[fitted[covariate.recorded[fitted]]]
    filled = np.where(recorded, values, known.mean() if len(known) else 0.0)
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


@dataclass(frozen=True)
class LeastSquares:
    """A fit by the thin decomposition X = U R of its columns, which cluster-robust errors need as well.

    Parameters
    ----------
    coefficients : array, shape (p,)
    residuals : array, shape (n,)
    basis, triangle : arrays, shape (n, p) and (p, p)
    variance : float
        Residual variance.
    df : int
        Residual degrees of freedom.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    basis: np.ndarray
    triangle: np.ndarray
    variance: float
    df: int

    def measure_errors(self, contrasts: np.ndarray) -> np.ndarray:
        """Return the standard errors of contrasts, shape (k, p), under independent equal errors."""
        directions = np.linalg.solve(self.triangle.T, contrasts.T)
        return np.sqrt(self.variance * (directions**2).sum(axis=0))


def fit_least_squares(columns: np.ndarray, outcome: np.ndarray) -> LeastSquares:
    """Fit by least squares; the columns are independent and fewer than the rows."""
    basis, triangle = np.linalg.qr(columns)
    coefficients = np.linalg.solve(triangle, basis.T @ outcome)
    residuals = outcome - columns @ coefficients
    df = len(outcome) - columns.shape[1]
    return LeastSquares(coefficients, residuals, basis, triangle, float(residuals @ residuals) / df, df)
