"""Cluster-robust covariances of the coefficients: a second pass over the patients.

With rows whitened by the Cholesky factor of their covariance the model is least squares, and a cluster's hat
matrix is ``H = X V X'``. CR0 takes residuals as they are, CR2 multiplies them by ``(I - H)^(-1/2)`` (Bell and
McCaffrey 2002, Surv Methodol 28:169), CR3 by ``(I - H)^(-1)``. None depends on which factor whitens.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Self

import numpy as np

from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.layout import Wide


@dataclass
class Shares:
    """Sums over clusters for k contrasts, each by itself; of parts of the table they add up."""

    #: Shape (k,): sums of the working variance D of a cluster's share, its square, of z'z and D z'z, where
    #: z is what estimating the coefficients takes from it.
    own: np.ndarray
    own_squared: np.ndarray
    shared: np.ndarray
    mixed: np.ndarray
    #: Shape (k, p, p): sum of z z'.
    outer: np.ndarray

    @classmethod
    def empty(cls, p: int, k: int) -> Shares:
        """Return sums over nobody."""
        return cls(np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(k), np.zeros((k, p, p)))

    def __add__(self, other: Self) -> Self:
        """Return the sums of both."""
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def add(self, share: np.ndarray, taken: np.ndarray) -> None:
        """Add clusters: their whitened shares (n, m, k) and what estimation takes (n, k, p)."""
        own = (share**2).sum(axis=1)
        shared = (taken**2).sum(axis=2)
        self.own += own.sum(axis=0)
        self.own_squared += (own**2).sum(axis=0)
        self.shared += shared.sum(axis=0)
        self.mixed += (own * shared).sum(axis=0)
        turned = np.swapaxes(taken, 0, 1)
        self.outer += np.swapaxes(turned, 1, 2) @ turned

    def count_freedom(self) -> np.ndarray:
        """Return Bell and McCaffrey's degrees of freedom of each contrast."""
        spread = self.own_squared - 2 * self.mixed + (self.outer**2).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.own - self.shared) ** 2 / spread


@dataclass
class JointShares:
    """The same sums for k contrasts together, over pairs s, t of them."""

    #: Shape (k, k): sums of D_st - z_s'z_t, D_st^2, D_ss D_tt, D_st z_s'z_t and D_ss z_t'z_t.
    expected: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    mixed: np.ndarray
    crossed: np.ndarray
    #: Shape (k, k, p, p): sum of z_s z_t'.
    outer: np.ndarray

    @classmethod
    def empty(cls, p: int, k: int) -> JointShares:
        """Return sums over nobody."""
        pairs = np.zeros((5, k, k))
        return cls(pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], np.zeros((k, k, p, p)))

    def __add__(self, other: Self) -> Self:
        """Return the sums of both."""
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def add(self, share: np.ndarray, taken: np.ndarray) -> None:
        """Add clusters: their whitened shares (n, m, k) and what estimation takes (n, k, p)."""
        own, lost = np.swapaxes(share, 1, 2) @ share, taken @ np.swapaxes(taken, 1, 2)
        alone, gone = (np.einsum("nkk->nk", matrix) for matrix in (own, lost))
        self.expected += (own - lost).sum(axis=0)
        self.squares += (own**2).sum(axis=0)
        self.products += alone.T @ alone
        self.mixed += (own * lost).sum(axis=0)
        self.crossed += alone.T @ gone
        self.outer += np.einsum("nsp,ntq->stpq", taken, taken, optimize=True)

    def count_freedom(self) -> float:
        """Return the degrees of freedom of the Wishart distribution nearest to the robust covariance.

        Contrasts must be scaled so that `expected` is the identity. Tipton and Pustejovsky 2015 (J Educ Behav
        Stat 40:604, doi 10.3102/1076998615606099): ``k (k + 1)`` over the sum of variances of its entries.
        """
        first = self.products - self.crossed - self.crossed.T + (self.outer**2).sum(axis=(2, 3))
        second = self.squares - 2 * self.mixed + np.einsum("stpq,stqp->st", self.outer, self.outer)
        return len(self.expected) * (len(self.expected) + 1) / float((first + second).sum())


#: Power of ``I - H`` of each correction.
POWERS = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}
#: Patients whose rows are held at the same time.
_CHUNK = 4096
#: What is left of a direction after its own cluster, below which the cluster alone decides it.
_SATURATED = 1e-10


@dataclass(frozen=True)
class Fitted:
    """What a second pass needs of the first: all in the units of the sums."""

    design: Design
    kept: np.ndarray
    #: Shapes (p,), (p, p).
    beta: np.ndarray
    vcov: np.ndarray
    #: Shape (groups, T, T).
    sigmas: np.ndarray
    groups: list[int]

    def whiten(self, wide: Wide) -> tuple[np.ndarray, np.ndarray]:
        """Return whitened columns and residuals, shapes (n, T, p) and (n, T), zero where not seen."""
        columns, residuals = self.subtract(wide)
        seen = ~np.isnan(wide.score)
        both = seen[:, :, None] & seen[:, None, :]
        group = (
            np.zeros(len(seen), dtype=int) if wide.group is None else np.searchsorted(self.groups, wide.group)
        )
        factor = np.linalg.cholesky(np.where(both, self.sigmas[group], np.eye(seen.shape[1])))
        stacked = np.linalg.solve(factor, np.concatenate([columns, residuals[:, :, None]], axis=2))
        return stacked[:, :, :-1], stacked[:, :, -1]

    def subtract(self, wide: Wide) -> tuple[np.ndarray, np.ndarray]:
        """Return columns and residuals, weighed, zero where a visit is missing."""
        seen = ~np.isnan(wide.score)
        parts = self.design.evaluate_parts(wide)
        n_parts = len(self.design.parts)
        columns = self.design.spread_visits(parts[:, :n_parts])[:, :, self.kept] * seen[:, :, None]
        return columns, parts[:, n_parts:] - columns @ self.beta


@dataclass
class ClusterSums:
    """Sums over clusters; of parts of the table they add up."""

    #: Shape (p, p): sum of outer products of adjusted scores.
    meat: np.ndarray
    #: What each cluster adds to the variances of some contrasts.
    shares: Any
    n_clusters: int = 0
    #: By cluster larger than a patient, X'X and X'e of its whitened rows so far.
    grams: dict[int, np.ndarray] = field(default_factory=dict)
    scores: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def empty(cls, p: int, k: int, joint: bool = False) -> ClusterSums:
        """Return sums over nobody."""
        return cls(np.zeros((p, p)), (JointShares if joint else Shares).empty(p, k))

    def __add__(self, other: ClusterSums) -> ClusterSums:
        """Return the sums of both."""
        names = ("meat", "shares", "n_clusters")
        total = ClusterSums(*(getattr(self, name) + getattr(other, name) for name in names))
        for name in ("grams", "scores"):
            joined = dict(getattr(self, name))
            for key, value in getattr(other, name).items():
                joined[key] = joined[key] + value if key in joined else value
            setattr(total, name, joined)
        return total


def sum_clusters(
    wide: Wide, *, fitted: Fitted, kind: str, contrasts: np.ndarray, joint: bool = False
) -> ClusterSums:
    """Sum over the clusters of some patients; patients are clusters where no other is named."""
    sums = ClusterSums.empty(len(fitted.beta), len(contrasts), joint)
    if wide.cluster is not None:
        # A cluster's patients together, so that each chunk holds few clusters.
        wide = wide.take(np.argsort(wide.cluster, kind="stable"))
    for start in range(0, len(wide.score), _CHUNK):
        part = wide.take(slice(start, start + _CHUNK))
        columns, residuals = fitted.whiten(part)
        if part.cluster is None:
            _add_patients(sums, fitted, kind, contrasts, columns, residuals)
        else:
            _gather_clusters(sums, part.cluster, columns, residuals)
    return sums


def _add_patients(
    sums: ClusterSums,
    fitted: Fitted,
    kind: str,
    contrasts: np.ndarray,
    columns: np.ndarray,
    residuals: np.ndarray,
) -> None:
    hat = columns @ fitted.vcov @ np.swapaxes(columns, 1, 2)
    values, vectors = np.linalg.eigh(hat)
    power = _raise_left(values, kind)
    adjust = (vectors * power[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    scores = np.einsum("ntp,nts,ns->np", columns, adjust, residuals, optimize=True)
    sums.meat += scores.T @ scores
    sums.n_clusters += len(scores)
    if len(contrasts):
        share = adjust @ (columns @ (fitted.vcov @ contrasts.T))
        basis = columns @ np.linalg.cholesky(fitted.vcov)
        sums.shares.add(share, np.einsum("ntk,ntp->nkp", share, basis, optimize=True))


def _gather_clusters(
    sums: ClusterSums, cluster: np.ndarray, columns: np.ndarray, residuals: np.ndarray
) -> None:
    for code in np.unique(cluster):
        rows = columns[cluster == code].reshape(-1, columns.shape[2])
        gram, score = rows.T @ rows, rows.T @ residuals[cluster == code].ravel()
        known = int(code) in sums.grams
        sums.grams[int(code)] = sums.grams[int(code)] + gram if known else gram
        sums.scores[int(code)] = sums.scores[int(code)] + score if known else score


def finish_clusters(sums: ClusterSums, fitted: Fitted, kind: str, contrasts: np.ndarray) -> ClusterSums:
    """Turn gathered clusters into sums over clusters; within p columns, however large a cluster is."""
    total = ClusterSums.empty(len(fitted.beta), len(contrasts), isinstance(sums.shares, JointShares)) + sums
    root = np.linalg.cholesky(fitted.vcov)
    back = np.linalg.inv(root)
    for code in sorted(sums.grams):
        values, vectors = np.linalg.eigh(root.T @ sums.grams[code] @ root)
        values = np.clip(values, 0.0, 1.0)
        power = _raise_left(values, kind)
        turned = vectors.T @ (root.T @ sums.scores[code])
        score = back.T @ (vectors @ (power * turned))
        total.meat += np.outer(score, score)
        total.n_clusters += 1
        if len(contrasts):
            along = (contrasts @ root) @ vectors
            share = (along * (np.sqrt(values) * power)).T
            total.shares.add(share[None], ((along * (values * power)) @ vectors.T)[None])
    return total


def _raise_left(taken: np.ndarray, kind: str) -> np.ndarray:
    left = 1.0 - taken
    return np.where(left > _SATURATED, np.maximum(left, _SATURATED) ** POWERS[kind], 0.0)


def prepare_pass(
    fitted: Fitted, kind: str, contrasts: np.ndarray, joint: bool = False
) -> partial[ClusterSums]:
    """Return the function of a second pass, fit to be sent to other processes."""
    return partial(sum_clusters, fitted=fitted, kind=kind, contrasts=contrasts, joint=joint)
