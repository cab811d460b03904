"""Least squares on groups, baseline score and covariates: columns, fit, and errors for few clusters."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outcomes.analyses._covariates import SCORE, Covariate
from outcomes.analyses._grid import Grid

#: Clusters whose matrices are held at the same time, to bound memory.
_CHUNK = 2000
#: Share of a direction left after its own cluster, below which the cluster alone decides it.
_SATURATED = 1e-10
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


@dataclass
class _Sums:
    """Sums over clusters for k contrasts of p coefficients.

    ``scores`` holds the squared adjusted scores; ``own`` and ``own_squared`` the working variance D of each
    cluster's share and its square; ``shared``, ``mixed`` and ``outer`` what estimating the coefficients
    takes from it (z'z, D z'z and the sum of z z').
    """

    p: int
    k: int
    scores: np.ndarray = field(init=False)
    own: np.ndarray = field(init=False)
    own_squared: np.ndarray = field(init=False)
    shared: np.ndarray = field(init=False)
    mixed: np.ndarray = field(init=False)
    outer: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        for name in ("scores", "own", "own_squared", "shared", "mixed"):
            setattr(self, name, np.zeros(self.k))
        self.outer = np.zeros((self.k, self.p, self.p))

    def add(self, scores: np.ndarray, own: np.ndarray, shared: np.ndarray) -> None:
        """Add clusters: arrays of one row per cluster and one column per contrast."""
        self.scores += (scores**2).sum(axis=0)
        self.own += own.sum(axis=0)
        self.own_squared += (own**2).sum(axis=0)
        self.shared += shared.sum(axis=0)
        self.mixed += (own * shared).sum(axis=0)


def estimate_clustered(
    basis: np.ndarray,
    triangle: np.ndarray,
    residuals: np.ndarray,
    clusters: np.ndarray,
    contrasts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate standard errors and degrees of freedom of contrasts of least-squares coefficients.

    The bias-reduced linearisation of Bell and McCaffrey (2002, Surv Methodol 28:169) with their Satterthwaite
    degrees of freedom per contrast, under independent errors as working model, as in Pustejovsky and Tipton
    (2018, J Bus Econ Stat 36:672, doi 10.1080/07350015.2016.1247004). With the thin decomposition X = U R, a
    cluster's adjustment (I - H_j)^(-1/2) acts only within the p columns of U_j, so that a p x p
    eigen-decomposition per cluster suffices however large the cluster is. `contrasts` have the shape (k, p),
    both returned arrays (k,).
    """
    directions = np.linalg.solve(triangle.T, contrasts.T)
    order = np.argsort(clusters, kind="stable")
    basis, residuals = basis[order], residuals[order]
    starts = np.flatnonzero(np.diff(clusters[order], prepend=clusters.min() - 1))
    sizes = np.diff(np.append(starts, len(order)))
    sums = _Sums(*directions.shape)
    single = starts[sizes == 1]
    _add_single_rows(sums, basis[single], residuals[single], directions)
    several = np.flatnonzero(sizes > 1)
    for chunk in np.array_split(several, max(1, -(-len(several) // _CHUNK))):
        _add_clusters(
            sums, basis, residuals, directions, [slice(starts[j], starts[j] + sizes[j]) for j in chunk]
        )
    spread = sums.own_squared - 2 * sums.mixed + (sums.outer**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = (sums.own - sums.shared) ** 2 / spread
    return np.sqrt(sums.scores), df


def _add_single_rows(sums: _Sums, basis: np.ndarray, residuals: np.ndarray, directions: np.ndarray) -> None:
    leverage = (basis**2).sum(axis=1)
    weight = _invert_root(leverage)[:, None]
    along = basis @ directions * weight
    sums.add(along * residuals[:, None], along**2, along**2 * leverage[:, None])
    for number in range(sums.k):
        sums.outer[number] += basis.T @ (basis * along[:, [number]] ** 2)


def _add_clusters(
    sums: _Sums, basis: np.ndarray, residuals: np.ndarray, directions: np.ndarray, places: list[slice]
) -> None:
    if not places:
        return
    grams = np.stack([basis[place].T @ basis[place] for place in places])
    scores = np.stack([basis[place].T @ residuals[place] for place in places])
    values, vectors = np.linalg.eigh(grams)
    values = np.clip(values, 0.0, 1.0)
    weight = _invert_root(values)
    along = np.einsum("mpq,pk->mqk", vectors, directions)
    turned = np.einsum("mpq,mp->mq", vectors, scores)
    shared = along * (values * weight)[:, :, None]
    sums.add(
        np.einsum("mqk,mq->mk", along, weight * turned),
        np.einsum("mqk,mq->mk", along**2, values * weight**2),
        (shared**2).sum(axis=1),
    )
    shared = np.einsum("mpq,mqk->kmp", vectors, shared)
    sums.outer += np.einsum("kmp,kmq->kpq", shared, shared, optimize=True)


def _invert_root(taken: np.ndarray) -> np.ndarray:
    left = 1.0 - taken
    return np.where(left > _SATURATED, 1.0 / np.sqrt(np.maximum(left, _SATURATED)), 0.0)
