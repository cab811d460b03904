"""Cluster-robust covariances of the coefficients: a second pass over the patients.

With rows whitened by the Cholesky factor of their covariance the model is least squares, and a cluster's hat
matrix is ``H = X V X'``. CR0 takes residuals as they are, CR2 multiplies them by ``(I - H)^(-1/2)`` (Bell and
McCaffrey 2002, Surv Methodol 28:169), CR3 by ``(I - H)^(-1)``. None depends on which factor whitens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from outcomes.analyses.mmrm.cluster_shares import JointShares, Shares
from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.wide import Wide

#: Power of ``I - H`` of each correction.
POWERS = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}
#: Patients whose rows are held at the same time.
_CHUNK = 4096
#: What is left of a direction after its own cluster, below which the cluster alone decides it.
_SATURATED = 1e-10


@dataclass(frozen=True)
class Fitted:
    """What a second pass needs of the first: all in the units of the sums.

    Parameters
    ----------
    design : Design
    kept : array of int
    beta, vcov : arrays, shapes (p,), (p, p)
    sigmas : array, shape (groups, T, T)
    groups : list of int
    """

    design: Design
    kept: np.ndarray
    beta: np.ndarray
    vcov: np.ndarray
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
    """Sums over clusters; of parts of the table they add up.

    Parameters
    ----------
    meat : array, shape (p, p)
        Sum of outer products of adjusted scores.
    shares : Shares or JointShares
        What each cluster adds to the variances of some contrasts.
    n_clusters : int
    grams, scores : mapping of int to arrays
        By cluster larger than a patient, X'X and X'e of its whitened rows so far.
    """

    meat: np.ndarray
    shares: Any
    n_clusters: int = 0
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
