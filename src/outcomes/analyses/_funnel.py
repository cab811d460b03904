"""Funnel limits and overdispersion, after Spiegelhalter 2005 (Stat Med 24:1185, doi 10.1002/sim.1970)."""

from __future__ import annotations

import numpy as np
from scipy import special, stats


def limit_mean(target: float, sd: float, n: np.ndarray, level: float, widening: float = 1.0) -> np.ndarray:
    """Return the lower and upper limit of the mean of n patients, shape (2, n).

    Parameters
    ----------
    target, sd : float
        Mean and standard deviation of a patient, were all sites alike.
    n : array
        Numbers of patients.
    level : float
        Share of sites within the limits by chance alone, such as 0.95.
    widening : float
        Factor on the distance from the target; see `measure_overdispersion`.

    Examples
    --------
    >>> limit_mean(10.0, 5.0, np.array([25.0, 100.0]), 0.95).round(2).tolist()
    [[8.04, 9.02], [11.96, 10.98]]
    """
    margin = widening * float(special.ndtri((1 + level) / 2)) * sd / np.sqrt(np.asarray(n, dtype=float))
    return np.array([target - margin, target + margin])


def limit_share(target: float, n: np.ndarray, level: float, widening: float = 1.0) -> np.ndarray:
    """Return the exact lower and upper limit of a share of n patients, shape (2, n).

    The binomial quantile is interpolated between counts, so that limits do not jump from one n to the next.

    Parameters
    ----------
    target : float
        The share, were all sites alike.
    n, level, widening
        As in `limit_mean`.
    """
    n = np.asarray(n, dtype=float)
    ends = []
    for p in ((1 - level) / 2, (1 + level) / 2):
        count = stats.binom.ppf(p, n, target)
        below, reached = stats.binom.cdf(count - 1, n, target), stats.binom.cdf(count, n, target)
        ends.append((count - (reached - p) / (reached - below)) / n)
    return np.clip(target + widening * (np.array(ends) - target), 0.0, 1.0)


def measure_overdispersion(z: np.ndarray, winsorised: float) -> float:
    """Return the mean square of z-scores whose extremes are drawn in; 1 where sites differ by chance alone.

    Limits are widened by the root of it. Drawing in the extremes keeps a site that is truly different from
    hiding itself by widening the limits.

    Parameters
    ----------
    z : array
        One z-score per site.
    winsorised : float
        Share at each end that is set to the quantile there (linear between neighbours).

    Examples
    --------
    >>> measure_overdispersion(np.array([-1.0, 1.0, -1.0, 1.0]), 0.1)
    1.0
    """
    low, high = np.quantile(z, [winsorised, 1 - winsorised])
    return float((np.clip(z, low, high) ** 2).mean())
