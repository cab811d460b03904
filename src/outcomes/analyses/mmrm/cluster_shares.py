"""What each cluster adds to a cluster-robust variance, and the small-sample degrees of freedom that follow.

Under the working model a contrast's robust variance is a sum of squares, one a cluster, of which two are
independent but for what estimating the coefficients takes from both.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np


@dataclass
class Shares:
    """Sums over clusters for k contrasts, each by itself; of parts of the table they add up.

    Parameters
    ----------
    own, own_squared, shared, mixed : arrays, shape (k,)
        Sums of the working variance D of a cluster's share, its square, of z'z and D z'z, where z is what
        estimating the coefficients takes from it.
    outer : array, shape (k, p, p)
        Sum of z z'.
    """

    own: np.ndarray
    own_squared: np.ndarray
    shared: np.ndarray
    mixed: np.ndarray
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
    """The same sums for k contrasts together, over pairs s, t of them.

    Parameters
    ----------
    expected, squares, products, mixed, crossed : arrays, shape (k, k)
        Sums of D_st - z_s'z_t, D_st^2, D_ss D_tt, D_st z_s'z_t and D_ss z_t'z_t.
    outer : array, shape (k, k, p, p)
        Sum of z_s z_t'.
    """

    expected: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    mixed: np.ndarray
    crossed: np.ndarray
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
