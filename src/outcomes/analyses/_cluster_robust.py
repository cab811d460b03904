"""Cluster-robust variances of least squares for few clusters: CR2 with Satterthwaite degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: Clusters whose matrices are held at the same time, to bound memory.
_CHUNK = 2000
#: Share of a direction left after its own cluster, below which the cluster alone decides it.
_SATURATED = 1e-10


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
    eigen-decomposition per cluster suffices however large the cluster is.

    Parameters
    ----------
    basis, triangle : arrays, shape (n, p) and (p, p)
        Thin decomposition U R of a design matrix of full rank.
    residuals : array, shape (n,)
    clusters : array of int, shape (n,)
        Cluster of each row.
    contrasts : array, shape (k, p)

    Returns
    -------
    std_error, df : arrays, shape (k,)
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
