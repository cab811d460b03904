"""Cluster-robust covariances of least-squares coefficients, and their degrees of freedom.

Of rows with independent errors of variance 1, a cluster's hat matrix is ``H = X V X'``. CR0 takes residuals
as they are, CR2 multiplies them by ``(I - H)^(-1/2)`` (Bell and McCaffrey 2002, Surv Methodol 28:169), CR3 by
``(I - H)^(-1)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

#: Power of ``I - H`` of each correction.
POWERS = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}
#: Rows that are held at the same time, to bound memory.
_CHUNK = 4096
#: What is left of a direction after its own cluster, below which the cluster alone decides it.
_SATURATED = 1e-10


class _Summed:
    """Sums over clusters; those of parts of a table add up."""

    def __add__(self, other: Self) -> Self:
        added = [getattr(self, entry.name) + getattr(other, entry.name) for entry in fields(self)]  # type: ignore[arg-type]
        return type(self)(*added)


@dataclass
class Shares(_Summed):
    """Sums over clusters for k contrasts, each by itself."""

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
class JointShares(_Summed):
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


@dataclass
class ClusterSums:
    """Sums over clusters; those of parts of a table add up."""

    #: Shape (p, p): sum of outer products of adjusted scores.
    meat: np.ndarray
    #: What each cluster adds to the variances of some contrasts.
    shares: Any
    n_clusters: int = 0
    #: By cluster that is gathered from several places, X'X and X'e of its whitened rows so far.
    grams: dict[int, np.ndarray] = field(default_factory=dict)
    scores: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def empty(cls, p: int, k: int, joint: bool = False) -> ClusterSums:
        """Return sums over nobody."""
        return cls(np.zeros((p, p)), (JointShares if joint else Shares).empty(p, k))

    def __add__(self, other: ClusterSums) -> ClusterSums:
        """Return the sums of both."""
        n_clusters = self.n_clusters + other.n_clusters
        total = ClusterSums(self.meat + other.meat, self.shares + other.shares, n_clusters)
        total.grams, total.scores = dict(self.grams), dict(self.scores)
        for code, gram in other.grams.items():
            total.gather(code, gram, other.scores[code])
        return total

    def gather(self, code: int, gram: np.ndarray, score: np.ndarray) -> None:
        """Add rows of a cluster of which others may follow."""
        self.grams[code] = self.grams[code] + gram if code in self.grams else gram
        self.scores[code] = self.scores[code] + score if code in self.scores else score

    def add_whole(
        self, vcov: np.ndarray, kind: str, contrasts: np.ndarray, columns: np.ndarray, residuals: np.ndarray
    ) -> None:
        """Add clusters of m whitened rows, shapes (n, m, p) and (n, m); rows may be zero."""
        hat = columns @ vcov @ np.swapaxes(columns, 1, 2)
        values, vectors = np.linalg.eigh(hat)
        adjust = (vectors * _raise_left(values, kind)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
        scores = np.einsum("ntp,nts,ns->np", columns, adjust, residuals, optimize=True)
        self.meat += scores.T @ scores
        self.n_clusters += len(scores)
        if len(contrasts):
            share = adjust @ (columns @ (vcov @ contrasts.T))
            basis = columns @ np.linalg.cholesky(vcov)
            self.shares.add(share, np.einsum("ntk,ntp->nkp", share, basis, optimize=True))

    def finish(self, vcov: np.ndarray, kind: str, contrasts: np.ndarray) -> ClusterSums:
        """Return the sums with the gathered clusters; within p columns, however large a cluster is."""
        root = np.linalg.cholesky(vcov)
        back = np.linalg.inv(root)
        empty = ClusterSums.empty(len(vcov), len(contrasts), isinstance(self.shares, JointShares))
        total = empty + self
        for code in sorted(self.grams):
            values, vectors = np.linalg.eigh(root.T @ self.grams[code] @ root)
            values = np.clip(values, 0.0, 1.0)
            power = _raise_left(values, kind)
            turned = vectors.T @ (root.T @ self.scores[code])
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


def estimate_clustered(
    basis: np.ndarray,
    triangle: np.ndarray,
    residuals: np.ndarray,
    clusters: np.ndarray,
    contrasts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate CR2 standard errors and degrees of freedom of contrasts of least-squares coefficients.

    Satterthwaite degrees of freedom per contrast, under independent errors as working model, as in
    Pustejovsky and Tipton (2018, J Bus Econ Stat 36:672, doi 10.1080/07350015.2016.1247004). The columns are
    decomposed as X = U R into `basis` and `triangle`; `contrasts` have the shape (k, p), both returned arrays
    (k,).
    """
    turned = np.linalg.solve(triangle.T, contrasts.T).T
    p = basis.shape[1]
    sums, vcov = ClusterSums.empty(p, len(turned)), np.eye(p)
    order = np.argsort(clusters, kind="stable")
    _, starts, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    for size in np.unique(sizes[sizes <= p]):
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        for part in np.array_split(members, -(-members.size // _CHUNK)):
            sums.add_whole(vcov, "CR2", turned, basis[part], residuals[part])
    for code in np.flatnonzero(sizes > p):
        rows = order[starts[code] : starts[code] + sizes[code]]
        sums.gather(int(code), basis[rows].T @ basis[rows], basis[rows].T @ residuals[rows])
    total = sums.finish(vcov, "CR2", turned)
    variance = np.einsum("kp,pq,kq->k", turned, total.meat, turned)
    return np.sqrt(np.maximum(variance, 0.0)), total.shares.count_freedom()


def estimate_clustered_mean(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Estimate the CR2 standard error of a mean and its Satterthwaite degrees of freedom.

    The same as `estimate_clustered` of an intercept alone; with clusters of one value each they are those of
    the t interval. `clusters` counts from 0, shape (n,); at least two clusters.

    >>> error, df = estimate_clustered_mean(np.array([1.0, 2.0, 4.0]), np.arange(3))
    >>> round(error, 4), round(df, 4)
    (0.8819, 2.0)
    """
    share = np.bincount(clusters) / len(values)
    sums = np.bincount(clusters, weights=values - values.mean()) / len(values)
    error, taken = float(np.sqrt((sums**2 / (1 - share)).sum())), share**2 / (1 - share)
    if len(share) == len(values):
        return error, len(values) - 1.0
    return error, float(1 / ((share**2).sum() + taken.sum() ** 2 - (taken**2).sum()))
