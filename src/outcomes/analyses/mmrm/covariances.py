"""Covariances between visits: parameters, and first and second derivatives by them.

A covariance is standard deviations times correlations. Standard deviations enter as logarithms, one for each
visit or one for all; correlations as unbounded numbers, with the links that mmrm 0.3.18 (R) uses, so that
Kenward-Roger's second derivatives are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from outcomes.errors import AnalysisError

#: Value, first derivatives and second derivatives: shapes (T, T), (r, T, T), (r, r, T, T).
Derivatives = tuple[np.ndarray, np.ndarray, np.ndarray]

#: How near to 1 a correlation, or to 0 an eigenvalue of the correlations, counts as the boundary.
BOUNDARY = 1e-6
#: How small beside the largest a standard deviation counts as none.
_NOTHING = 1e-5


@dataclass(frozen=True)
class Covariance:
    """A form of covariance."""

    name: str
    label: str
    #: Whether all visits share one standard deviation.
    one_sd: bool
    #: Whether the form supposes visits at equal distances in time.
    equally_spaced: bool
    #: From parameters and number of visits to the correlations with derivatives.
    correlate: Callable[[np.ndarray, int], Derivatives]
    #: From a correlation matrix to starting parameters; None where they come from the Cholesky factor.
    start: Callable[[np.ndarray], np.ndarray] | None

    def expand(self, theta: np.ndarray, n_visits: int) -> Derivatives:
        """Return the covariance with its derivatives by all parameters."""
        marks = np.ones((n_visits, 1)) if self.one_sd else np.eye(n_visits)
        n_sd = marks.shape[1]
        sd = np.exp(marks @ theta[:n_sd])
        scale = np.outer(sd, sd)
        correlation, first, second = self.correlate(theta[n_sd:], n_visits)
        value = scale * correlation
        # d log(s_i s_j) by each log standard deviation.
        slope = np.moveaxis(marks[:, None, :] + marks[None, :, :], 2, 0)
        by_rest = scale * first
        size = len(theta)
        jacobian = np.concatenate([slope * value, by_rest])
        hessian = np.empty((size, size, n_visits, n_visits))
        hessian[:n_sd, :n_sd] = slope[:, None] * slope[None, :] * value
        hessian[:n_sd, n_sd:] = slope[:, None] * by_rest[None, :]
        hessian[n_sd:, :n_sd] = np.swapaxes(hessian[:n_sd, n_sd:], 0, 1)
        hessian[n_sd:, n_sd:] = scale * second
        return value, jacobian, hessian

    def begin(self, moments: np.ndarray) -> np.ndarray:
        """Return starting parameters from a positive definite matrix of moments."""
        if self.start is None:
            factor = np.linalg.cholesky(moments)
            sd = np.diag(factor)
            return np.concatenate([np.log(sd), (factor / sd[:, None])[np.tril_indices(len(sd), -1)]])
        variance = np.diag(moments)
        root = np.sqrt(variance)
        sd = np.log(root) if not self.one_sd else np.array([0.5 * np.log(variance.mean())])
        return np.concatenate([sd, self.start(moments / np.outer(root, root))])

    def find_nothing(self, theta: np.ndarray, n_visits: int) -> bool:
        """Return whether a variance is 0, as nearly as can be told: the likelihood then has no maximum."""
        root = np.sqrt(np.diag(self.expand(theta, n_visits)[0]))
        return not np.all(root > _NOTHING * root.max())

    def find_boundary(self, theta: np.ndarray, n_visits: int) -> bool:
        """Return whether a correlation is 1, as nearly as can be told."""
        value = self.expand(theta, n_visits)[0]
        root = np.sqrt(np.diag(value))
        return bool(np.linalg.eigvalsh(value / np.outer(root, root))[0] < BOUNDARY)


def _root_link(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return correlations ``theta / sqrt(1 + theta**2)`` with two derivatives."""
    base = 1 + theta**2
    return theta / np.sqrt(base), base**-1.5, -3 * theta * base**-2.5


def _invert_root(rho: np.ndarray) -> np.ndarray:
    rho = np.clip(rho, -0.98, 0.98)
    return rho / np.sqrt(1 - rho**2)


def _chain(correlations: Derivatives, link: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Derivatives:
    """Return derivatives by the parameters of a link from those by correlations."""
    value, first, second = correlations
    _, slope, curve = link
    turned = slope[:, None, None, None] * slope[None, :, None, None] * second
    places = np.arange(len(slope))
    turned[places, places] += curve[:, None, None] * first
    return value, slope[:, None, None] * first, turned


def _correlate_unstructured(theta: np.ndarray, n_visits: int) -> Derivatives:
    """Return ``L L'`` with a unit lower triangle L (rows of theta), not itself a correlation matrix."""
    rows, columns = np.tril_indices(n_visits, -1)
    factor = np.eye(n_visits)
    factor[rows, columns] = theta
    first = np.zeros((len(theta), n_visits, n_visits))
    second = np.zeros((len(theta), len(theta), n_visits, n_visits))
    for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
        first[number, row] += factor[:, column]
        first[number, :, row] += factor[:, column]
        same = np.flatnonzero(columns == column)
        second[number, same, row, rows[same]] += 1
        second[number, same, rows[same], row] += 1
    return factor @ factor.T, first, second


def _correlate_ante(theta: np.ndarray, n_visits: int) -> Derivatives:
    """Return correlations that are products of those between neighbours."""
    link = _root_link(theta)
    rho, size = link[0], n_visits - 1
    value = np.eye(n_visits)
    first = np.zeros((size, n_visits, n_visits))
    second = np.zeros((size, size, n_visits, n_visits))
    for i in range(n_visits):
        for j in range(i + 1, n_visits):
            between = np.arange(i, j)
            value[i, j] = rho[between].prod()
            for k in between:
                first[k, i, j] = rho[between[between != k]].prod()
                for other in between[between != k]:
                    second[k, other, i, j] = rho[between[(between != k) & (between != other)]].prod()
    lower = np.tril_indices(n_visits, -1)
    for array in (value, first, second):
        array[..., lower[0], lower[1]] = array[..., lower[1], lower[0]]
    return _chain((value, first, second), link)


def _correlate_autoregressive(theta: np.ndarray, n_visits: int) -> Derivatives:
    link = _root_link(theta)
    lag = _lags(n_visits)
    rho = link[0][0]
    first = np.where(lag > 0, lag * rho ** np.maximum(lag - 1, 0), 0.0)
    second = np.where(lag > 1, lag * (lag - 1) * rho ** np.maximum(lag - 2, 0), 0.0)
    return _chain((rho**lag, first[None], second[None, None]), link)


def _correlate_banded(theta: np.ndarray, n_visits: int) -> Derivatives:
    link = _root_link(theta)
    lag = _lags(n_visits)
    value = np.concatenate([[1.0], link[0]])[lag]
    first = (lag == np.arange(1, n_visits)[:, None, None]).astype("float64")
    return _chain((value, first, np.zeros((n_visits - 1, n_visits - 1, n_visits, n_visits))), link)


def _correlate_equally(theta: np.ndarray, n_visits: int) -> Derivatives:
    """Return one correlation, above the bound ``-1 / (T - 1)`` by a logistic link."""
    least = 1 / (n_visits - 1)
    share = 1 / (1 + np.exp(-theta))
    slope = (1 + least) * share * (1 - share)
    link = ((1 + least) * share - least, slope, slope * (1 - 2 * share))
    others = 1.0 - np.eye(n_visits)
    value = np.eye(n_visits) + link[0][0] * others
    return _chain((value, others[None], np.zeros((1, 1, n_visits, n_visits))), link)


def _lags(n_visits: int) -> np.ndarray:
    place = np.arange(n_visits)
    return np.abs(place[:, None] - place)


def _begin_ante(correlation: np.ndarray) -> np.ndarray:
    return _invert_root(np.diag(correlation, 1))


def _begin_autoregressive(correlation: np.ndarray) -> np.ndarray:
    return _invert_root(np.diag(correlation, 1).mean(keepdims=True))


def _begin_banded(correlation: np.ndarray) -> np.ndarray:
    return _invert_root(np.array([np.diag(correlation, lag).mean() for lag in range(1, len(correlation))]))


def _begin_equally(correlation: np.ndarray) -> np.ndarray:
    least = 1 / (len(correlation) - 1)
    mean = correlation[np.triu_indices(len(correlation), 1)].mean()
    share = np.clip((mean + least) / (1 + least), 0.02, 0.98)
    return np.array([np.log(share / (1 - share))])


def _pair(name: str, label: str, spaced: bool, *made: Callable[..., Any]) -> dict[str, Covariance]:
    return {
        name: Covariance(name, f"{label}, one variance", True, spaced, *made),
        f"{name}h": Covariance(f"{name}h", f"{label}, a variance per visit", False, spaced, *made),
    }


#: All forms by name.
COVARIANCES: dict[str, Covariance] = {
    "us": Covariance("us", "unstructured", False, False, _correlate_unstructured, None),
    **_pair("ad", "ante-dependence", False, _correlate_ante, _begin_ante),
    **_pair("cs", "compound symmetry", False, _correlate_equally, _begin_equally),
    **_pair("ar1", "first-order autoregressive", True, _correlate_autoregressive, _begin_autoregressive),
    **_pair("toep", "Toeplitz", True, _correlate_banded, _begin_banded),
}


def choose_covariance(name: str, n_visits: int, equally_spaced: bool) -> Covariance:
    """Return the form of that name."""
    if name not in COVARIANCES:
        raise AnalysisError(f"There is no covariance {name!r}; choose one of: {', '.join(COVARIANCES)}.")
    chosen = COVARIANCES[name]
    if chosen.equally_spaced and not equally_spaced:
        raise AnalysisError(
            f"The covariance {name!r} supposes visits at equal distances in time (6 weeks, 3, 6 and 12 "
            "months are not); say equally_spaced=True where they are, or choose us, adh or csh."
        )
    if n_visits < 2:
        return COVARIANCES["us"]
    return chosen


def fill_moments(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return a positive definite matrix from sums of products of residuals and their numbers.

    Pairs of visits that nobody shares start uncorrelated; correlations shrink until the matrix is safe.
    """
    variance = np.diag(sums) / np.maximum(np.diag(counts), 1)
    variance = np.maximum(variance, 1e-12 * max(variance.max(), 1e-300))
    root = np.sqrt(variance)
    raw = np.where(counts > 0, sums / np.maximum(counts, 1), 0.0) / np.outer(root, root)
    np.fill_diagonal(raw, 0.0)
    raw = np.clip(raw, -0.95, 0.95)
    for shrink in (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0):
        correlation = np.eye(len(root)) + shrink * raw
        if np.linalg.eigvalsh(correlation)[0] > 0.02:
            break
    return correlation * np.outer(root, root)
