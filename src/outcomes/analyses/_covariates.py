"""What is known of each episode at time zero: groups set side by side on it, and least squares on it."""

import warnings
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
        values, unit = covariate.values[present], covariate.unit
        mean = {"estimate": values.mean()} if len(patients) > 1 else {"state": "too_few"}
        rows.add_of(patients, statistic="mean", **place, unit=unit, **mean)
        rows.add_of(patients, statistic="sd", **place, unit=unit, **estimate_sd(values, len(patients)))
    rows.add_count(grid.patients(members[~covariate.recorded[members]]), statistic="n_missing", **place)


def describe_groups(cohort: Cohort, grid: Grid, rows: Rows, groups: list[Group]) -> None:
    """Add the size of each group and its covariates, and compare all groups but `ALL` on these."""
    for name, members in groups:
        rows.add_count(grid.patients(members), statistic="n", term="patients", group=name)
    for covariate in list_covariates(cohort, grid):
        for group in groups:
            describe_covariate(rows, grid, covariate, group)
        compare_covariate(rows, grid, covariate, [group for group in groups if group[0] != ALL])


def compare_covariate(rows: Rows, grid: Grid, covariate: Covariate, groups: list[Group]) -> None:
    """Add the standardised mean difference of every pair of groups and the largest of them."""
    held = [(name, members[covariate.recorded[members]]) for name, members in groups]
    pairs = []
    for (first, left), (second, right) in combinations(held, 2):
        found = {"term": covariate.name, "unit": "sd", **standardise_difference(covariate, left, right)}
        sets = {"group": grid.patients(left), "versus": grid.patients(right)}
        rows.add_pair(*sets.values(), statistic="smd", group=first, versus=second, **found)
        pairs.append((found, sets))
    if pairs:
        found, sets = max(pairs, key=lambda pair: measure_imbalance(pair[0]))
        everyone = grid.patients(np.concatenate([members for _, members in held]))
        largest = {**found, "estimate": abs(found.get("estimate", np.nan)), "n": len(everyone)}
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


#: Share of a column's variance that earlier columns leave, below which it repeats them.
_REPEATED = 1e-9


@dataclass(frozen=True)
class Design:
    """Columns of a regression for some episodes."""

    #: Intercept, baseline score, covariates, then one column for every group but the last; shape (n, p).
    columns: np.ndarray
    #: The same columns for the episodes over which covariates are averaged, shape (m, p).
    target: np.ndarray
    #: In the order of their columns; the last is the one that the others are set against.
    groups: tuple[str, ...]
    #: ``ok``, or ``rank_deficient`` where groups cannot be told from covariates.
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
    silently. Covariates are averaged over the episodes at the positions `target`, or over the fitted ones.
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
    """A fit by the thin decomposition X = U R of its columns, which cluster-robust errors need as well."""

    #: Shape (p,).
    coefficients: np.ndarray
    #: Shape (n,).
    residuals: np.ndarray
    #: U, shape (n, p).
    basis: np.ndarray
    #: R, shape (p, p).
    triangle: np.ndarray
    #: Residual variance, and its degrees of freedom.
    variance: float
    df: int

    def relate(self, contrasts: np.ndarray) -> np.ndarray:
        """Return the covariance of contrasts, shapes (k, p) and (k, k), under independent equal errors."""
        directions = np.linalg.solve(self.triangle.T, contrasts.T)
        return self.variance * directions.T @ directions


def fit_least_squares(columns: np.ndarray, outcome: np.ndarray) -> LeastSquares:
    """Fit by least squares; the columns are independent and fewer than the rows."""
    basis, triangle = np.linalg.qr(columns)
    coefficients = np.linalg.solve(triangle, basis.T @ outcome)
    residuals = outcome - columns @ coefficients
    df = len(outcome) - columns.shape[1]
    return LeastSquares(coefficients, residuals, basis, triangle, float(residuals @ residuals) / df, df)


def fit_logistic(columns: np.ndarray, outcome: np.ndarray, **options: Any) -> Any:
    """Fit a logistic regression; None where the weights of separated patients all vanish."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return GLM(outcome, columns, family=Binomial()).fit(**options)
    except np.linalg.LinAlgError:
        return None
